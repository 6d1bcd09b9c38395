/* What a failed scenario tells of its machine: a start that ends in GRUB's menu says nothing by itself. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../lab/machine.ts";
import { describeMachine, registersThatTell, serialEnd } from "../lab/post-mortem.ts";

const REGISTERS =
  "EAX=00000000\nEIP=00007f3a EFL=00000006 HLT=0\nCR0=00000011 CR2=00 CR3=00000000\n";
const LOG = join(import.meta.dir, "no such log");

function machineThatAnswers(monitor: () => Promise<string>): Machine {
  const execute = () => Promise.reject(new Error("a fake has no video memory"));
  return { logPath: LOG, qmp: { monitor, execute } } as unknown as Machine;
}

test("where the processor stood, also of a machine that answers no more", async () => {
  let asked = 0;
  const machine = machineThatAnswers(async () => {
    asked += 1;
    if (asked > 2) throw new Error("QEMU has ended");
    return REGISTERS;
  });
  const stood = "  processor: EIP=00007f3a EFL=00000006 HLT=0 CR0=00000011 CR3=00000000";
  assert.equal(await describeMachine(machine, "/"), [`serial log: ${LOG}`, stood, stood]);
});

test("the end of the serial line, without the frames that GRUB draws there", () => {
  assert.is(
    registersThatTell(REGISTERS),
    "EIP=00007f3a EFL=00000006 HLT=0 CR0=00000011 CR3=00000000",
  );
  const frame = "\x1b[5;2H|\x1b[5;79H|\r\n +----+\r\n".repeat(40);
  const lines = serialEnd(`a.env: OK\r\n${frame}error: file not found\r\n${frame}`);
  assert.equal(lines, ["  serial | a.env: OK", "  serial | error: file not found"]);
});

test.run();

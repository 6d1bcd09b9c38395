/* A machine that hangs in its start is reset once and told about; one that goes on is left alone. */
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../lab/machine.ts";
import { registersThatTell, serialEnd } from "../lab/post-mortem.ts";
import { makeSerial } from "../lab/serial.ts";
import { waitThroughHang, watchStart } from "../lab/watchdog.ts";

const SILENT_SECONDS = 0.1;
const REGISTERS =
  "EAX=00000000\nEIP=00007f3a EFL=00000006 HLT=0\nCR0=00000011 CR2=00 CR3=00000000\n";

function fakeMachine(onReset: () => void) {
  const serial = makeSerial();
  const ended = Promise.withResolvers<void>();
  const commands: string[] = [];
  const remarks: string[] = [];
  const machine = {
    name: "disk-alone",
    serial,
    logPath: join(import.meta.dir, "no such log"),
    qmp: {
      execute: async (name: string, parameters?: Record<string, unknown>) => {
        commands.push([name, ...Object.values(parameters ?? {})].join(" "));
        if (name === "pmemsave") throw new Error("a fake has no video memory");
        if (name === "system_reset") onReset();
      },
      monitor: async () => REGISTERS,
    },
    remark: (line: string) => void remarks.push(line),
    remarks,
    ended: ended.promise,
    waitFor: serial.waitFor,
  } as unknown as Machine;
  return {
    machine,
    commands,
    end: ended.resolve,
    say: (text: string) => serial.push(new TextEncoder().encode(text)),
  };
}

test("silence: one reset, after which a reset ends QEMU again, and the report says so", async () => {
  let resets = 0;
  const fake = fakeMachine(() => {
    resets += 1;
    fake.say("a.env: OK\n");
    setTimeout(() => fake.say("UP 7\n"), 600);
  });
  fake.say("Loading initial ramdisk ...\n");
  const wait = waitThroughHang(fake.machine, /UP (\d)\n/, 5, /never/, SILENT_SECONDS);
  assert.equal((await wait).groups, ["7"]);
  assert.is(resets, 1);
  assert.equal(fake.commands.slice(-3), [
    "set-action reset",
    "system_reset",
    "set-action shutdown",
  ]);
  assert.match(fake.machine.remarks[0] ?? "", /disk-alone hung in its start, and was reset/);
  assert.is(fake.machine.remarks.filter((line) => line.includes("EIP=00007f3a")).length, 3);
});

test("a second silence is a failure", async () => {
  let resets = 0;
  const fake = fakeMachine(() => {
    resets += 1;
    fake.say("a.env: OK\n");
  });
  const wait = waitThroughHang(fake.machine, /UP/, 2, /never/, SILENT_SECONDS);
  await wait.then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /in vain/),
  );
  assert.is(resets, 1);
});

test("a start that says something is not reset, however long it takes", async () => {
  const fake = fakeMachine(() => assert.unreachable());
  const talk = setInterval(() => fake.say("."), SILENT_SECONDS * 300);
  setTimeout(() => fake.say("UP\n"), SILENT_SECONDS * 6000);
  await waitThroughHang(fake.machine, /UP/, 5, /never/, SILENT_SECONDS);
  clearInterval(talk);
  await Bun.sleep(SILENT_SECONDS * 2000);
  assert.equal(fake.commands, []);
  assert.equal(fake.machine.remarks, []);
});

test("a machine that is up, or has ended, may be silent", async () => {
  const up = fakeMachine(() => assert.unreachable());
  watchStart(up.machine, (text) => text.includes("zshield"), SILENT_SECONDS);
  up.say("zshield: step 1/27 begins\n");
  const dead = fakeMachine(() => assert.unreachable());
  watchStart(dead.machine, () => false, SILENT_SECONDS);
  dead.end();
  const hung = fakeMachine(() => hung.say("a.env: OK\n"));
  watchStart(hung.machine, (text) => text.includes("zshield"), SILENT_SECONDS);
  hung.say("vmlinuz: OK\n");
  await Bun.sleep(SILENT_SECONDS * 3000 + 1000);
  assert.equal([up.commands, dead.commands], [[], []]);
  assert.is(hung.commands.filter((command) => command === "system_reset").length, 1);
});

test("the report tells where the processor stood, and leaves GRUB's frames out", () => {
  assert.is(
    registersThatTell(REGISTERS),
    "EIP=00007f3a EFL=00000006 HLT=0 CR0=00000011 CR3=00000000",
  );
  const lines = serialEnd("a.env: OK\r\n\x1b[5;2H|\x1b[5;79H|\r\n +----+\r\nBooting `x'\r\n");
  assert.equal(lines, ["  serial | a.env: OK", "  serial | Booting `x'"]);
});

test.run();

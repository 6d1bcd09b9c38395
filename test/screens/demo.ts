/*
 * `npm run demo:screen`: the screens on a recorded machine, with the real flow and planner and a simulated run.
 * Needs no root, looks at no disk and changes nothing.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/errors.ts";
import { makeGate, type Gate } from "../../src/commands/gate.ts";
import { runFlow, type Doings, type Flow } from "../../src/commands/flow.ts";
import { parseCmdline } from "../../src/model/cmdline.ts";
import { checkConfig } from "../../src/model/config.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import type { Face } from "../../src/ui/face.ts";
import { openFaces } from "../../src/ui/faces.ts";
import { VERSION } from "../../src/version.ts";
import { ids } from "../unit/example.ts";
import { simulate } from "./simulate.ts";

const USAGE = `npm run demo:screen -- [--machine NAME|FILE.json] [--operation menu|default|latest|repair|test]
  [--lang en|zh] [--ui screen|plain] [--cmdline "zshield.keep=nothing …"] [--speed N]
  [--fail-at KIND] [--pause-at KIND] [--password TEXT] [--other pts/N] [--factory] [--fail-test NAME]
  NAME is one of test/machines, KIND a kind of step (zshield plan lists them),
  --other a second console, --factory a card with factory tests`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      machine: { type: "string", default: "installed" },
      operation: { type: "string", default: "menu" },
      lang: { type: "string", default: "en" },
      ui: { type: "string", default: "screen" },
      cmdline: { type: "string", default: "" },
      speed: { type: "string", default: "1" },
      "fail-at": { type: "string" },
      "pause-at": { type: "string" },
      factory: { type: "boolean", default: false },
      "fail-test": { type: "string" },
      password: { type: "string" },
      other: { type: "string" },
      version: { type: "boolean" },
    },
  });
  if (values.version) return console.log(VERSION);
  const { operation, lang, ui, password } = values;
  const request = parseCmdline(
    `zshield_recovery=${operation} zshield.lang=${lang} zshield.ui=${ui} ${values.cmdline}`,
  );
  const file = values.machine.endsWith(".json")
    ? values.machine
    : join("test/machines", `${values.machine}.json`);
  const machine = parseMachine(readFileSync(file, "utf8"), file);
  const lines: string[] = ["    0.00 the log of a demo"];
  const doings: Doings = {
    readMachine: async () => machine,
    readDisks: async () => machine.disks,
    pause: async () => undefined,
    // The same in every run, so that captures can be compared.
    makeIds: () => ids,
    perform: (decision, on) =>
      simulate(decision, on, {
        speed: Number(values.speed),
        failAt: values["fail-at"],
        pauseAt: values["pause-at"],
        failTest: values["fail-test"],
      }),
    prepareGolden: async () => undefined,
    signal: async () => undefined,
    closeEverything: async () => undefined,
    keepResult: () => undefined,
    readPeakMemoryBytes: () => 0,
    log: { line: (text) => void lines.push(text), text: () => lines.join("\n") },
  };
  // Blessed would wrap what it sends for tmux, and ask it for its version first.
  delete process.env["TMUX"];
  if (!process.stdin.isTTY) throw new Error("the demo needs a terminal to draw on");
  const terminal = readlinkSync("/proc/self/fd/0").replace("/dev/", "");
  const others = values.other === undefined ? [] : [values.other];
  const { face } = await openFaces([...others, terminal], request);
  const flow: Flow = {
    face,
    doings,
    request,
    config: checkConfig(values.factory ? { factory: { memory: "2 GiB" } } : {}),
    reports: {
      save: async () => face.line("this is a demo: nothing was saved"),
      saveIfThere: async () => undefined,
    },
    ...(password === undefined ? {} : { gate: await gateOf(password, face) }),
  };
  const ending = await runFlow(flow);
  face.line(`the demo ends here: ${ending}`);
  await face.drain();
  face.close();
  process.exit(0);
}

async function gateOf(password: string, face: Face): Promise<Gate> {
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 4 });
  return makeGate(hash, { askSecret: face.askSecret, say: face.line });
}

await main().catch((error: unknown) => {
  console.error(`${messageOf(error)}\n\n${USAGE}`);
  process.exit(2);
});

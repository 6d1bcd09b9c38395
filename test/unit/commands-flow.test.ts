/*
 * The order of things at the console, with a person who answers from a list and a machine that only exists on
 * paper: what is asked, what is started, what is told.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFlow, runRefusal, type Doings } from "../../src/commands/flow.ts";
import { Refusal, StepError } from "../../src/errors.ts";
import { execute } from "../../src/execute.ts";
import { readStore } from "../../src/host/snapshot.ts";
import { parseCmdline } from "../../src/model/cmdline.ts";
import { checkConfig, type Config } from "../../src/model/config.ts";
import type { Machine } from "../../src/model/machine.ts";
import { say } from "../../src/model/messages.ts";
import { successOf, type Result } from "../../src/model/result.ts";
import { MIB } from "../../src/model/size.ts";
import type { Choice } from "../../src/ui/choice.ts";
import type { Face } from "../../src/ui/face.ts";
import { textsOf } from "../../src/ui/texts.ts";
import { english } from "../../src/words.ts";
import { config, disk, ids, machine } from "./example.ts";
import { installedMachine, success } from "./screen-example.ts";

interface Told {
  readonly did: string[];
  readonly asked: string[];
  /** How often time was given for disks to appear. */
  pauses: number;
  /** What the key for it does, from the moment when a recovery begins. */
  cancel?: () => void;
}

/** `answers`: choices, and `yes`/`no` where the plan is agreed to. Running out of them is an error. */
function person(answers: readonly string[], told: Told): Face {
  const left = [...answers];
  const next = (question: string) => {
    told.asked.push(question);
    const answer = left.shift();
    if (answer === undefined) throw new Error(`nobody answers: ${question}`);
    return answer;
  };
  const log = (text: string) => void told.did.push(text);
  return {
    line: (words) => log(`line ${english(words)}`),
    machine: () => log("machine"),
    planned: ({ plan }) => log(`planned ${plan.operation}`),
    event: () => undefined,
    logged: () => undefined,
    verdict: ({ outcome, error }, { warnings = [] } = {}) => {
      const beside = warnings.map((words) => `, but ${english(words)}`);
      log(`verdict ${outcome}${beside.join("")} ${error?.message ?? ""}`.trim());
    },
    async choose<C extends Choice>(question: string, choices: readonly C[]) {
      const answer = next(question);
      const chosen = choices.find((choice) => choice === answer);
      assert.ok(chosen, `${answer} is no choice of ${choices.join()}`);
      return chosen as C;
    },
    agree: async () => next("agree") === "yes",
    begin(_planned, cancel) {
      told.cancel = cancel;
      log("begin");
    },
    read: async (title, text) => log(`read ${title} ${text(textsOf("zh")).length > 0}`),
    askSecret: async () => next("secret"),
    finished: async (ending, attended) => log(`finished ${ending} ${attended}`),
    drain: async () => undefined,
    close: () => undefined,
  };
}

async function run(
  operation: string,
  answers: readonly string[],
  more: {
    found?: Machine;
    /** What is found before that, look by look. */
    looks?: readonly Machine[];
    config?: Config;
    /** Looks that fail, counted from 1. */
    failingLooks?: readonly number[];
    perform?: (...given: [...Parameters<Doings["perform"]>, Told]) => Promise<Result>;
    prepareGolden?: Doings["prepareGolden"];
    /** The right password; without it there is no gate. */
    password?: string;
    hasReports?: boolean;
    words?: string;
  } = {},
) {
  const told: Told = { did: [], asked: [], pauses: 0 };
  const logged: string[] = [];
  const pictures = [...(more.looks ?? []), more.found ?? installedMachine()];
  const now = () => pictures[0] as Machine;
  let looks = 0;
  const doings: Doings = {
    readMachine: async () => {
      if (more.failingLooks?.includes((looks += 1)))
        throw new Error("ENOENT: no such file or directory");
      return pictures.length > 1 ? (pictures.shift() as Machine) : now();
    },
    readDisks: async () => now().disks,
    pause: async () => void (told.pauses += 1),
    makeIds: () => ids,
    perform: (decision, on) => (more.perform ?? (async () => success))(decision, on, told),
    prepareGolden: more.prepareGolden ?? (async () => void told.did.push("golden made ready")),
    closeEverything: async () => void told.did.push("close"),
    signal: async (verdict) => void told.did.push(`signal ${verdict}`),
    keepResult: () => undefined,
    readPeakMemoryBytes: () => 0,
    log: { line: (text) => void logged.push(text), text: () => "one\ntwo\n" },
  };
  const face = person(answers, told);
  const ending = await runFlow({
    face,
    doings,
    request: parseCmdline(`zshield_recovery=${operation} ${more.words ?? ""}`),
    config: more.config ?? config,
    ...(more.password === undefined
      ? {}
      : {
          async gate() {
            while ((await face.askSecret("?")) !== more.password);
          },
        }),
    ...(more.hasReports
      ? {
          reports: {
            save: async ({ plan }) => void told.did.push(`report ${plan?.operation}`),
            saveIfThere: async ({ plan }) => void told.did.push(`if there ${plan?.operation}`),
          },
        }
      : {}),
  });
  return { ending, ...told, logged };
}

test("a blank disk: nobody is asked", async () => {
  const { ending, asked, did } = await run("default", [], { found: machine() });
  assert.equal(asked, []);
  assert.equal(did, [
    ...["machine", "planned default", "begin", "verdict success", "finished reboot false"],
  ]);
  assert.is(ending, "reboot");
});

const stick = disk({
  ...{ path: "/dev/sdb", model: "STICK", serial: "S-1", transport: "usb", removable: true },
  ...{ table: "dos", blank: "a partition table" },
});
const second = disk({ path: "/dev/vdb", serial: "ZS-0002" });
const WAITING = "line waiting for the card and the disk to appear …";

test("a disk that comes later than others that are no candidates is waited for", async () => {
  for (const early of [[stick], [disk({ path: "/dev/vdc", serial: "S", sizeBytes: MIB })]]) {
    const { ending, did } = await run("default", [], {
      looks: [machine(early)],
      found: machine([...early, disk()]),
    });
    assert.is(ending, "reboot");
    assert.is(did[0], WAITING);
    assert.ok(did.includes("verdict success"));
  }
});

test("the disk that zshield.toml names is waited for, whatever else is there", async () => {
  const { did } = await run("default", [], {
    config: checkConfig({ disk: { select: "serial:ZS-0001" } }),
    looks: [machine([second])],
    found: machine([second, disk()]),
  });
  assert.is(did[0], WAITING);
  assert.ok(did.includes("verdict success"));
});

test("of two blank disks the slow one counts too: nothing is installed on the fast one", async () => {
  const { did, ending } = await run("default", ["poweroff"], {
    looks: [machine([second])],
    found: machine([second, disk()]),
  });
  assert.not.ok(did.includes("begin"));
  assert.match(did.join("\n"), /verdict refused there are 2 disks/);
  assert.is(ending, "poweroff");
});

test("an installation that comes later than another disk is waited for", async () => {
  const { did } = await run("latest", ["yes"], { looks: [machine([second])] });
  assert.is(did[0], WAITING);
  assert.ok(did.includes("verdict success"));
});

test("where all is there, one pause is all that is waited for; where nothing fits, the waiting ends", async () => {
  assert.is((await run("default", [], { found: machine() })).pauses, 1);
  const { did, pauses } = await run("default", ["poweroff"], { found: machine([stick]) });
  assert.is(did.filter((text) => text === WAITING).length, 1);
  assert.match(did.join("\n"), /verdict refused there is no disk to install on/);
  assert.is(pauses, 30);
});

test("disks that come and go are not waited for for ever", async () => {
  const looks = Array.from({ length: 99 }, (_, n) => machine(n % 2 ? [disk()] : [disk(), second]));
  const { pauses } = await run("default", ["poweroff"], { looks });
  assert.is(pauses, 30);
});

test("an installed disk: asked first; with the right answer it is performed, and somebody is there", async () => {
  const { asked, did } = await run("default", ["yes"], { words: "zshield.then=poweroff" });
  assert.equal(asked, ["agree"]);
  assert.is(did.at(-1), "finished poweroff true");
});

test("what was not done beside a success is told with the verdict, and is in the log", async () => {
  const words = say("no-audit-report", say("volume-full"));
  const { did, logged } = await run("default", ["yes"], {
    async perform(_decision, { onWarning }) {
      onWarning(words);
      return success;
    },
  });
  assert.ok(did.includes(`verdict success, but ${words.english}`));
  assert.ok(logged.includes(words.english));
});

test("a wrong answer is a refusal, and nothing is begun", async () => {
  const { ending, did } = await run("default", ["no", "poweroff"]);
  assert.not.ok(did.includes("begin"));
  assert.ok(did.includes("verdict refused the answer was not the one that starts it"));
  assert.is(ending, "poweroff");
});

test("what is started from the menu is asked about whatever the command line says, and going back goes back", async () => {
  const { asked, did } = await run("menu", ["default", "no", "repair"], {
    words: "zshield.confirm=no",
  });
  assert.equal(asked, ["menu", "agree", "menu"]);
  assert.equal(
    did.filter((text) => text.startsWith("planned")),
    [...["planned default", "planned repair"]],
  );
  assert.not.ok(did.some((text) => text.includes("refused")));
});

test("the golden system is started from the menu; where it cannot be, the menu comes back with the reason", async () => {
  const { ending, did } = await run("menu", ["golden"]);
  assert.is(ending, "golden");
  assert.is(did.at(-1), "golden made ready");
  const damaged = await run("menu", ["golden", "poweroff"], {
    prepareGolden: () => Promise.reject(new Error("vmlinuz is damaged")),
  });
  assert.is(damaged.ending, "poweroff");
  assert.ok(damaged.did.includes("line the golden system cannot be started: vmlinuz is damaged"));
  const { card: _card, ...cardless } = installedMachine();
  await run("menu", ["golden"], { found: cardless }).then(
    () => assert.unreachable(),
    ({ message }: Error) => assert.match(message, /golden is no choice/),
  );
});

test("a look that fails is told, and the menu stays; the next look may be better", async () => {
  const once = await run("menu", ["look", "look", "golden"], { failingLooks: [2] });
  assert.is(once.ending, "golden");
  assert.equal(once.asked, ["menu", "menu", "menu"]);
  assert.equal(once.did, [
    "machine",
    "line what is in this machine could not be looked at: ENOENT: no such file or directory",
    ...["machine", "golden made ready"],
  ]);
  const never = await run("menu", ["look", "poweroff"], { failingLooks: [1, 2] });
  assert.is(never.ending, "poweroff");
  assert.is(never.did.length, 2);
  await run("menu", ["plan"], { failingLooks: [1] }).then(
    () => assert.unreachable(),
    ({ message }: Error) => assert.match(message, /plan is no choice/),
  );
});

test("plan and log are read, and the list comes back", async () => {
  const { ending, asked, did } = await run("menu", [
    ...["log", "plan", "latest", "plan", "back", "look", "reboot"],
  ]);
  assert.equal(asked, ["menu", "menu", "which-plan", "menu", "which-plan", "menu", "menu"]);
  assert.ok(did.includes("read log true") && did.includes("read plan true"));
  assert.is(ending, "reboot");
});

test("the report is a choice only where there is a way to save it, and knows what was tried", async () => {
  const asked = await run("menu", ["report", "reboot"], { hasReports: true });
  assert.ok(asked.did.includes("report undefined"));
  const failed = await run("default", ["no", "report", "reboot"], { hasReports: true });
  assert.equal(failed.did.slice(-2), ["if there default", "report default"]);
  let error: unknown;
  await run("menu", ["report"]).catch((thrown: unknown) => (error = thrown));
  assert.match(String(error), /report is no choice/);
});

test("a failed step: closed, told, and tried again when the person says so", async () => {
  let tries = 0;
  const { did, asked } = await run("default", ["yes", "again", "yes"], {
    async perform() {
      if (tries++ > 0) return success;
      throw new StepError({ index: 3, total: 9, title: "copy", changed: true }, new Error("no"));
    },
  });
  assert.equal(asked, ["agree", "verdict", "agree"]);
  assert.equal(did.slice(3, 5), ["close", "verdict failed step 4 of 9, copy: no"]);
  assert.is(did.at(-1), "finished reboot true");
});

test("with a password nothing is shown, asked or chosen before it; what asks nobody goes on without", async () => {
  const password = "right";
  const menu = await run("menu", ["wrong", "right", "reboot"], { password });
  assert.equal(menu.asked, ["secret", "secret", "menu"]);
  assert.equal(menu.did, ["machine"]);
  const asks = await run("default", ["right", "yes"], { password });
  assert.equal(asks.asked, ["secret", "agree"]);
  assert.equal(asks.did.slice(0, 2), ["machine", "planned default"]);
  const blank = await run("default", [], { password, found: machine() });
  assert.equal(blank.asked, []);
  const shell = await run("default", ["right"], {
    ...{ password, found: machine(), words: "zshield.then=shell" },
  });
  assert.equal(shell.asked, ["secret"]);
  const two = machine([disk(), disk({ path: "/dev/vdb", serial: "ZS-0002" })]);
  const failed = await run("default", ["right", "poweroff"], { password, found: two });
  assert.equal(failed.asked, ["secret", "verdict"]);
});

test("a command line that is wrong: told, and the machine can be ended", async () => {
  const told: Told = { did: [], asked: [], pauses: 0 };
  const doings = { keepResult: () => undefined, readPeakMemoryBytes: () => 0 };
  const log = { line: () => undefined, text: () => "" };
  const ending = await runRefusal(
    { face: person(["poweroff"], told), doings: { ...doings, log } as unknown as Doings },
    new Refusal("wrong", ""),
  );
  assert.is(ending, "poweroff");
  assert.equal(told.did, ["verdict refused wrong"]);
});

test("a cancelled execution is a refusal before anything was looked at or written", async () => {
  const { planFactory } = await import("../../src/plan/factory.ts");
  const found = machine();
  const plan = planFactory(found, config, parseCmdline("zshield_recovery=default"), ids);
  const events: string[] = [];
  let error: unknown;
  await execute({
    plan,
    disk: plan.disk,
    record: undefined,
    journal: undefined,
    claimAttempts: 1,
    signal: AbortSignal.abort(),
    onEvent: ({ kind }) => events.push(kind),
    log: () => undefined,
    checkDisk: async () => void events.push("check"),
  }).catch((thrown: unknown) => (error = thrown));
  assert.instance(error, Refusal);
  assert.match(String(error), /cancelled at the console/);
  assert.equal(events, []);
});

/** The bytes of a backup's store, in a file; `execute` reads them with the very loop that reads a store. */
async function cancelWhileReading(at: number) {
  const folder = mkdtempSync(join(tmpdir(), "zs-cancel-"));
  const store = join(folder, "store");
  const bytes = 5 * MIB;
  writeFileSync(store, new Uint8Array(bytes));
  const acts: string[] = [];
  const read: number[] = [];
  try {
    const { did, asked, ending } = await run("latest", ["yes", "poweroff"], {
      perform: async (decision, on, told) => {
        const performed = await execute(
          {
            ...decision,
            ...on,
            checkDisk: async () => void acts.push("check the disk"),
          },
          async (action, { progress }) => {
            acts.push(action.do);
            if (action.do !== "check-snapshot") return;
            await readStore(store, bytes, action.name, (done, total) => {
              read.push(done);
              if (done === at) told.cancel?.();
              progress(done, total);
            });
          },
        );
        return successOf(decision.plan, decision.disk, { ...performed, peakMemoryBytes: 0 });
      },
    });
    return { did, asked, ending, acts, read };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("a backup that is being read is let go of at once when it is cancelled, and nothing was written", async () => {
  const { did, asked, ending, acts, read } = await cancelWhileReading(2 * MIB);
  assert.equal(read, [MIB, 2 * MIB]);
  assert.is(acts.at(-1), "check-snapshot");
  assert.not.ok(acts.includes("check the disk"));
  assert.equal(did.slice(-2), ["close", "verdict refused it was cancelled at the console"]);
  assert.equal(asked, ["agree", "verdict"]);
  assert.is(ending, "poweroff");
});

test.run();

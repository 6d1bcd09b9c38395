/*
 * The planner of a backup in the running system: what goes first, what a killed run left, and how large.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Failure, Refusal } from "../../src/errors.ts";
import { quote } from "../../src/host/command.ts";
import { parseBackupTags } from "../../src/model/backup.ts";
import { checkConfig } from "../../src/model/config.ts";
import type { Machine, Volume } from "../../src/model/machine.ts";
import { GIB, KIB, MIB } from "../../src/model/size.ts";
import type { Phase } from "../../src/model/state.ts";
import type { Plan, Step } from "../../src/model/step.ts";
import { actionsFor } from "../../src/plan/actions.ts";
import { outcomeOf, planBackup } from "../../src/plan/backup.ts";
import { backupBytes, coveringBytes } from "../../src/plan/layout.ts";
import { config, installed, machine, record } from "./example.ts";

const ROOT_BYTES = 4 * GIB;
const COVERING = coveringBytes(ROOT_BYTES, 64 * KIB);
const SHARE = Math.floor((0.2 * ROOT_BYTES) / (4 * MIB)) * 4 * MIB;
const wish = { nowSeconds: 1_790_000_000, reason: "nightly", boot: "b00t" };

interface Found {
  readonly free: number;
  /** `snap0` and `snap0-new` where given; undefined: none. */
  readonly old?: Partial<Volume> | undefined;
  readonly fresh?: Partial<Volume>;
  readonly phase?: Phase;
}

function found({ free, old, fresh, phase = "installed" }: Found): Machine {
  const { disk, group } = installed(free);
  const [root, snapshot, ...others] = group.volumes;
  if (!root || !snapshot) throw new Error("the example has no root");
  const volumes = [root, ...others];
  if (old) volumes.push({ ...snapshot, ...old });
  if (fresh) volumes.push({ ...snapshot, name: "snap0-new", ...fresh });
  return machine(
    [{ ...disk, state: record({ phase, operation: "latest" }) }],
    [{ ...group, volumes }],
  );
}

const plan = (of: Found, of2 = config) => planBackup(found(of), of2, wish);
const told = (of: Found) =>
  plan(of).plan.steps.map((step) => {
    switch (step.kind) {
      case "take-backup":
        return `take ${step.name} ${step.sizeBytes}`;
      case "remove-volume":
        return `remove ${step.name}`;
      case "rename-volumes":
        return step.renames.map(({ from, to }) => `${from}→${to}`).join();
      case "check-snapshot":
        return `check ${step.name}`;
      case "grow-volume":
        return `grow ${step.name} ${step.sizeBytes}`;
      default:
        return step.kind;
    }
  });

const NAMED = "snap0-new→snap0";
const CHECK = "check snap0-new";

for (const [title, of, wanted] of [
  [
    "room for two that cover: new before old",
    { free: 5 * GIB, old: {} },
    [`take snap0-new ${COVERING}`, CHECK, "remove snap0", NAMED],
  ],
  ["none yet", { free: 5 * GIB }, [`take snap0 ${COVERING}`]],
  [
    "room for one that covers and a smaller one: still new before old, then grown to cover",
    { free: GIB, old: {} },
    [`take snap0-new ${SHARE}`, CHECK, "remove snap0", NAMED, `grow snap0 ${COVERING}`],
  ],
  [
    "never room for one that covers: it begins with its share, and is watched",
    { free: 2 * GIB, old: { sizeBytes: GIB } },
    [`take snap0-new ${SHARE}`, CHECK, "remove snap0", NAMED, "watch-backup"],
  ],
  [
    "less than the share is free: enough for the moment, then its share",
    { free: 100 * MIB, old: { sizeBytes: GIB } },
    [
      `take snap0-new ${100 * MIB}`,
      CHECK,
      "remove snap0",
      NAMED,
      `grow snap0 ${SHARE}`,
      "watch-backup",
    ],
  ],
  [
    "no room for two: old before new",
    { free: 60 * MIB, old: { sizeBytes: GIB } },
    ["remove snap0", `take snap0 ${SHARE}`, "watch-backup"],
  ],
  [
    "nothing free, and one that covers is there",
    { free: 0, old: { sizeBytes: COVERING } },
    ["remove snap0", `take snap0 ${COVERING}`],
  ],
  ["little free, none there", { free: 40 * MIB }, [`take snap0 ${40 * MIB}`, "watch-backup"]],
  [
    "killed before the old one went: the newer one takes its place first",
    { free: GIB, old: {}, fresh: {} },
    [CHECK, "remove snap0", NAMED, `take snap0-new ${COVERING}`, CHECK, "remove snap0", NAMED],
  ],
  [
    "killed before the new one had its name",
    { free: 5 * GIB, fresh: {} },
    [NAMED, `take snap0-new ${COVERING}`, CHECK, "remove snap0", NAMED],
  ],
  [
    "killed inside lvcreate: a plain volume goes",
    { free: GIB, old: {}, fresh: { origin: "" } },
    ["remove snap0-new", `take snap0-new ${COVERING}`, CHECK, "remove snap0", NAMED],
  ],
  [
    "killed inside lvcreate where there was no room for two",
    { free: GIB, old: { origin: "" } },
    ["remove snap0", `take snap0 ${COVERING}`],
  ],
  [
    "a new one that overflowed goes, the old one stays until there is another",
    { free: 0, old: {}, fresh: { invalid: true } },
    [
      "remove snap0-new",
      `take snap0-new ${SHARE}`,
      CHECK,
      "remove snap0",
      NAMED,
      `grow snap0 ${COVERING}`,
    ],
  ],
  [
    "an old one that overflowed is worth nothing and goes first",
    { free: 0, old: { invalid: true } },
    ["remove snap0", `take snap0 ${SHARE}`, "watch-backup"],
  ],
] as [string, Found, string[]][]) {
  test(title, () => assert.equal(told(of), wanted));
}

test("what has no room for two says so beforehand, and only that", () => {
  const none = plan({ free: 0, old: { sizeBytes: COVERING } });
  assert.equal(none.remarks, ["there is no room for two backups: for a moment there will be none"]);
  assert.equal(plan({ free: 5 * GIB, old: {} }).remarks, []);
});

test("a step that leaves no backup for a moment says what it destroys", () => {
  const [first] = plan({ free: 0, old: { sizeBytes: COVERING } }).plan.steps;
  assert.match(first?.destroys ?? "", /before the new one is taken/);
});

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  throw new Error("it was not refused");
}

for (const [title, of, words] of [
  ["no room at all", { free: 8 * MIB }, /no room for a backup: 8 MiB are free/],
  ["a restore is asked for", { free: 5 * GIB, phase: "requested" }, /put back at the next start/],
  ["a recovery was interrupted", { free: 5 * GIB, phase: "recovering" }, /no installation/],
  [
    "somebody else's snap0",
    { free: 5 * GIB, old: { origin: "", tags: [] } },
    /neither a snapshot of lv-root nor made by zshield/,
  ],
] as [string, Found, RegExp][]) {
  test(`refused: ${title}`, () =>
    assert.match(
      refusalOf(() => plan(of)),
      words,
    ));
}

test("refused: a merge is going on", () => {
  const at = found({ free: 5 * GIB, old: {} });
  const groups = at.groups.map((group) => ({
    ...group,
    volumes: group.volumes.map((v) => ({ ...v, merging: v.name === "lv-root" })),
  }));
  assert.match(
    refusalOf(() => planBackup({ ...at, groups }, config, wish)),
    /being put back/,
  );
});

test("a run that was killed while it changed volumes is taken over", () => {
  assert.equal(told({ free: 5 * GIB, phase: "changing" }), [`take snap0 ${COVERING}`]);
});

test("tags tell when, why, which version and which boot", () => {
  const [step] = plan({ free: 5 * GIB }).plan.steps;
  if (step?.kind !== "take-backup") throw new Error("nothing is taken");
  assert.equal(parseBackupTags(step.tags), {
    timeSeconds: 1_790_000_000,
    reason: "nightly",
    version: "0.0.9",
    boot: "b00t",
  });
});

test("a hold is the last step, on the name that the backup has then", () => {
  for (const of of [
    { free: 5 * GIB },
    { free: GIB, old: {} },
    { free: 2 * GIB, old: { sizeBytes: GIB } },
    { free: 0, old: { sizeBytes: COVERING } },
  ] satisfies Found[]) {
    const { steps } = planBackup(found(of), config, { ...wish, hold: "upgrade:apt" }).plan;
    const holds = steps.filter((step) => JSON.stringify(step).includes("zshield.hold"));
    assert.is(holds.length, 1);
    const last = steps.at(-1);
    if (last?.kind !== "tag-volume") throw new Error("the last step is no tag");
    assert.equal([last.name, last.add], ["snap0", ["zshield.hold=upgrade:apt"]]);
  }
});

test("what is said of a run that failed: which backup is there now", () => {
  const groupOf = (of: Found) => found(of).groups[0] ?? { ...installed(0).group };
  const failed = new Failure("make it larger: that failed", "", "the cause");
  const old = groupOf({ free: 0, old: { uuid: "old" } });
  const taken = groupOf({ free: 0, old: { uuid: "new" } });
  const said = (now: typeof old, with_?: Failure) => outcomeOf(old, now, with_)?.message;
  assert.is(said(taken), undefined);
  assert.match(said(taken, failed) ?? "", /was taken and is valid, but .*make it larger/);
  assert.match(said(old, failed) ?? "", /could not be taken: make it larger.*is there and valid/);
  assert.match(said(groupOf({ free: 0 }), failed) ?? "", /^THERE IS NO VALID BACKUP: make/);
  const unnamed = groupOf({ free: 0, old: { invalid: true }, fresh: { uuid: "new" } });
  assert.match(said(unnamed, failed) ?? "", /was taken and is valid/);
  assert.is(outcomeOf(old, old, failed)?.cause, "the cause");
});

test("the chunk size of zshield.toml is what lvcreate gets", () => {
  const large = checkConfig({ backup: { chunk: "512 KiB" } });
  const { plan: made } = plan({ free: 5 * GIB }, large);
  const [step] = made.steps;
  if (!step) throw new Error("no step");
  const lines = linesOf(step, made).filter((line) => line.includes("lvcreate"));
  assert.is(lines.length, 1);
  assert.match(
    lines.join(),
    /--snapshot --name snap0 --size \d+b --chunksize 524288b vgroup\/lv-root$/,
  );
});

test("what makes it a backup is written when its store has been flushed", () => {
  const { plan: made } = plan({ free: 5 * GIB });
  const [step] = made.steps;
  if (!step) throw new Error("no step");
  const [, create = "", save, tag = "", saveAgain] = linesOf(step, made);
  assert.match(create, /lvcreate/);
  assert.not.match(create, /addtag/);
  assert.is(save, "save-group");
  assert.match(tag, /lvchange .* --addtag zshield --addtag zshield\.time=/);
  assert.is(saveAgain, "save-group");
});

/** Commands as they are run; of what is no command, its kind. */
function linesOf(step: Step, made: Plan): string[] {
  return actionsFor(step, made, { disk: "/dev/vda", again: false, behind: false }).map((action) =>
    action.do === "run" ? quote(action.argv) : action.do,
  );
}

test("every LVM command sees our partition only, and the group is saved after each change", () => {
  const { plan: made } = plan({ free: GIB, old: {}, fresh: {} });
  for (const step of made.steps) {
    const actions = actionsFor(step, made, { disk: "/dev/vda", again: false, behind: false });
    for (const action of actions) {
      if (action.do !== "run") continue;
      assert.is(action.argv[3], "/dev/disk/by-partuuid/f3000000-0000-4000-8000-000000000000");
    }
    if (!["watch-backup", "check-snapshot"].includes(step.kind))
      assert.is(actions.at(-1)?.do, "save-group", step.kind);
  }
});

test("covering is what LVM counts: header, chunks, metadata with its terminator", () => {
  for (const [root, chunk] of [
    [4 * GIB, 4 * KIB],
    [4 * GIB, 64 * KIB],
    [100 * GIB, 512 * KIB],
    [100 * GIB, 16 * KIB],
  ] as const) {
    const chunks = root / chunk;
    const areas = Math.floor(chunks / (chunk / 16)) + 1;
    const least = (1 + chunks + areas) * chunk;
    const bytes = coveringBytes(root, chunk);
    assert.ok(bytes >= least && bytes - least < 4 * MIB);
    assert.is(bytes % (4 * MIB), 0);
  }
  assert.is(backupBytes(4 * GIB, 100 * MIB + 5, 64 * KIB), 100 * MIB);
});

test.run();

/*
 * The plan for the factory tests: what it opens, what each test expects, when it follows an installation, and how it
 * goes on after a power cut.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import * as v from "valibot";
import { Refusal } from "../../src/errors.ts";
import { closedRecord } from "../../src/execute.ts";
import { checkConfig } from "../../src/model/config.ts";
import { UNTESTED } from "../../src/model/factory-state.ts";
import { freshJournal, type Journal } from "../../src/model/journal.ts";
import type { Machine } from "../../src/model/machine.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { successOf } from "../../src/model/result.ts";
import type { StateRecord } from "../../src/model/state.ts";
import { Plan } from "../../src/model/step.ts";
import { actionsFor } from "../../src/plan/actions.ts";
import { decide } from "../../src/plan/decide.ts";
import { builtInTests } from "../../src/plan/test.ts";
import {
  config,
  description,
  ids,
  installed,
  machine,
  record,
  testConfig,
  wish,
} from "./example.ts";
import { textsOf } from "../../src/ui/texts.ts";
import type { Words } from "../../src/words.ts";
import { commandLines } from "../../src/commands/plan-lines.ts";

const found = installed(0);
const INSTALLED = { ...record().document, version: description.version, rootMounts: 4 };

function box(state: Partial<StateRecord> = {}, hasCard = true): Machine {
  const disk = { ...found.disk, state: record({ document: INSTALLED, ...state }) };
  const { card, ...rest } = machine([disk], [found.group]);
  return hasCard && card ? { ...rest, card } : rest;
}

const tested = (on = box(), more = { anew: false }) =>
  decide(on, testConfig, wish, ids, { operation: "test", ...more });

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.instance(error, Refusal);
    const { message, hint } = error as Refusal;
    return `${message}\n${hint}`;
  }
  return assert.unreachable() as never;
}

function hintOf(act: () => unknown): Words {
  try {
    act();
  } catch (error) {
    assert.instance(error, Refusal);
    return (error as Refusal).hintWords;
  }
  return assert.unreachable() as never;
}

test("it opens what is installed, tests, and asks nobody", () => {
  const { plan, record: before } = tested();
  assert.equal(
    plan.steps.map((step) => (step.kind === "factory-test" ? step.test.name : step.kind)),
    [
      ...["protect-disks", "open-boot-files", "open-esp", "open-volumes"],
      ...["memory", "processors", "network", "disk", "smart", "clock", "watchdog", "sensors"],
      ...["read-rate", "write-rate", "root", "boot-loader", "vendor-tests"],
    ],
  );
  assert.is(plan.asks, false);
  assert.not.ok(plan.steps.some(({ destroys }) => destroys !== undefined));
  assert.equal(before?.document.factory, UNTESTED);
  assert.equal(v.parse(Plan, JSON.parse(JSON.stringify(plan))), plan);
});

test("LVM's metadata is not copied to the ESP: the copy would stay, and be old one day", () => {
  const { plan } = tested();
  const actions = plan.steps.flatMap((step) =>
    actionsFor(step, plan, { disk: "/dev/vda", again: false, behind: false }),
  );
  assert.not.ok(actions.some((action) => action.do === "save-group"));
  assert.ok(actions.some((action) => action.do === "run" && action.argv.includes("vgchange")));
});

test("each test carries what zshield.toml expects, and nothing else", () => {
  const { factory } = checkConfig({
    factory: {
      ...{ memory: "2 GiB", processors: 4, "processor-flags": ["aes"], "network-ports": 2 },
      ...{ "network-links": 1, "disk-model": "ST1", "disk-size": "100 GiB", smart: true },
      ...{ "read-rate": "50 MiB", "write-rate": "40 MiB", "clock-after": "2026-01-01" },
      ...{ watchdog: true, sensors: [{ name: "CPU", least: 5, most: 80 }] },
    },
  });
  assert.equal(factory && builtInTests(factory), [
    { name: "memory", leastBytes: 2 * GIB },
    { name: "processors", count: 4, flags: ["aes"] },
    { name: "network", ports: 2, links: 1 },
    { name: "disk", model: "ST1", leastBytes: 100 * GIB },
    { name: "smart", required: true },
    { name: "clock", after: 1_767_225_600 },
    { name: "watchdog", required: true },
    { name: "sensors", ranges: [{ name: "CPU", least: 5, most: 80 }] },
    { name: "read-rate", leastRate: 50 * MIB },
    { name: "write-rate", leastRate: 40 * MIB },
    { name: "root" },
    { name: "boot-loader" },
  ]);
  const { factory: nothing } = checkConfig({ factory: {} });
  const keys = nothing && builtInTests(nothing).map((expected) => Object.keys(expected).length);
  assert.equal(keys, [1, 2, 1, 1, 2, 1, 2, 2, 1, 1, 1, 1]);
});

const stepOf = (plan: Plan, name: string) => {
  const step = plan.steps.find((one) => one.kind === "factory-test" && one.test.name === name);
  return step?.kind === "factory-test" ? step : undefined;
};

test("the root is compared with the manifest of the golden that it came from, but for its own identity", () => {
  const { proof } = stepOf(tested().plan, "root") ?? {};
  assert.equal(proof?.manifest, description.golden.manifest);
  assert.equal(
    proof?.files.map(({ path }) => path),
    ["/etc/fstab", "/etc/grub.d/01_zshield"],
  );
  assert.ok(proof?.mayDiffer.includes("/etc/machine-id"));
  assert.ok(proof?.mayDiffer.includes("/user"));
  assert.is(proof?.device, "/dev/vgroup/lv-root");
  assert.is(proof?.mounts, 4);
});

test("with another card, or with none, there is no manifest to compare with", () => {
  const other = box({ document: { ...INSTALLED, version: "0.0.1+old" } });
  assert.is(stepOf(tested(other).plan, "root")?.proof, undefined);
  assert.is(stepOf(tested(box({}, false)).plan, "root")?.proof, undefined);
  const { rootMounts: _mounts, ...old } = INSTALLED;
  const unknown = tested(box({ document: old })).plan;
  assert.is(stepOf(unknown, "root")?.proof, undefined, "nobody has counted its mounts");
});

test("the boot loader is compared with the description on the disk itself, else with the card's", () => {
  assert.is(stepOf(tested().plan, "boot-loader")?.boot?.grub, description.grub.directory);
  const on = box();
  const bootFiles = { card: "d", version: "1", boot: "boot-1", grub: "grub-1", rescue: "rescue-1" };
  const disks = on.disks.map((disk) => (disk.state ? { ...disk, bootFiles } : disk));
  const { boot } = stepOf(tested({ ...on, disks }).plan, "boot-loader") ?? {};
  const { version: _version, ...wanted } = bootFiles;
  assert.equal(boot, { ...wanted, sectorBytes: 512 });
});

test("no table, no tests; no installation, no tests", () => {
  const none = refusal(() => decide(box(), config, wish, ids, { operation: "test", anew: false }));
  assert.match(none, /no table \[factory\]/);
  assert.match(
    refusal(() => tested(machine())),
    /no disk with an installation/,
  );
});

test("asked for, and a card without them: the refusal names the ways out, and they are ways out", () => {
  const document = { ...INSTALLED, factory: UNTESTED };
  const on = box({ phase: "requested", operation: "test", document });
  const act = () => decide(on, config, wish, ids, { operation: "test", anew: false });
  const told = refusal(act);
  assert.match(told, /a card that has one; "Boot the installed system" in GRUB/);
  assert.match(told, /"Recover to factory default" with this card/);
  assert.match(
    textsOf("zh").say(hintOf(act)),
    /恢复卡启动.*`Boot the installed system`.*“恢复出厂设置”/,
  );
  assert.ok(decide(on, testConfig, wish, ids, { operation: "test", anew: false }).plan);
  const { plan } = decide(on, config, wish, ids, { operation: "default", anew: false });
  assert.is(plan.tests, undefined);
  const result = successOf(plan, found.disk, { steps: [], peakMemoryBytes: 0 });
  const closed = closedRecord(record({ document }), plan, result, { nowSeconds: 9 });
  assert.is(closed.phase, "installed");
});

test("they follow an installation that asked nobody, unless the command line says no", () => {
  const installation = (on: Machine, of = testConfig, wished = wish) =>
    decide(on, of, wished, ids, { operation: "default", anew: false }).plan;
  assert.is(installation(machine()).tests, true);
  assert.is(installation(machine(), testConfig, { ...wish, test: "no" }).tests, undefined);
  assert.is(installation(machine(), config).tests, undefined);
  assert.is(installation(box()).asks, true);
  assert.is(installation(box()).tests, undefined, "a person is there");
  assert.is(installation(box(), testConfig, { ...wish, confirm: "no" }).tests, true);
});

function cutIn(name: string, more: Partial<Journal> = {}): Machine {
  const { plan } = tested();
  const next = plan.steps.findIndex(
    (step) => step.kind === "factory-test" && step.test.name === name,
  );
  const journal = { ...freshJournal(plan), next, begun: 1, ...more };
  const factory = { tests: [], begun: { name, origin: "built-in", times: 1 } } as const;
  const document = { ...INSTALLED, journal, factory: { ...factory, tests: [] } };
  return box({ phase: "recovering", operation: "test", document });
}

test("a power cut in the tests goes on with the test that it cut, and keeps what is known", () => {
  const { journal, record: kept, plan } = tested(cutIn("disk"));
  const step = plan.steps[journal?.next ?? 0];
  assert.is(step?.kind === "factory-test" && step.test.name, "disk");
  assert.is(kept?.document.factory?.begun?.times, 1);
});

test("gone on with another version's card, or with none, there is no manifest to compare with any more", () => {
  const on = cutIn("disk");
  const proof = (card: Machine["card"]) => {
    const { card: _card, ...rest } = on;
    return stepOf(tested(card ? { ...rest, card } : rest).plan, "root")?.proof;
  };
  const withManifest = (manifest: typeof description.golden.manifest) =>
    on.card && {
      ...on.card,
      description: { ...description, golden: { ...description.golden, manifest } },
    };
  const { manifest } = description.golden;
  assert.equal(proof(on.card)?.manifest, manifest);
  assert.is(proof(withManifest({ ...manifest, sha256: "0".repeat(64) })), undefined);
  assert.is(proof(undefined), undefined);
  const moved = { ...manifest, path: "/zshield/elsewhere.zst" };
  assert.equal(proof(withManifest(moved))?.manifest, moved, "the same one, where this card has it");
});

test("anew forgets both", () => {
  const { journal, record: kept } = tested(cutIn("disk"), { anew: true });
  assert.is(journal, undefined);
  assert.equal(kept?.document.factory, UNTESTED);
});

test("tests that were interrupted keep nobody from the backup or a repair: the root is whole", () => {
  const on = cutIn("disk");
  for (const operation of ["repair", "latest"] as const) {
    const { plan, journal } = decide(on, testConfig, wish, ids, { operation, anew: false });
    assert.is(plan.operation, operation);
    assert.is(journal, undefined);
  }
  const other = refusal(() => {
    const { plan } = decide(box(), config, wish, ids, { operation: "default", anew: false });
    const document = { ...INSTALLED, journal: { ...freshJournal(plan), next: 6 } };
    tested(box({ phase: "recovering", document }));
  });
  assert.match(other, /another recovery was interrupted/);
});

test("a request for the tests is not one for the backup: putting it back asks", () => {
  const asks = (operation: "test" | "latest") =>
    decide(box({ phase: "requested", operation }), config, wish, ids, {
      ...{ operation: "latest", anew: false },
    }).plan.asks;
  assert.is(asks("test"), true);
  assert.is(asks("latest"), false);
});

test("`zshield plan test` prints each test with what is expected", () => {
  const lines = commandLines(tested(), textsOf("en")).join("\n");
  assert.match(lines, /factory-test: factory test: memory\n +test memory: leastBytes 1073741824/);
  assert.match(lines, /mount -t ext4 -o ro \/dev\/vgroup\/lv-root \/run\/zshield\/root/);
  assert.match(
    lines,
    /factory-tests\.d of the installed root in a chroot of it, for at most 300 s/,
  );
  assert.match(lines, /nobody is asked/);
  const before = decide(machine(), testConfig, wish, ids, { operation: "default", anew: false });
  assert.match(commandLines(before, textsOf("en")).join("\n"), /the factory tests follow/);
});

test.run();

/*
 * Every message in both languages: none is missing, none has English left in its Chinese, and none loses what
 * it is about. What a recovery refuses or fails with is made of messages.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CommandError, Fault, Refusal, StepError } from "../../src/errors.ts";
import { findGolden } from "../../src/host/card-files.ts";
import { quote } from "../../src/host/command.ts";
import { describeUse } from "../../src/host/usage.ts";
import type { Found } from "../../src/model/loss.ts";
import { MESSAGES, say, type MessageKey, type Messages } from "../../src/model/messages.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { OPERATIONS } from "../../src/model/operation.ts";
import { decide } from "../../src/plan/decide.ts";
import { explain } from "../../src/ui/explain.ts";
import { chinese, MESSAGES_ZH } from "../../src/ui/messages-zh.ts";
import { nameRecorded } from "../../src/ui/names-zh.ts";
import { textsOf } from "../../src/ui/texts.ts";
import type { Words } from "../../src/words.ts";
import { config, disk, ids, wish } from "./example.ts";
import { plan } from "./screen-example.ts";

const here = disk();
const [step] = plan.steps;
if (!step) throw new Error("the plan is empty");
const found: readonly Found[] = [
  { kind: "table", type: "gpt" },
  { kind: "signature", type: "crypto_LUKS", label: "" },
  {
    kind: "partition",
    path: "/dev/vda1",
    sizeBytes: 7 * GIB,
    signatures: [{ type: "ext4", label: "data" }],
  },
  { kind: "group", name: "vgroup", volumes: ["lv-root"] },
  { kind: "state", trouble: "xyzzy" },
];
const rows = [{ disk: here, words: say("could-be-used") }];
const differs = { of: "serial", found: "S-1", wanted: "S-2" } as const;
const stick = [{ disk: here, device: "/dev/sdc1", words: say("on-card") }];

/** At least one of each message; a new one that is not here is a compile error. */
const SAMPLES: { readonly [K in MessageKey]: readonly Parameters<Messages[K]>[] } = {
  "no-card": [["xyzzy"], [undefined]],
  "put-card-in": [[]],
  "missing-tools": [[["lvm", "sfdisk"]]],
  "make-card-anew": [[]],
  "groups-untold": [["xyzzy"]],
  "take-out-silent-disk": [[]],
  "no-room-for-golden": [[7 * GIB, 6 * GIB]],
  "larger-disk": [[]],
  "larger-disk-or-card": [[]],
  "same-name": [
    ["vgroup", [{ uuid: "U-1", where: "/dev/vdb3", sizeBytes: 7 * GIB, isHere: true }]],
  ],
  "take-out-or-rename": [[]],
  "no-disk": [
    [undefined, []],
    [{ by: "serial", text: "S-1" }, rows],
  ],
  "several-disks": [[2, undefined, rows]],
  "no-installed-disk": [
    [undefined, []],
    [{ by: "serial", text: "S-1" }, rows],
  ],
  "several-installed": [[2, { by: "serial", text: "S-1" }, rows]],
  "name-disk": [[]],
  "attach-or-default": [[]],
  "could-be-used": [[]],
  "holds-installation": [[]],
  "why-not": [
    [{ kind: "card" }],
    [{ kind: "read-only" }],
    [{ kind: "in-use", by: ["/dev/vda1 is mounted at /mnt"] }],
    [{ kind: "removable" }],
    [{ kind: "small", neededBytes: 7 * GIB }],
    [{ kind: "not-named" }],
    [{ kind: "several" }],
  ],
  "is-blank": [[]],
  "begun-here": [[]],
  holds: [[found], [[{ kind: "unknown", text: "" }]], [[{ kind: "unknown", text: "xyzzy" }]]],
  "state-trouble": [["xyzzy"]],
  "no-state": [[]],
  "state-of-other-disk": [
    [differs],
    [{ ...differs, of: "wwn" }],
    [{ ...differs, of: "size" }],
    [{ ...differs, of: "model" }],
  ],
  "group-not-found": [[]],
  "group-not-whole": [[undefined], ["xyzzy"]],
  "no-journal": [[here, 3]],
  stuck: [
    [3, say("step", step), "xyzzy"],
    [3, say("its-end"), say("power-failed")],
  ],
  "power-failed": [[]],
  "no-factory-tests": [[]],
  "without-tests": [[]],
  "anew-or-broken": [[]],
  torn: [[here]],
  "repair-first": [[]],
  "other-interrupted": [[here, say("step", step)]],
  "goes-on-by-itself": OPERATIONS.map((operation) => [operation]),
  step: plan.steps.map((each) => [each]),
  "its-end": [[]],
  "way-there": [[]],
  closing: [[]],
  "erase-other-disk": [[here, "S-1", found]],
  "correct-erase": [[]],
  "not-blank": [[here, found]],
  "use-erase": [[]],
  "other-table": [[here]],
  "cannot-keep": [[here, ["lv-user", "lv-audit"]]],
  "keep-nothing": [[]],
  "no-room-for-root": [[7 * GIB]],
  "no-room-for-backup": [[0, 16 * MIB]],
  "make-room": [["vgroup"]],
  "no-root": [["vgroup", "U-1", "lv-root"]],
  "choose-default": [[]],
  "no-backup": [
    [here, true],
    [here, false],
  ],
  "invalid-backup": [[here]],
  "other-snapshots": [[here, ["before-migration"]]],
  "remove-snapshots": [["vgroup"]],
  "no-boot-files": [
    [here, undefined],
    [here, "xyzzy"],
  ],
  cancelled: [[]],
  "not-agreed": [[]],
  "choose-again": [[]],
  "disk-gone": [[here]],
  "other-disk": [[here, differs]],
  "disk-read-only": [[here]],
  "disk-in-use": [[here, ["/dev/vda1 is used as swap", "xyzzy"]]],
  "look-at-cables": [[]],
  "other-card": [[]],
  "put-that-card-in": [[]],
  "bad-backup": [["snap0", "Overflow"]],
  "no-snapshot": [["vgroup/snap0"]],
  "unreadable-backup": [["snap0", "xyzzy"]],
  "at-step": [
    [3, 11, say("step", step), "xyzzy"],
    [3, 11, say("closing"), say("bad-manifest")],
  ],
  command: [
    ["lvm", { kind: "exit", code: 5 }],
    ["lvm", { kind: "signal", signal: "SIGKILL" }],
    ["lvm", { kind: "not-found" }],
    ["lvm", { kind: "timed-out", timeoutMs: 60_000 }],
  ],
  "root-differs": [[["xyzzy"]]],
  "bad-manifest": [[]],
  "bad-file": [["/boot/vmlinuz", "xyzzy"]],
  "unreadable-at": [["/dev/sda3", 7 * MIB, "xyzzy"]],
  "ends-early": [["/dev/sda3", 7 * MIB, 9 * MIB]],
  "not-appeared": [["/dev/sda3", 60]],
  "half-merged": [["snap0", "Overflow"]],
  "merge-open": [["lv-root"]],
  "choose-latest": [[]],
  "other-root": [["lv-root"]],
  "merge-stands-still": [["snap0", 10]],
  "goes-on": [[]],
  "correct-cause": [[]],
  bug: [["xyzzy"]],
  "report-bug": [[]],
  refused: [[]],
  begins: [["0.1.0"]],
  "waiting-for-disks": [[]],
  "lost-snapshots": [[["before-migration"]]],
  "no-audit-report": [["xyzzy"], [say("command", "e2fsck", { kind: "exit", code: 8 })]],
  "volume-full": [[]],
  "no-look": [["xyzzy"]],
  "no-golden": [["xyzzy"], [say("there-is-no-card")]],
  "there-is-no-card": [[]],
  password: [[]],
  "wrong-password": [[]],
  "unchecked-password": [["xyzzy"]],
  "next-try": [[say("wrong-password"), 8]],
  rebooting: [[]],
  "switching-off": [[]],
  halted: [[]],
  "starting-golden": [[]],
  "starting-shell": [[]],
  "looking-for-stick": [["ZS-REPORTS"]],
  "silent-stick": [[]],
  "several-sticks": [[2, "ZS-REPORTS", stick]],
  "pull-others-out": [[]],
  "no-stick": [
    ["ZS-REPORTS", []],
    ["ZS-REPORTS", stick],
  ],
  "put-stick-in": [["ZS-REPORTS"]],
  "on-card": [[]],
  "on-planned-disk": [[]],
  "on-installed-disk": [[]],
  "on-used-disk": [[["xyzzy"]]],
  "other-file-system": [["ntfs"]],
  "report-saved": [["zshield-report-BOX-1", 6, 7 * MIB]],
  "report-not-saved": [
    ["/dev/sdc1", say("stick-full")],
    ["/dev/sdc1", "xyzzy"],
  ],
  "stick-full": [[]],
  "stick-protected": [[]],
  "stick-not-whole": [[]],
};

const HAN = /\p{Script=Han}/u;
/** What no Chinese sentence of ours has; quotations are another's words, and parameters stay as they are. */
const ENGLISH =
  /\b(a|an|the|is|it|its|not|of|and|or|to|on|in|was|be|card|disk|step|backup|volume)\b/;
const withoutNames = (text: string) =>
  text.replace(/系统报告“[^”]*”|`[^`]*`|zshield\.\w+=\S*/g, "");

/** What a message is about and must not lose in another language. */
const FACTS =
  /ZS-0001|S-[12]|U-1|xyzzy|vgroup|lv-root|snap0|zshield\.\w+=\S*[a-z0-9]|\/dev\/\w+|\/boot\/\w+|\/mnt|\d+ [GM]iB|ZS-REPORTS|zshield-report-BOX-1|crypto_LUKS|ntfs|Overflow|SIGKILL|lvm|sfdisk|ext4/g;

for (const key of Object.keys(SAMPLES) as MessageKey[]) {
  test(`${key}: in English and in Chinese`, () => {
    for (const params of SAMPLES[key]) {
      const message = say(key, ...(params as Parameters<Messages[typeof key]>));
      const [first, second] = [message.english, chinese(message)];
      assert.not.match(first, HAN);
      assert.match(second, HAN);
      assert.not.match(withoutNames(second), ENGLISH, second);
      assert.not.match(second, /undefined|\[object/);
      for (const [fact] of first.matchAll(FACTS)) {
        // Titles of steps name volumes and sizes where the Chinese names the kind of step.
        if (key !== "step") assert.ok(second.includes(fact), `${fact} is lost: ${second}`);
      }
    }
  });
}

test("both languages have every text", () => {
  const paths = (value: unknown, at = ""): string[] =>
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([name, inner]) => paths(inner, `${at}.${name}`))
      : [at];
  assert.equal(paths(textsOf("zh")).toSorted(), paths(textsOf("en")).toSorted());
  assert.equal(Object.keys(MESSAGES_ZH).toSorted(), Object.keys(MESSAGES).toSorted());
});

const SOURCE = new URL("../../src", import.meta.url).pathname;
/**
 * What they refuse is wrong before it is known which language is wanted (the command line, zshield.toml), or is
 * found by an administrator at a shell, or by the maker of the appliance.
 */
const ENGLISH_ONLY = new Set([
  ...["model/card.ts", "model/cmdline.ts", "model/config.ts", "model/document.ts"],
  ...["model/machine-schema.ts", "model/factory-file.ts", "host/factory/vendor.ts"],
  ...["host/config-file.ts", "host/probe.ts", "host/tree.ts", "plan/installation.ts"],
  "plan/keep.ts",
]);

/** Every file that a recovery is made of: what `zshield recover` imports. */
function filesOf(first: string): Set<string> {
  const files = new Set<string>();
  const waiting = [first];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(join(SOURCE, file), "utf8");
    for (const [, target = ""] of text.matchAll(/from "(\.[^"]+\.ts)"/g)) {
      waiting.push(join(dirname(file), target));
    }
  }
  return files;
}

test("what a recovery refuses or fails with is a message, not a sentence in English", () => {
  const bare: string[] = [];
  const files = filesOf("commands/recover.ts");
  assert.ok(files.has("host/snapshot.ts") && files.has("plan/latest.ts"));
  for (const file of files) {
    if (ENGLISH_ONLY.has(file)) continue;
    const text = readFileSync(join(SOURCE, file), "utf8");
    for (const [said] of [
      ...text.matchAll(/new (Refusal|Failure|Fault)\(\s*["'`]/g),
      ...text.matchAll(/\b(face\.line|tell|show|doorway\.say)\(\s*["'`][^"'`\s]* /g),
    ]) {
      bare.push(`${file}: ${said}`);
    }
  }
  assert.equal(bare, []);
});

test("what the picture of a machine holds in English every day has a Chinese", () => {
  const kernel = {
    device: "8:0",
    holders: ["md127"],
    partitions: [
      {
        ...{ path: "/dev/sda1", number: 1, startBytes: 0, sizeBytes: 1, device: "8:1" },
        holders: [],
      },
    ],
  };
  const mount = { device: "8:1", source: "/dev/sda1", target: "/mnt", root: "/", type: "ext4" };
  const uses = describeUse("/dev/sda", kernel, {
    mounts: [{ ...mount, readOnly: false, options: "" }],
    swaps: ["/dev/sda1"],
  } as never);
  assert.is(uses.length, 3);
  const golden = findGolden([], "u-u-i-d");
  const card = readFileSync(join(SOURCE, "host/card-files.ts"), "utf8");
  const probe = readFileSync(join(SOURCE, "host/probe.ts"), "utf8");
  const written = [
    /`(this is not the rescue system [^`]*)`/.exec(card)?.[1],
    /`(LVM could not be asked[^`]*)`/.exec(probe)?.[1],
  ];
  for (const text of [...uses, golden, ...written]) {
    if (typeof text !== "string") throw new Error("a text has gone from the source");
    assert.match(nameRecorded(text), HAN);
    assert.not.match(nameRecorded(text), /^系统报告/, text);
  }
});

/** As the screen says it. */
function chineseOf(error: unknown): string {
  const { message, hint } = explain(error, quote).said;
  return [message, hint].map((words: Words) => chinese(words)).join("\n");
}

test("a failed step: which, why, what to do; a tool's own words are a quotation", () => {
  const at = { index: 8, total: 20, title: say("step", step), changed: true };
  assert.is(
    chineseOf(new StepError(at, new Error("no space left"))),
    "第 9 步（共 20 步）“把其他磁盘设为只读”失败：系统报告“no space left”\n" +
      "请再次开始同一恢复，它会从中断处继续",
  );
  const command = new CommandError(["lvm"], { kind: "exit", code: 5 }, "");
  assert.match(chineseOf(new StepError(at, command)), /失败：命令 lvm 以退出码 5 结束/);
  const fault = new Fault(say("bad-manifest"));
  const before = chineseOf(new StepError({ ...at, changed: false }, fault));
  assert.match(before, /文件清单与其校验值不符\n请排除原因，然后重新开始$/);
  const stuck = new Refusal(say("stuck", 3, say("its-end"), "x"), say("anew-or-broken"));
  assert.match(chineseOf(new StepError(at, stuck)), /\n请在控制台选择从头重新开始/);
  assert.match(chineseOf(new TypeError("x")), /^zshield 程序出错/);
});

const MACHINES = new URL("../machines/", import.meta.url).pathname;
for (const file of readdirSync(MACHINES).filter((name) => name.endsWith(".json"))) {
  test(`refusals on ${file} have no English but names and quotations`, () => {
    const machine = parseMachine(readFileSync(MACHINES + file, "utf8"), file);
    for (const operation of OPERATIONS) {
      for (const confirm of ["yes", "no"] as const) {
        try {
          decide(machine, config, { ...wish, confirm }, ids, { operation, anew: false });
        } catch (error) {
          if (!(error instanceof Refusal)) throw error;
          assert.not.match(withoutNames(chineseOf(error)), ENGLISH, chineseOf(error));
        }
      }
    }
  });
}

test.run();

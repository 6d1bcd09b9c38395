/*
 * The screens: every scene in every size, language and character set fits its terminal; and says what it must.
 */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal, StepError } from "../../src/errors.ts";
import { quote } from "../../src/host/command.ts";
import { say } from "../../src/model/messages.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import { overviewOf } from "../../src/plan/overview.ts";
import { explain } from "../../src/ui/explain.ts";
import { draw, type Charset, type Size } from "../../src/ui/screen/draw.ts";
import type { Known, Scene } from "../../src/ui/screen/known.ts";
import { view } from "../../src/ui/screen/view.ts";
import { pad, widthOf, wrap } from "../../src/ui/screen/width.ts";
import { textsOf, type Language } from "../../src/ui/texts.ts";
import { config, wish } from "./example.ts";
import { reportText, verdictLines } from "../../src/ui/factory-lines.ts";
import { eventAt, known, SCENES, success, testVerdict } from "./screen-example.ts";

const SIZES: readonly Size[] = [
  { columns: 80, rows: 24 },
  { columns: 80, rows: 25 },
  { columns: 160, rows: 50 },
  { columns: 40, rows: 12 },
  { columns: 20, rows: 8 },
];
const USUAL: Size = { columns: 80, rows: 24 };

function lines(from: Known, size = USUAL, language: Language = "en", charset: Charset = "blocks") {
  return draw(view(from, textsOf(language)), size, charset).map((row) =>
    row.map(({ text }) => text).join(""),
  );
}
const text = (from: Known, ...rest: [Size?, Language?, Charset?]) =>
  lines(from, ...rest).join("\n");

for (const scene of Object.values(SCENES)) {
  test(`${scene.kind}: fits every terminal, in both languages`, () => {
    for (const size of SIZES) {
      for (const [language, charset] of [
        ["en", "blocks"],
        ["en", "ascii"],
        ["zh", "blocks"],
      ] as const) {
        const rows = lines(known(scene), size, language, charset);
        assert.is(rows.length, size.rows);
        for (const row of rows) {
          assert.ok(widthOf(row) <= size.columns, `${size.columns}: ${row}`);
          assert.not.match(row, /[\x00-\x1f\x7f-\x9f]/);
          if (charset === "ascii") assert.match(row, /^[\x20-\x7e]*$/);
        }
      }
    }
  });
}

for (const [title, failing] of [
  ["PASS", []],
  ["FAIL", ["memory", "disk", "smart", "clock", "root", "boot-loader"]],
] as const) {
  test(`${title}: the whole screen, on every terminal, in both languages`, () => {
    const verdict = testVerdict(...failing);
    const choices = ["test-again", "menu", "log", "report", "reboot", "poweroff"] as const;
    const scene: Scene =
      title === "PASS" ? SCENES.finished : { kind: "verdict", choices, selected: 1 };
    for (const size of SIZES) {
      for (const language of ["en", "zh"] as const) {
        const rows = draw(view(known(scene, { verdict }), textsOf(language)), size, "blocks");
        assert.is(rows.length, size.rows);
        for (const row of rows) {
          assert.is(widthOf(row.map(({ text }) => text).join("")), size.columns);
          const styles = new Set(row.map(({ style }) => style));
          const ground = title === "PASS" ? "pass" : "fail";
          for (const style of styles) assert.ok([ground, "bar", "code"].includes(style), style);
        }
      }
    }
  });
}

test("PASS tells serial number and version, and how it ends; FAIL why, every failure, and what can be done", () => {
  const passed = text(known(SCENES.finished, { verdict: testVerdict() }), USUAL, "en", "ascii");
  assert.match(passed, /Serial number BOX-1, version 0\.1\.0\+abc/);
  assert.match(passed, /11 tests passed, 0 failed, 1 skipped/);
  assert.match(passed, /Reboots in 60 s/);
  assert.not.match(passed, /can be used now/);
  const verdict = testVerdict("memory", "disk");
  const choices = ["test-again", "menu", "log", "report", "reboot", "poweroff"] as const;
  const failed = text(known({ kind: "verdict", choices, selected: undefined }, { verdict }));
  assert.match(
    failed,
    /Why: .*\n {2}memory: memory is not[^]*failed beside it:[^]* disk: disk is not/,
  );
  assert.match(failed, / 1 {2}Run the factory tests again[^]* 6 {2}Power off/);
});

test("every choice stays on 80×24, however long the reason of a test is", () => {
  const names = ["memory", "disk", "smart", "clock", "root", "boot-loader"];
  const verdict = testVerdict(...names);
  const { report } = verdict;
  if (!report) throw new Error("no report");
  const long = "long ".repeat(60);
  const tests = report.tests.map((one) => ({ ...one, reason: long }));
  const choices = ["test-again", "menu", "log", "report", "reboot", "poweroff"] as const;
  const scene: Scene = { kind: "verdict", choices, selected: undefined };
  for (const charset of ["blocks", "ascii"] as const) {
    const all = { ...report, reason: `memory: ${long}`, tests };
    const from = known(scene, { verdict: { ...verdict, report: all } });
    assert.match(text(from, USUAL, "en", charset), / 6 {2}Power off/);
  }
});

test("the menu of a box that failed its factory tests says so first", () => {
  const { overview } = known(SCENES.menu);
  if (!overview) throw new Error("no overview");
  const factory = { verdict: "FAIL", reason: "memory: too little" } as const;
  const rows = lines(known(SCENES.menu, { overview: { ...overview, factory } }));
  assert.match(rows[1] ?? "", /THIS BOX FAILED ITS FACTORY TESTS: memory: too little/);
  assert.not.match(text(known(SCENES.menu)), /FACTORY TESTS/);
});

test("what a test says of itself cannot move the cursor", () => {
  const verdict = testVerdict("memory");
  const { report } = verdict;
  if (!report) throw new Error("no report");
  const evil = "\x1b[2J\x07\u202e";
  const tests = report.tests.map((one) => ({ ...one, reason: evil, name: evil }));
  const hostile = { ...report, reason: evil, serial: evil, tests, outputs: { [evil]: evil } };
  const said = [
    text(known(SCENES.finished, { verdict: { ...verdict, report: hostile } })),
    ...verdictLines(hostile),
    reportText(hostile).replaceAll("\n", ""),
  ];
  for (const line of said)
    assert.not.match(line.replaceAll("\n", ""), /[\x00-\x1f\x7f-\x9f\u202e]/);
});

test("the menu tells the machine, the disks with why and why not, backup, recovery, and every choice", () => {
  const said = text(known(SCENES.menu));
  for (const words of [
    /QEMU Standard PC, serial BOX-1, 1 GiB of memory, BIOS/,
    /> QEMU HARDDISK, serial ZS-0001, 20 GiB \(\/dev\/vda\)/,
    /an installed system, version 0\.0\.9; this disk would be used/,
    /Last backup: .*4 GiB full,\s+valid/,
    /Last recovery: none/,
    / 1 {2}Recover to factory default/,
    / 9 {2}Power off/,
  ]) {
    assert.match(said, words);
  }
});

test("the last recovery: what, when by the clock of the box, and how it ended", () => {
  const lastRecovery = { operation: "latest", outcome: "success", version: "0.0.9" } as const;
  const { overview } = known(SCENES.menu);
  if (!overview) throw new Error("there is no overview");
  const said = (more: { timeSeconds?: number }, language: Language) =>
    text(
      known(SCENES.menu, { overview: { ...overview, lastRecovery: { ...lastRecovery, ...more } } }),
      { columns: 160, rows: 50 },
      language,
    );
  const timed = { timeSeconds: 1_790_000_000 };
  assert.match(
    said(timed, "en"),
    /Last recovery: Recover to latest backup, version 0\.0\.9, 2026-09-21 14:13 UTC: done/,
  );
  assert.match(
    said(timed, "zh"),
    /上次恢复：恢复到最近的备份，版本 0\.0\.9，2026-09-21 14:13 UTC：成功/,
  );
  assert.match(said({}, "en"), /a time that was not noted: done/);
});

test("the question tells what is lost and kept, with sizes, and the answer that is awaited", () => {
  const said = text(known(SCENES.consent));
  assert.match(said, /WILL BE LOST:\n.*the root volume, 4 GiB/);
  assert.match(
    said,
    /will be kept:\n.*user data \(\/user, 4 GiB\)\n.*audit data \(\/audit, 2 GiB\)/,
  );
  assert.match(said, /last 4 characters of the disk's serial number \(ZS-0001\)/);
  assert.match(said, /> 00__/);
});

test("a running recovery: marks, bars, rate, time left, the end of the log", () => {
  const said = text(known(SCENES.running));
  assert.match(said, /√ make the file system of lv-root-new\n ► copy golden/);
  assert.match(said, /Step 9 of 20 .* 50 %\n\s+350 MiB \/ 700 MiB, 35 MiB\/s, 10 s left/);
  assert.match(said, /Whole .* \d\d %\n\s+\S+.*left/);
  assert.match(said, /│ sent 5 bytes/);
  assert.match(said, /C: why it cannot be cancelled/);
  const event = eventAt("check-golden", { changed: false });
  const run = { plan: known(SCENES.running).run?.plan, event };
  const before = known(SCENES.running, {
    run: { ...known(SCENES.running).run, ...run },
  } as Partial<Known>);
  assert.match(text(before), / C cancels/);
});

test("a resumed recovery shows the steps before it as done, also while it opens things again", () => {
  const run = known(SCENES.running).run;
  if (!run) throw new Error("no run");
  const event = eventAt("open-golden", { kind: "begins", bytes: 0, changed: true });
  const said = text(known(SCENES.running, { run: { ...run, event, resumedAt: 9 } }), {
    columns: 160,
    rows: 50,
  });
  assert.match(said, /goes on at step 9/);
  assert.match(said, /► open golden/);
  assert.match(said, /√ make the file system of lv-root-new/);
  assert.match(said, / {3}write fstab/);
});

test("every choice stays on 80×24, however long the reason is", () => {
  const long = Array.from({ length: 30 }, (_, index) => `disk ${index}: it is in use`).join("\n");
  const explanation = explain(new Refusal(long, long), quote);
  const { result } = known(SCENES.verdict).verdict ?? { result: success };
  const said = text(known(SCENES.verdict, { verdict: { result, explanation } }));
  assert.match(said, /more lines in the log/);
  assert.match(said, / 7 {2}Power off/);
});

test("a failure says that the disk has been changed; a success what it holds", () => {
  const at = { index: 8, total: 20, title: "copy", changed: true };
  const explanation = explain(new StepError(at, new Error("no space")), quote);
  const result = { ...success, outcome: "failed" as const };
  const failed = text(known(SCENES.verdict, { verdict: { result, explanation } }));
  assert.match(failed, /The disk has been changed/);
  assert.match(failed, /step 9 of 20, copy: no space/);
  // Without block elements there is no QR code beside it.
  const good = text(known(SCENES.finished, { verdict: { result: success } }), USUAL, "en", "ascii");
  assert.match(good, /done\. The disk holds version 0\.1\.0\+abc/);
  assert.match(good, /Reboots in 60 s/);
});

test("what was not done beside a success is told with it, on every terminal and in its language", () => {
  const warnings = [say("no-audit-report", say("volume-full"))];
  for (const verdict of [{ result: success }, testVerdict(), testVerdict("memory")]) {
    const from = known(SCENES.finished, { verdict: { ...verdict, warnings } });
    assert.match(
      text(from, USUAL, "en", "ascii").replace(/\s+/g, " "),
      /not on the audit volume: the volume is full/,
    );
    assert.match(text(from, USUAL, "zh"), /报告没有写入审计数据卷：该卷已满/);
  }
});

test("a password is not shown", () => {
  const said = text(known(SCENES.secret));
  assert.not.match(said, /hidden/);
  assert.match(said, /> \*{6}/);
});

test("a password is asked for on the screen, however long the verdict and however small the terminal", () => {
  const long = "the disk answers no more, ".repeat(12);
  const at = { index: 8, total: 20, title: "copy", changed: true };
  const explanation = explain(new StepError(at, new Error(long)), quote);
  const failed = { result: { ...success, outcome: "failed" as const }, explanation };
  const warnings = [say("no-audit-report", long), say("no-audit-report", long)];
  const notes = ["That is not the rescue password.", "The next try is in 2 s."];
  for (const verdict of [failed, { ...testVerdict("memory"), warnings }]) {
    for (let rows = 5; rows <= 24; rows++) {
      for (const columns of [40, 80]) {
        for (const [language, charset] of [
          ["en", "blocks"],
          ["en", "ascii"],
          ["zh", "blocks"],
        ] as const) {
          const size = { columns, rows };
          const scene = { ...SCENES.secret, prompt: textsOf(language).say(say("password")) };
          const said = lines(known(scene, { verdict, notes }), size, language, charset);
          assert.is(said.length, rows);
          const { verdict: _verdict, ...bare } = known(scene);
          const [, prompt = "?"] = lines(bare, size, language, charset);
          const where = `${columns}x${rows} ${language}\n${said.join("\n")}`;
          const asked = said.findIndex((line) => line.includes(prompt));
          assert.ok(asked > 0, where);
          assert.ok(
            said.slice(asked).some((line) => line.includes("> ******")),
            where,
          );
          if (rows >= 12) assert.match(said.join("\n"), charset === "ascii" ? /#/ : /█/, where);
        }
      }
    }
  }
});

test("Chinese is Chinese: no English sentence is left in any scene but what comes from outside", () => {
  for (const scene of [SCENES.menu, SCENES.consent, SCENES.running, SCENES.finished]) {
    const said = text(known(scene, { verdict: { result: success } }), USUAL, "zh");
    assert.not.match(said, /\b(the|recover|will|backup|disk|step)\b/i, said);
  }
});

const MACHINES = new URL("../machines/", import.meta.url).pathname;
for (const file of readdirSync(MACHINES).filter((name) => name.endsWith(".json"))) {
  test(`the menu of ${file}`, () => {
    const machine = parseMachine(readFileSync(MACHINES + file, "utf8"), file);
    const overview = overviewOf(machine, config, wish, 0);
    const rows = lines(known(SCENES.menu, { overview }));
    const said = rows.join("\n");
    assert.is(rows.length, 24);
    assert.match(said, / 9 {2}Power off/);
    assert.not.match(said, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
    const used = overview.disks.filter(({ use }) => use.kind === "used").length;
    const seen = (said.match(/this\s+disk\s+would\s+be\s+used/g) ?? []).length;
    assert.is(seen, used);
  });
}

test("width: Chinese takes two columns and breaks anywhere, long words are cut", () => {
  assert.is(pad("恢复", 6), "恢复  ");
  assert.equal(wrap("恢复出厂设置", 5), ["恢复", "出厂", "设置"]);
  assert.equal(wrap("one two three", 7, 2), ["one two", "  three"]);
  assert.equal(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
  assert.equal(wrap("", 4), [""]);
  assert.equal(wrap("恢复，出厂", 4), ["恢", "复，", "出厂"]);
  assert.equal(wrap("  a b", 8), ["  a b"]);
});

test.run();

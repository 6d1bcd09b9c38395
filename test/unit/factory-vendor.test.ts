/*
 * The vendor's factory tests: which files are taken for tests, how they are run, ended and judged, and what becomes
 * of what they print. The scripts are real and run here without a chroot; TAP and the keeper of output also get
 * what no program would print on purpose.
 */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import type { Box } from "../../src/host/factory/box.ts";
import type { Enclosure } from "../../src/host/factory/enclosure.ts";
import { makeOutput } from "../../src/host/factory/output.ts";
import { isTap, makeTapReader } from "../../src/host/factory/tap.ts";
import {
  listVendorTests,
  resolveIn,
  runVendorTest,
  type VendorRun,
} from "../../src/host/factory/vendor.ts";
import { VENDOR_TESTS } from "../../src/model/places.ts";
import { MOST_REASON, MOST_VENDOR_TESTS } from "../../src/model/factory.ts";
import { visible } from "../../src/model/text.ts";
import { disk, machine } from "./example.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-vendor-"));
let roots = 0;

function rootWith(files: Readonly<Record<string, string>>, mode = 0o755): string {
  const root = join(folder, String(roots++));
  mkdirSync(join(root, VENDOR_TESTS), { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(root, VENDOR_TESTS, name), `#!/bin/sh\n${text}\n`);
    chmodSync(join(root, VENDOR_TESTS, name), mode);
  }
  return root;
}

const refusal = (root: string) => {
  try {
    listVendorTests(root);
  } catch (error) {
    assert.instance(error, Refusal);
    return String(error);
  }
  return "none";
};

test("which files are tests: executables, sorted; no leftovers, directories, documents", () => {
  const root = rootWith({ "20-b.sh": "", "10-a": "", "10-a.dpkg-old": "", "10-a~": "", ".x": "" });
  writeFileSync(join(root, VENDOR_TESTS, "README"), "", { mode: 0o644 });
  mkdirSync(join(root, VENDOR_TESTS, "data"));
  assert.equal(listVendorTests(root), ["10-a", "20-b.sh"]);
  assert.equal(listVendorTests(join(folder, "nowhere")), []);
  rmSync(join(root, VENDOR_TESTS), { recursive: true });
  writeFileSync(join(root, VENDOR_TESTS), "");
  assert.match(refusal(root), /no directory/);
});

test("which files are tests: what cannot be run as it is, is refused and not left out", () => {
  for (const name of ["a b", "-a", "a\u001b[2J", "é", "a".repeat(65)]) {
    assert.match(refusal(rootWith({ [name]: "" })), /no name for a factory test/, name);
    assert.not.match(refusal(rootWith({ [name]: "" })), /\u001b/);
  }
  const names = (number: number) =>
    Object.fromEntries(Array.from({ length: number }, (_, index) => [`t${index}`, ""]));
  assert.is(listVendorTests(rootWith(names(MOST_VENDOR_TESTS))).length, MOST_VENDOR_TESTS);
  assert.match(
    refusal(rootWith(names(MOST_VENDOR_TESTS + 1))),
    /65 factory tests are more than 64/,
  );
});

test("links are followed as in the root, and none leads out of it", () => {
  const root = rootWith({ real: "" });
  const link = (target: string) => {
    rmSync(join(root, VENDOR_TESTS, "link"), { force: true });
    symlinkSync(target, join(root, VENDOR_TESTS, "link"));
  };
  mkdirSync(join(root, "opt"));
  writeFileSync(join(root, "opt/tool"), "", { mode: 0o755 });
  for (const target of ["real", "/opt/tool", "../../../../opt/tool", "./../factory-tests.d/real"]) {
    link(target);
    assert.equal(listVendorTests(root), ["link", "real"], target);
  }
  link("../../../../../opt/tool");
  assert.match(refusal(root), /leads out of the installed root/);
  for (const target of ["/nothing", "/bin/sh", folder]) {
    link(target);
    assert.match(refusal(root), /a link to nothing/, target);
  }
  link("link");
  assert.match(refusal(root), /in a circle/);
  symlinkSync("usr/lib", join(root, "lib"));
  assert.is(resolveIn(root, "lib/zshield"), "usr/lib/zshield");
});

const lines: string[] = [];
const boxOf = (root: string): Box => ({
  machine: { ...machine(), serial: "BOX-7" },
  disk: disk(),
  plan: { steps: [] } as unknown as Box["plan"],
  root,
  scratch: root,
  esp: root,
  log: (line) => void lines.push(line),
});

/** Here, without a chroot: what is handed to `chroot` otherwise is put together by a shell. */
const here = (root: string, close: string[] = []): Enclosure => ({
  prefix: ["/bin/sh", "-c", `exec '${root}'"$0"`],
  open: async () => undefined,
  close: async () => close,
});

async function runScript(text: string, seconds = 20): Promise<VendorRun> {
  const root = rootWith({ script: text });
  return runVendorTest("script", boxOf(root), seconds, here(root), 300);
}

test("the lab's own tests: a loud one passes, and what is kept of it is short and visible", async () => {
  const root = new URL("../../build/golden/lab", import.meta.url).pathname;
  assert.equal(listVendorTests(root), ["10-relay", "20-loud", "30-burn-in"]);
  const run = (name: string) => runVendorTest(name, boxOf(root), 20, here(root), 300);
  assert.match((await run("10-relay")).outcome.reason, /2 tests ok/);
  assert.is((await run("30-burn-in")).outcome.outcome, "skip");
  const { outcome, output } = await run("20-loud");
  assert.is(outcome.outcome, "pass");
  assert.is(outcome.reason, "it was loud");
  assert.ok(output.includes("\\x1b[2J") && output.trimEnd().endsWith("it was loud"));
  assert.ok(Buffer.byteLength(output) <= 64 * 1024);
  assert.not.match(output, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\ufffd]/);
});

for (const [title, text, outcome, reason] of [
  ["exit code 0", "echo all well", "pass", /^all well$/],
  ["exit code 0 without a word", "", "pass", /^$/],
  ["exit code 3", "echo no modem; exit 3", "fail", /^it ended with exit code 3: no modem$/],
  ["exit code 77", "echo no camera fitted >&2; exit 77", "skip", /^no camera fitted$/],
  ["exit code 77 without a word", "exit 77", "skip", /skips itself/],
  ["a signal", "kill -SEGV $$", "fail", /^it was killed by SIGSEGV$/],
  ["TAP", "echo 1..1; echo ok", "pass", /^1 test ok$/],
  [
    "TAP behind blank lines",
    "echo; echo ' '; echo 1..1; echo not ok - led",
    "fail",
    /^not ok 1 - led$/,
  ],
  ["TAP that is well, and an exit code", "echo 1..1; echo ok; exit 1", "fail", /exit code 1/],
  ["TAP with 77 is no skip", "echo 1..1; echo ok; exit 77", "fail", /exit code 77/],
  ["TAP on standard error is none", "echo 1..9 >&2; exit 0", "pass", /^1\.\.9$/],
  ["TAP later than the first line is none", "echo hello; echo not ok", "pass", /^not ok$/],
  ["TAP that planned nothing", "echo '1..0 # SKIP no radio'", "skip", /^no radio$/],
] as const) {
  test(`judged: ${title}`, async () => {
    const run = await runScript(text);
    assert.is(run.outcome.outcome, outcome, run.outcome.reason);
    assert.match(run.outcome.reason, reason);
    assert.is(run.outcome.origin, "vendor");
    assert.is(run.outcome.name, "script");
  });
}

test("what cannot be started is a failure, and so is an enclosure that cannot be made", async () => {
  const root = rootWith({ script: "" });
  writeFileSync(join(root, VENDOR_TESTS, "script"), "#!/no/such/interpreter\n");
  const run = await runVendorTest("script", boxOf(root), 5, here(root), 300);
  assert.match(run.outcome.reason, /^it ended with exit code 12[67]: /);
  const broken = { ...here(root), open: async () => Promise.reject(new Error("no /dev")) };
  const failed = await runVendorTest("script", boxOf(root), 5, broken, 300);
  assert.match(failed.outcome.reason, /^it could not be run: no \/dev$/);
  const missing = { ...here(root), prefix: ["/no/such/chroot"] };
  assert.is((await runVendorTest("script", boxOf(root), 5, missing, 300)).outcome.outcome, "fail");
});

test("what is still in use afterwards fails a test that was well", async () => {
  const root = rootWith({ well: "exit 0", bad: "exit 1" });
  const run = (name: string) => runVendorTest(name, boxOf(root), 5, here(root, ["/dev"]), 300);
  assert.match((await run("well")).outcome.reason, /^it left something behind that uses \/dev$/);
  assert.match((await run("bad")).outcome.reason, /exit code 1/);
  assert.match(lines.at(-1) ?? "", /^bad: still in use afterwards: \/dev$/);
});

test("the environment is made anew, standard input is empty, and there is no terminal", async () => {
  const run = await runScript(`env | sort; cat; [ -t 0 ] || echo none
    (exec < /dev/tty) 2> /dev/null && echo terminal; exit 0`);
  const found = run.output.split("\n").filter((line) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(line));
  assert.equal(
    found.map((line) => line.replace(/^(ZSHIELD_RUN=)[0-9a-f-]{36}$/, "$1…")),
    [
      "HOME=/",
      "LANG=C.UTF-8",
      "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "ZSHIELD_DISK=/dev/vda",
      "ZSHIELD_RUN=…",
      "ZSHIELD_SERIAL=BOX-7",
      "ZSHIELD_TEST=script",
      "none",
      "",
    ],
  );
});

/** The processes that a script noted in the file `pids` beside it. */
const alive = (file: string) =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .filter((pid) => {
      try {
        return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
      } catch {
        return false;
      }
    });

for (const [title, text] of [
  ["ends on SIGTERM", "sleep 600"],
  ["ignores SIGTERM", "trap '' TERM; while :; do sleep 600; done"],
  ["has children that ignore it", "(trap '' TERM; echo $$ >> FILE; sleep 600) & sleep 600"],
] as const) {
  test(`a test that hangs: ${title}`, async () => {
    const file = join(folder, `pids-${roots}`);
    const begin = performance.now();
    const run = await runScript(`echo $$ >> ${file}; echo begun; ${text.replace("FILE", file)}`, 1);
    assert.is(run.outcome.reason, "it did not end within 1 s: begun");
    assert.is(run.outcome.outcome, "fail");
    assert.ok(run.outcome.seconds >= 1);
    assert.ok(performance.now() - begin < 8000);
    assert.equal(alive(file), []);
  });
}

test("SIGTERM comes first, so that a test can tidy up", async () => {
  const file = join(folder, "tidied");
  await runScript(`trap 'echo tidied > ${file}; exit 0' TERM; sleep 600 & wait`, 1);
  assert.ok(existsSync(file));
});

test("what a test leaves running is ended: in its group, in a session of its own, as a daemon", async () => {
  const file = join(folder, "left");
  const run = await runScript(`
    sleep 600 & echo $! >> ${file}
    setsid sh -c 'echo $$ >> ${file}; exec sleep 600' &
    setsid sh -c 'setsid sh -c "echo \\$\\$ >> ${file}; trap : TERM HUP; exec sleep 600" > /dev/null 2>&1 < /dev/null &' &
    while [ $(wc -l < ${file}) -lt 3 ]; do sleep 0.1; done`);
  assert.is(run.outcome.outcome, "pass", run.outcome.reason);
  assert.is(readFileSync(file, "utf8").trim().split("\n").length, 3);
  assert.equal(alive(file), []);
});

test("printed: escape sequences and what is no UTF-8 are made visible, lines stay lines", async () => {
  const run = await runScript(
    String.raw`printf 'one\033[2J\033]0;x\007\ntwo\377\376\n\303'; exit 1`,
  );
  assert.is(run.output, "one\\x1b[2J\\x1b]0;x\\x07\ntwo\\ufffd\\ufffd\n\\ufffd\n");
  assert.is(run.outcome.reason, "it ended with exit code 1: \\ufffd");
});

test("printed: a megabyte keeps its beginning and its end, and a reason stays short", async () => {
  const run = await runScript("seq 1 150000; exit 1");
  assert.ok(run.output.startsWith("1\n2\n3\n") && run.output.endsWith("\n149999\n150000\n"));
  assert.match(run.output, /\n… \d+ lines are left out here …\n/);
  assert.ok(Buffer.byteLength(run.output) <= 65_536);
  const long = await runScript("head -c 1000000 /dev/zero | tr '\\0' x; exit 1");
  assert.ok(long.outcome.reason.length <= MOST_REASON);
  assert.ok(Buffer.byteLength(long.output) <= 65_536);
});

test("printed: without end, on both outputs; memory stays, and everybody else gets a turn", async () => {
  const before = process.memoryUsage.rss();
  let turns = 0;
  const timer = setInterval(() => turns++, 50);
  const run = await runScript("yes 'a line that comes again and again' >&2 & yes", 2);
  clearInterval(timer);
  assert.match(run.outcome.reason, /^it did not end within 2 s/);
  // 40 where nothing else runs; a busy machine gives fewer.
  assert.ok(turns >= 3, `${turns} turns`);
  assert.ok(run.outcome.seconds < 8);
  const grown = process.memoryUsage.rss() - before;
  assert.ok(grown < 150 * 1024 * 1024, `${grown} bytes`);
});

function judge(text: string) {
  const reader = makeTapReader();
  for (const line of text.split("\n")) reader.add(line);
  return reader.end();
}

for (const [title, text, outcome, reason] of [
  ["plan first", "1..2\nok 1\nok 2 - x", "pass", /^2 tests ok$/],
  ["plan last, with a version", "TAP version 14\nok\nok\n1..2", "pass", /2 tests/],
  ["one that fails", "1..2\nok\nnot ok 2 - usb port", "fail", /^not ok 2 - usb port$/],
  ["the first that fails", "1..2\nnot ok 1 a\nnot ok 2 b", "fail", /^not ok 1 - a$/],
  ["TODO may fail", "1..1\nnot ok 1 - fan # TODO later", "pass", /1 test ok/],
  ["SKIP counts as none", "1..2\nok 1 # skip no card\nok 2", "pass", /^2 tests ok, 1 skipped$/],
  ["every one skipped", "1..2\nok # SKIP\nok # Skipped: x", "skip", /every one skipped/],
  ["an escaped # is a part of the name", "1..1\nnot ok 1 - a \\# TODO", "fail", /not ok 1/],
  ["TODO without # is a name", "1..1\nnot ok 1 - TODO", "fail", /TODO/],
  ["no plan", "ok\nok", "fail", /without a plan.*2 tests/],
  ["too few", "1..3\nok\nok", "fail", /planned 3 tests and ran 2/],
  ["too many", "1..1\nok\nok", "fail", /planned 1 test and ran 2/],
  ["two plans", "1..1\nok\n1..1", "fail", /more than one plan/],
  ["a number that was not due", "1..2\nok 1\nok 1", "fail", /test 1 came where test 2 was due/],
  ["nothing planned", "1..0", "skip", /planned no test/],
  ["nothing planned, with a reason", "1..0 # skip: no modem", "skip", /^no modem$/],
  ["nothing planned, and yet something", "1..0\nok", "fail", /planned 0 tests and ran 1/],
  ["bailed out", "1..3\nok\nBail out! no power", "fail", /^it bailed out: no power$/],
  ["bailed out in a test of a test", "1..1\n    Bail out!\nok", "fail", /^it bailed out$/],
  ["a failure says more than the sum", "1..5\nnot ok 1 - x", "fail", /^not ok 1 - x$/],
  [
    "a test in a test is summed up by its point",
    "1..1\n    1..2\n    ok\n    not ok\nok 1",
    "pass",
    /1 test/,
  ],
  ["YAML may hold anything", "1..1\nok\n  ---\nnot ok\n  x: Bail out!\n  ...\n", "pass", /1 test/],
  ["YAML without an end hides the rest", "1..2\nok\n  ---\nok", "fail", /planned 2/],
  ["comments, words, pragmas", "1..1\n# not ok\nnot okay\npragma +strict\nok", "pass", /1 test/],
  ["a plan beyond all numbers", `1..${"9".repeat(400)}\nok`, "fail", /planned/],
] as const) {
  test(`TAP: ${title}`, () => {
    const finding = judge(text);
    assert.is(finding.outcome, outcome, finding.reason);
    assert.match(finding.reason, reason);
  });
}

test("TAP: what it is known by", () => {
  for (const line of [
    "TAP version 13",
    "1..4",
    "1..0 # SKIP",
    "ok",
    "ok 1",
    "not ok",
    "not ok 2 - x",
  ]) {
    assert.is(isTap(line), true, line);
  }
  for (const line of ["okay", "OK", "not okay", "TAP", "0..1", " ok", "1.5", "notok"]) {
    assert.is(isTap(line), false, line);
  }
});

test("TAP: no line holds the reader up, and a line separator ends none", () => {
  const begun = performance.now();
  for (const line of [
    `ok${" ".repeat(64_000)}x\u2028y`,
    `ok ${"#skip".repeat(13_000)}\u2028y`,
    `1..2 #${" ".repeat(64_000)}x\u2028y`,
    `Bail out!${" ".repeat(64_000)}x\u2028y`,
    `${" ".repeat(64_000)}--`,
    `ok ${"1".repeat(64_000)}x`,
  ]) {
    makeTapReader().add(line);
  }
  const tookMs = performance.now() - begun;
  assert.ok(tookMs < 1000, `${tookMs} ms`);
  assert.is(judge("1..2\nok 1 - a\u2028b\nnot ok 2 - c\u2028d").reason, "not ok 2 - c\u2028d");
  assert.ok(judge(`1..1\nnot ok 1 - ${"x".repeat(10_000)}`).reason.length <= 2048);
});

/** The same on every run, so that a failure can be looked at. */
function makeDice(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

test("TAP: of random lines, a PASS is only what a plain sum of them allows", () => {
  const PIECES = [
    "ok",
    "not ok",
    "ok 1",
    "ok 2",
    "1..1",
    "1..2",
    "1..3",
    "# x",
    "  ---",
    "  ...",
    "Bail out!",
    "not ok # TODO",
    "ok # SKIP",
    "",
    "x",
  ];
  const dice = makeDice(7);
  const seen = { pass: 0, fail: 0, skip: 0 };
  for (let round = 0; round < 20_000; round++) {
    const lines = Array.from({ length: dice(6) }, () => PIECES[dice(PIECES.length)] ?? "");
    const { outcome } = judge(lines.join("\n"));
    seen[outcome]++;
    if (outcome !== "pass" || lines.includes("  ---")) continue;
    const points = lines.filter((line) => /^(not )?ok/.test(line));
    const plans = lines.filter((line) => line.startsWith("1.."));
    assert.equal(plans, [`1..${points.length}`], lines.join(" | "));
    assert.not.ok(lines.includes("not ok") || lines.includes("Bail out!"), lines.join(" | "));
  }
  assert.ok(seen.pass > 100 && seen.fail > 1000 && seen.skip > 50, JSON.stringify(seen));
});

test("the keeper: whatever is printed, it is visible, bounded, and begins and ends as it was", () => {
  const dice = makeDice(11);
  const PIECES = [
    "a",
    "é",
    "漢",
    "😀",
    "\u001b[31m",
    "\u202e",
    "\ud83d",
    "\0",
    " ",
    "\u{e0041}",
    "\ufffd",
    "x".repeat(500),
  ];
  for (let round = 0; round < 60; round++) {
    const keeper = makeOutput();
    const first = `begin ${round}`;
    keeper.add(first);
    const longest = round % 3 === 0 ? 20_000 : 40;
    for (let line = dice(3000); line >= 0; line--) {
      let text = "";
      for (let piece = dice(longest > 40 && dice(50) > 0 ? 20 : longest); piece > 0; piece--) {
        text += PIECES[dice(PIECES.length)];
        if (text.length > 66_000) break;
      }
      keeper.add(text);
    }
    keeper.add("the end");
    const text = keeper.text();
    assert.ok(Buffer.byteLength(text) <= 65_536, `${Buffer.byteLength(text)} bytes`);
    assert.ok(text.startsWith(`${first}\n`) && text.endsWith("\nthe end\n"));
    assert.ok(text.split("\n").every((line) => visible(line) === line));
    assert.ok(text.isWellFormed());
    assert.is(keeper.lastLine(), "the end");
    assert.is(keeper.text(), text, "asked twice, it is the same");
  }
});

test("the keeper: what fits is kept whole, and the lines that are left out are counted", () => {
  const keeper = makeOutput();
  assert.is(keeper.text(), "");
  assert.is(keeper.lastLine(), "");
  for (const line of ["one", "", "  two ", " "]) keeper.add(line);
  assert.is(keeper.text(), "one\n\n  two \n \n");
  assert.is(keeper.lastLine(), "two");
  for (let line = 0; line < 50_000; line++) keeper.add(`line ${line}`);
  const text = keeper.text();
  const lost = Number(/… (\d+) lines/.exec(text)?.[1]);
  assert.is(text.trimEnd().split("\n").length - 1 + lost, 50_004);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

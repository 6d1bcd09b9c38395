/*
 * Many factory reports made one collection, and its three faces. What is hostile in a report reaches none of them.
 */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { BOUNDS, readReportFiles } from "../../src/host/report-files.ts";
import { printFactoryReport } from "../../src/model/factory-file.ts";
import { csvCell, printCsv } from "../../src/report/csv.ts";
import { gather, summarise, type FoundFile } from "../../src/report/gather.ts";
import { printPage } from "../../src/report/page.ts";
import { SCRIPT } from "../../src/report/page-script.ts";
import { STYLE } from "../../src/report/page-style.ts";
import { isoMoment, printMoment, printSpan } from "../../src/report/words.ts";
import { reportLines } from "../../src/ui/report-lines.ts";
import { factoryReport, lineOfBoxes, outcome, reportFile } from "./report-example.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const named = (name: string, content: FoundFile["content"]): FoundFile => ({ name, content });
const PLAIN = { columns: Infinity, colour: false };

const failed = (name: string) =>
  factoryReport({ serial: name, tests: [outcome("memory", { outcome: "fail", reason: "none" })] });

test("failing boxes first, then by serial number as people count", () => {
  const serials = ["B10", "B9", "A2"];
  const files = [
    ...serials.map((serial) => reportFile(factoryReport({ serial }))),
    reportFile(failed("Z1")),
  ];
  assert.equal(
    gather(files).boxes.map(({ serial, verdict }) => `${verdict} ${serial}`),
    ["FAIL Z1", "PASS A2", "PASS B9", "PASS B10"],
  );
});

test("of a report only what is shown stays in memory", () => {
  const most = 40;
  let heldBytes = Infinity;
  function* files(): Generator<FoundFile> {
    for (let count = 1; count <= most; count++) {
      if (count === most) heldBytes = used() - before;
      const text = `line of ${count}\n`.repeat(100_000);
      const tests = [outcome("burn-in", { origin: "vendor", outcome: "fail" })];
      yield reportFile(factoryReport({ serial: `S${count}`, tests, outputs: { "burn-in": text } }));
    }
  }
  const used = () => {
    Bun.gc(true);
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  assert.is(gather(files()).boxes.length, most);
  assert.ok(heldBytes < 20e6, `${Math.round(heldBytes / 1e6)} MB for ${most} reports`);
});

test("what is changed, cut off, empty or unreadable is refused by name and does not count", () => {
  const whole = printFactoryReport(factoryReport());
  const lying = factoryReport({ tests: [outcome("a", { outcome: "fail" })], verdict: "PASS" });
  const invalid = Buffer.from(whole);
  invalid[30] = 0xff;
  const { boxes, refused, others } = gather([
    named("changed", bytes(whole.replace("ACME", "ACMF"))),
    named("cut", bytes(whole.slice(0, 100))),
    named("cut-between", bytes(whole.split("\n")[0] ?? "")),
    named("empty", bytes("")),
    named("invalid", invalid),
    named("mark", bytes(`\ufeff${whole}`)),
    named("unreadable", { trouble: "it cannot be read: EIO" }),
    named("zeros", new Uint8Array(4096)),
    named("future", bytes(signed({ ...factoryReport(), schema: 2 }))),
    reportFile(lying, "lying"),
    named("of another kind", bytes('{"kind":"something else"}\n')),
    named("null", bytes("null")),
  ]);
  assert.equal(boxes, []);
  assert.is(others, 2);
  assert.equal(
    refused.map(({ file, reason }) => `${file}: ${reason}`.slice(0, 60)),
    [
      "changed: it does not match its digest: it was changed or damaged".slice(0, 60),
      "cut: it is no report of zshield's factory tests, or is cut off".slice(0, 60),
      "cut-between: it is no report of zshield's factory tests, or is cut off".slice(0, 60),
      "empty: it is empty",
      "future: it: schema: Invalid type: Expected 1 but received 2",
      "invalid: it is not UTF-8: it was changed or damaged",
      "lying: it says PASS although a test failed",
      "mark: it does not match its digest: it was changed or damaged".slice(0, 60),
      "unreadable: it cannot be read: EIO",
      "zeros: it is no report of zshield's factory tests, or is cut off".slice(0, 60),
    ],
  );
});

function signed(document: unknown): string {
  const json = JSON.stringify(document);
  return `${json}\nsha256:${createHash("sha256").update(json).digest("hex")}\n`;
}

test("a change of any one byte is noticed", () => {
  const whole = Buffer.from(printFactoryReport(factoryReport()));
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
    assert.is(gather([named("it", changed)]).boxes.length, 0, `byte ${at}`);
  }
});

test("the same report is counted once, two reports of one serial number are both marked", () => {
  const again = reportFile(factoryReport(), "again");
  const collection = gather([
    reportFile(factoryReport(), "first"),
    again,
    reportFile(factoryReport({ endedAt: 5 }), "second"),
    reportFile(factoryReport({ serial: "" }), "unnamed"),
    reportFile(factoryReport({ serial: "", endedAt: 6 }), "unnamed too"),
  ]);
  assert.equal(collection.copies, [{ file: "again", of: "first" }]);
  assert.equal(
    collection.boxes.map(({ reportsOfSerial }) => reportsOfSerial),
    [1, 1, 2, 2],
  );
  const { repeated, unnamed } = summarise(collection);
  assert.equal([repeated, unnamed], [[{ serial: "ZS-0001", reports: 2 }], 2]);
  const text = reportLines(collection, PLAIN).join("\n");
  assert.match(text, "again: the same report as first, counted once");
  assert.match(text, "ZS-0001 (×2)");
});

test("serial numbers that differ only beyond what is shown are not the same", () => {
  const long = "x".repeat(1000);
  const { boxes } = gather(
    ["a", "b"].map((end) => reportFile(factoryReport({ serial: long + end }), end)),
  );
  assert.equal(
    boxes.map(({ reportsOfSerial, serial }) => [reportsOfSerial, serial.length]),
    [
      [1, 301],
      [1, 301],
    ],
  );
});

test("the failing tests, the most frequent first, and the spread of the times", () => {
  const { failing, install, shared, pass, fail } = summarise(gather(lineOfBoxes(50)));
  assert.equal(
    failing.map(({ name, boxes }) => [name, boxes.length]),
    [
      ["memory", 3],
      ["10-burn-in", 2],
      ["network", 1],
    ],
  );
  assert.equal([pass, fail], [44, 6]);
  assert.equal(install, { least: 171, median: 196, most: 305 });
  assert.equal(shared, { model: "Gateway 4 LAN", version: "4.2.0+9f31c2d" });
});

test("a report without any test counts under its reason", () => {
  const { failing } = summarise(gather([reportFile(factoryReport({ tests: [] }))]));
  assert.equal(
    failing.map(({ name }) => name),
    ["no test was run"],
  );
});

/** Everything that a box can say, said by somebody who means harm. */
const HOSTILE = [
  "<script>alert(1)</script>",
  '"><img src=x onerror=alert(1)>',
  "' onmouseover='alert(1)",
  "</style><link rel=stylesheet href=//evil.example/>",
  "&lt;b&gt; &#x3c;",
  '=HYPERLINK("http://evil.example";"x")',
  "+1",
  "-1",
  "@SUM(A1)",
  "\t=1",
  "\r=1",
  "＝1",
  " =1",
  "a;=1",
  '"=1',
  "a\";\"=cmd|' /C calc'!A0",
  "\x1b[2J\x1b]0;title\x07",
  "\x9b31m",
  "a\nb\r\nc",
  "\u202egnp.exe",
  "a\u0000b",
  "\ud800",
  "\ufffd",
  "x".repeat(1_000_000),
  "中文序列号",
  "́".repeat(5000),
];

const hostileReport = (text: string) => {
  const hostile = { origin: "vendor", outcome: "fail", reason: text.slice(0, 300) } as const;
  const tests = [outcome(text.slice(0, 5000), hostile)];
  return factoryReport({
    serial: text,
    vendor: text,
    model: text,
    version: text,
    disk: { path: text, model: text, serial: text, wwn: text, sizeBytes: 1 },
    tests,
    outputs: Object.fromEntries([[text.slice(0, 5000), text]]),
  });
};

// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/;

for (const text of HOSTILE) {
  test(`hostile: ${JSON.stringify(text.slice(0, 40))}`, () => {
    const collection = gather([reportFile(hostileReport(text), `${text.slice(0, 50)}.json`)]);
    assert.is(collection.boxes.length, 1);

    const page = printPage(collection, 1_795_660_000);
    const honest = printPage(
      gather([reportFile(hostileReport("honest"), "honest.json")]),
      1_795_660_000,
    );
    assert.equal(elementsOf(page), elementsOf(honest), "it adds no element and no attribute");
    assert.not.match(page, UNSEEN);
    assert.ok(page.length < honest.length + 60_000, "a megabyte is shortened");

    const [header = [], row = [], ...more] = parseCsv(printCsv(collection));
    assert.equal([row.length, more], [header.length, []]);
    for (const cell of row) {
      assert.not.match(cell, /^\s*[=+\-@＝＋－＠]|^[\t\r]/);
      assert.not.match(cell, /;[\s"]*[=+\-@＝＋－＠]/);
      assert.not.match(cell, UNSEEN);
    }

    for (const line of reportLines(collection, { columns: 100, colour: false })) {
      assert.not.match(line, UNSEEN);
      assert.not.match(line, "\n");
    }
  });
}

/** The elements and attributes in the order of the page, without the texts; style and script apart. */
function elementsOf(page: string): string[] {
  const markup = page.replace(STYLE, "").replace(SCRIPT, "");
  return [
    ...markup.matchAll(/<\/?([a-zA-Z!][^\s>]*)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>|[<>]/g),
  ].map(([whole, name, attributes = ""]) =>
    name === undefined ? whole : `${name} ${attributes.replace(/="[^"]*"/g, "")}`,
  );
}

/** RFC 4180, strictly. */
function parseCsv(text: string): string[][] {
  assert.match(text, /\r\n$/);
  const rows: string[][] = [[]];
  const token = /"((?:[^"]|"")*)"(,|\r\n)/y;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const match = token.exec(text);
    if (!match) throw new Error(`no CSV at ${JSON.stringify(text.slice(at, at + 40))}`);
    rows.at(-1)?.push((match[1] ?? "").replaceAll('""', '"'));
    if (match[2] === "\r\n") rows.push([]);
  }
  rows.pop();
  return rows;
}

test("random texts stay one cell, and what was no formula stays as it was", () => {
  const letters = ["=", "+", "-", "@", ";", ",", '"', "'", "\n", "\r", "\t", " ", "a", "1", "＝"];
  let state = 7;
  const next = (below: number) => (state = (state * 48271) % 2147483647) % below;
  for (let round = 0; round < 3000; round++) {
    const text = Array.from({ length: next(8) }, () => letters[next(letters.length)]).join("");
    const [[cell = "", ...more] = []] = parseCsv(`${csvCell(text)}\r\n`);
    assert.equal(more, []);
    assert.not.match(cell, /^(\s*[=+\-@＝＋－＠]|[\t\r])/, JSON.stringify(text));
    assert.is(cell.replaceAll("'", ""), text.replaceAll("'", ""));
    if (!/[=+\-@＝\t\r]/.test(text)) assert.is(cell, text);
  }
});

test("a test that is called like a property of every object has no output that nobody printed", () => {
  for (const name of ["__proto__", "constructor", "toString"]) {
    const report = factoryReport({
      tests: [outcome(name, { origin: "vendor", outcome: "fail" })],
    });
    const { boxes } = gather([reportFile(report)]);
    assert.equal([boxes[0]?.failed, boxes[0]?.outputs], [[name], []]);
  }
});

test("a vendor's test that is called like a built-in one is another test", () => {
  const fails = (origin: "built-in" | "vendor") => outcome("memory", { origin, outcome: "fail" });
  const outputs = { memory: "DIMM 2 is bad\n" };
  const collection = gather([
    reportFile(factoryReport({ serial: "A", tests: [fails("built-in")], outputs })),
    reportFile(
      factoryReport({ serial: "B", tests: [fails("built-in"), fails("vendor")], outputs }),
    ),
  ]);
  assert.equal(
    summarise(collection).failing.map(({ name, boxes }) => [name, boxes.length]),
    [
      ["memory", 2],
      ["memory (vendor)", 1],
    ],
  );
  assert.equal(
    collection.boxes.map((box) => box.outputs.map(({ name }) => name)),
    [[], ["memory (vendor)"]],
  );
});

test("any time has a word", () => {
  for (const seconds of [0, -5, 1e300, 9e15, 253_402_300_800, NaN, 1.5]) {
    assert.type(printSpan(seconds) + printMoment(seconds) + isoMoment(seconds), "string");
  }
  assert.equal([0.4, 59.6, 200, 3600, 7325].map(printSpan), [
    "0 s",
    "1 min 00 s",
    "3 min 20 s",
    "1 h 00 min",
    "2 h 02 min",
  ]);
  assert.is(printMoment(9e15), "");
  const report = factoryReport({ endedAt: 9e15, testSeconds: -1e300, installSeconds: 1e300 });
  assert.match(printPage(gather([reportFile(report)]), 0), "no sensible time");
});

test("the page forbids every request, and allows its own style and script by digest", () => {
  const page = printPage(gather(lineOfBoxes(3)), 0);
  const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1] ?? "";
  const digest = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  assert.match(policy, "default-src 'none'");
  assert.match(policy, `style-src ${digest(STYLE)}`);
  assert.match(policy, `script-src ${digest(SCRIPT)}`);
  assert.not.match(page, /\b(src|style|on\w+)=|https?:|@import|url\(/);
});

test("a table fits the terminal, wide characters too, and is coloured only where asked for", () => {
  const report = factoryReport({ ...failed("序列号-0001"), reason: "长".repeat(200) });
  const collection = gather([reportFile(report), reportFile(factoryReport({ model: "Other" }))]);
  const table = (columns: number, colour = false) =>
    reportLines(collection, { columns, colour }).slice(0, 3);
  for (const columns of [40, 80, 81, 120]) {
    for (const line of table(columns)) assert.ok(Bun.stringWidth(line) <= columns, line);
  }
  const places = table(200).map((line) => Bun.stringWidth(line.split(/ENDED|2026/)[0] ?? ""));
  assert.is(new Set(places).size, 1, "the columns are below each other");
  assert.not.match(table(120).join(), "\x1b");
  assert.match(table(120, true).join(), "\x1b[31mFAIL\x1b[0m");
});

test("no report at all", () => {
  const lines = reportLines(gather([named("x", bytes("{}"))]), PLAIN);
  assert.equal(lines, [
    "1 other JSON file passed over",
    "there is no report of zshield's factory tests",
    "0 reports, 0 PASS, 0 FAIL, 0 refused",
  ]);
});

test("files: below directories, once each, no link is followed, bounds hold", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-reports-"));
  try {
    mkdirSync(join(folder, "a/b"), { recursive: true });
    for (const name of ["a/1.json", "a/b/2.JSON", "a/b/no.txt", "3.json"]) {
      writeFileSync(join(folder, name), name);
    }
    writeFileSync(join(folder, "large.json"), "x".repeat(200));
    symlinkSync("../3.json", join(folder, "a/link.json"));
    symlinkSync("..", join(folder, "a/loop"));
    const read = (directories: string[], bounds = BOUNDS) =>
      [...readReportFiles(directories, bounds)].map(({ name, content }) =>
        "trouble" in content
          ? `${name.slice(folder.length + 1)}: ${content.trouble}`
          : name.slice(folder.length + 1),
      );
    const all = ["3.json", "a/1.json", "a/b/2.JSON", "large.json"];
    assert.equal(read([folder]), all);
    assert.equal(read([folder, join(folder, "a"), folder]), all);
    symlinkSync(folder, join(folder, "a/b/mounted"));
    assert.equal(
      read([join(folder, "a/b/mounted")]).length,
      4,
      "the one that is named may be a link",
    );
    const small = read([folder], { ...BOUNDS, fileBytes: 100 });
    assert.match(small[3] ?? "", "it has 200 B; no report has more than 100 B");
    assert.throws(() => read([folder], { ...BOUNDS, files: 3 }), /more than 3 files/);
    assert.throws(() => read([folder], { ...BOUNDS, depth: 1 }), /more than 1 deep/);
    assert.throws(
      () => read([join(folder, "3.json")]),
      (error: unknown) => error instanceof Refusal && /is no directory/.test(error.message),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

const MYSELF = process.geteuid?.() ?? 0;

/** Root may read whatever the mode says. */
const becomeNobody = () => MYSELF === 0 && process.seteuid?.(65_534);
const becomeMyself = () => process.seteuid?.(MYSELF);

test("files: a directory that cannot be read is refused by name, lost+found is passed over, the rest counts", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-reports-"));
  try {
    for (const name of ["lost+found", "locked", "open"]) mkdirSync(join(folder, name));
    writeFileSync(join(folder, "open/1.json"), printFactoryReport(factoryReport()));
    for (const name of ["lost+found", "locked"]) chmodSync(join(folder, name), 0);
    chmodSync(folder, 0o755);
    becomeNobody();
    const { boxes, refused } = gather(readReportFiles([folder]));
    assert.is(boxes.length, 1);
    assert.equal(
      refused.map(({ file }) => file),
      [join(folder, "locked")],
    );
    const named = gather(readReportFiles([join(folder, "locked"), join(folder, "open")]));
    assert.equal([named.boxes.length, named.refused], [1, refused]);
    assert.match(refused[0]?.reason ?? "", /^it cannot be read: .*EACCES/);
  } finally {
    becomeMyself();
    for (const name of ["lost+found", "locked"]) chmodSync(join(folder, name), 0o700);
    rmSync(folder, { recursive: true, force: true });
  }
});

test("files: names that are not UTF-8 are found like any other", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-reports-"));
  try {
    const strange = Buffer.concat([
      Buffer.from(`${folder}/l`),
      Buffer.of(0xed),
      Buffer.from("nea"),
    ]);
    mkdirSync(strange);
    const inIt = (name: string) => Buffer.concat([strange, Buffer.from(`/${name}`)]);
    writeFileSync(inIt("1.json"), printFactoryReport(failed("IN-A-DIRECTORY")));
    writeFileSync(inIt("2.json"), "{");
    const file = Buffer.concat([Buffer.from(`${folder}/`), Buffer.of(0xff), Buffer.from(".json")]);
    writeFileSync(file, printFactoryReport(failed("A-FILE")));
    const { boxes, refused } = gather(readReportFiles([folder]));
    assert.equal(boxes.map(({ serial }) => serial).toSorted(), ["A-FILE", "IN-A-DIRECTORY"]);
    assert.equal(
      refused.map((one) => one.file),
      [join(folder, "l\\ufffdnea/2.json")],
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("files: a directory that may be listed and not entered is refused by name", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-reports-"));
  try {
    for (const name of ["listed", "open"]) mkdirSync(join(folder, name));
    for (const name of ["listed/1", "listed/2", "open/1"]) {
      writeFileSync(join(folder, `${name}.json`), printFactoryReport(factoryReport()));
    }
    chmodSync(join(folder, "listed"), 0o644);
    chmodSync(folder, 0o755);
    becomeNobody();
    const { boxes, refused } = gather(readReportFiles([folder]));
    assert.is(boxes.length, 1);
    assert.equal(
      refused.map(({ file }) => file),
      [join(folder, "listed")],
    );
    assert.match(refused[0]?.reason ?? "", /^it cannot be entered: .*EACCES/);
  } finally {
    becomeMyself();
    chmodSync(join(folder, "listed"), 0o755);
    rmSync(folder, { recursive: true, force: true });
  }
});

test.run();

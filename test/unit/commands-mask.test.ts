/*
 * `zshield mask check`, as a program: lines, exit codes, what is refused.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

async function check(...words: string[]) {
  const child = Bun.spawn([process.execPath, MAIN, "mask", "check", ...words], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

const folder = mkdtempSync(join(tmpdir(), "zshield-mask-"));
const file = join(folder, "mask.txt");
test.after(() => rmSync(folder, { recursive: true }));

test("a line per package, in the order given", async () => {
  writeFileSync(file, "0 video records video\n6 onvif finds cameras\n");
  assert.equal(
    await check(
      ...["--system", "400041", "--prefix", "acme", "--names", file],
      ...["zfs-1.0.8.1-7.2-000000", "nvr-1.0.8.1-7.2-000043", "acme-ui-1.0.8.1-7.2-400001"],
    ),
    {
      stdout:
        "needed\tzfs-1.0.8.1-7.2-000000\tit asks for no bit\n" +
        "not needed\tnvr-1.0.8.1-7.2-000043\tthe device lacks bit 1\n" +
        "needed\tacme-ui-1.0.8.1-7.2-400001\tthe device has all that it asks for: " +
        'bits 0 (video), 22 (same prefix); both have bit 22 (same prefix), and the prefix "acme" is the device\'s\n',
      stderr: "",
      code: 0,
    },
  );
});

test("every bad name is refused, and nothing printed of the good ones", async () => {
  const { stdout, stderr, code } = await check(
    ...["--system", "000000", "--prefix", ""],
    ...["zfs-1.0.8.1-7.2-000000", "zfs-1.0.8.1-7.2", "zfs-1.0-7.2-\u001b00000"],
  );
  assert.is(stdout, "");
  assert.equal(stderr.split("\n"), [
    'zshield: "zfs-1.0.8.1-7.2", column 13: expected the mask: six hexadecimal digits, 0-9 and A-F',
    'zshield: "zfs-1.0-7.2-\\x1b00000", column 13: expected the mask: six hexadecimal digits, 0-9 and A-F',
    "  packages are called like zfs-1.0.8.1-7.2-000000: name-PROGRAM.BASE-SEQ.REV-MASK",
    "",
  ]);
  assert.is(code, 3);
});

for (const [words, code, fault] of [
  [["--prefix", "a", "x"], 2, /--system must be a mask/],
  [["--system", "41", "--prefix", "a", "x"], 2, /--system must be a mask/],
  [["--system", "00004a", "--prefix", "a", "x"], 2, /--system must be a mask/],
  [["--system", "000041", "x"], 2, /--prefix must be/],
  [["--system", "000041", "--prefix", "a-b", "x"], 2, /--prefix must be/],
  [["--system", "000041", "--prefix", "a"], 2, /mask takes 2 or more words/],
  [
    ["--system", "000041", "--prefix", "a", "--names", "/nowhere/m", "x"],
    3,
    /\/nowhere\/m cannot be read/,
  ],
  [["--system", "000041", "--prefix", "a", "--names", MAIN, "x"], 3, /main\.ts: line 1, column 1/],
] as [string[], number, RegExp][]) {
  test(`refused: ${words.join(" ").slice(0, 60)}`, async () => {
    const outcome = await check(...words);
    assert.match(outcome.stderr, fault);
    assert.is(outcome.stdout, "");
    assert.is(outcome.code, code);
  });
}

test.run();

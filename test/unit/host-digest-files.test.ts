/*
 * Files with known digests: copied where they are missing or differ, and every difference is found.
 */
import { createHash } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { checkFiles, copyFiles, replaceFile, sumBytes } from "../../src/host/digest-files.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-digests-"));
const from = join(folder, "from");
const quiet = () => undefined;

/** One of each kind: empty, small, below a directory, larger than what is read at once. */
const CONTENT: Readonly<Record<string, Buffer>> = {
  empty: Buffer.alloc(0),
  small: Buffer.from("a few bytes"),
  "deep/er/small.mod": Buffer.from("a module"),
  "deep/large": Buffer.alloc(2 * 1024 * 1024 + 7, "large "),
};
const files = Object.fromEntries(
  Object.entries(CONTENT).map(([name, content]) => {
    mkdirSync(dirname(join(from, name)), { recursive: true });
    writeFileSync(join(from, name), content);
    const sha256 = createHash("sha256").update(content).digest("hex");
    return [name, { sha256, sizeBytes: content.length }];
  }),
);
const failed = (act: Promise<unknown>) =>
  act.then(
    () => "nothing failed",
    ({ message }: Error) => message,
  );

test("what is missing or differs is copied, what is there stays", async () => {
  const to = join(folder, "to");
  const seen: number[] = [];
  await copyFiles(from, to, files, (done) => void seen.push(done));
  assert.is(seen.at(-1), sumBytes(files));
  for (const [name, content] of Object.entries(CONTENT)) {
    assert.ok(readFileSync(join(to, name)).equals(content), name);
  }
  await checkFiles(to, files, quiet);

  const old = new Date(1_000_000_000_000);
  for (const name of ["small", "deep/large"]) utimesSync(join(to, name), old, old);
  writeFileSync(join(to, "deep/er/small.mod"), "a mOdule");
  rmSync(join(to, "empty"));
  await copyFiles(from, to, files, quiet);
  await checkFiles(to, files, quiet);
  for (const name of ["small", "deep/large"]) {
    assert.is(statSync(join(to, name)).mtimeMs, old.getTime(), `${name} was written again`);
  }
});

test("a source without its digest is not copied, small or large", async () => {
  for (const name of ["small", "deep/large"]) {
    const bad = join(folder, `bad-${name.length}`);
    await copyFiles(from, bad, files, quiet);
    const content = Buffer.from(CONTENT[name] ?? "");
    content[3] = 0;
    writeFileSync(join(bad, name), content);
    const to = join(folder, `none-${name.length}`);
    assert.match(await failed(copyFiles(bad, to, files, quiet)), /does not have its digest/);
  }
});

test("the check names what is missing, shorter or different", async () => {
  for (const [name, spoil, words] of [
    ["small", (path: string) => rmSync(path), /small is missing/],
    ["small", (path: string) => writeFileSync(path, "short"), /has 5 bytes, not 11/],
    ["small", (path: string) => writeFileSync(path, "a few Bytes"), /has the digest/],
    [
      "deep/large",
      (path: string) => writeFileSync(path, Buffer.alloc(2 * 1024 * 1024 + 7)),
      /large has the digest/,
    ],
  ] as const) {
    const at = join(folder, "checked");
    rmSync(at, { recursive: true, force: true });
    await copyFiles(from, at, files, quiet);
    spoil(join(at, name));
    assert.match(await failed(checkFiles(at, files, quiet)), words);
  }
});

test("one is replaced, also where its directory is not there yet", async () => {
  const wanted = files["small"] ?? { sha256: "", sizeBytes: 0 };
  const to = join(folder, "EFI/BOOT/BOOTX64.EFI");
  await replaceFile(join(from, "small"), to, wanted);
  assert.is(readFileSync(to, "utf8"), "a few bytes");
  writeFileSync(to, "another");
  await replaceFile(join(from, "small"), to, wanted);
  assert.is(readFileSync(to, "utf8"), "a few bytes");
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

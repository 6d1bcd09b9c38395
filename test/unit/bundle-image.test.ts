/*
 * `zshield bundle image` and the builder that it runs: found or told how, and given whole paths.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseArguments } from "../../build/card.ts";
import { formatOfName } from "../../build/disk.ts";
import { Refusal, UsageError } from "../../src/errors.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const scratch = mkdtempSync(join(tmpdir(), "zshield-image-"));
test.after(() => rmSync(scratch, { recursive: true }));

async function image(...more: string[]): Promise<{ code: number; said: string }> {
  const words = ["bundle", "image", "a b.upt", "--key", "v.pub", "--device", "x.record"];
  const argv = [process.execPath, MAIN, ...words, "--out", "out.qcow2", ...more];
  const child = Bun.spawn(argv, { cwd: scratch, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, said: stdout + stderr };
}

test("the builder gets whole paths, and its refusal is one", async () => {
  const builder = join(scratch, "tree");
  for (const directory of ["build", "node_modules/.bin"]) {
    mkdirSync(join(builder, directory), { recursive: true });
  }
  writeFileSync(join(builder, "build/setup.sh"), 'echo "setup $*"\n');
  writeFileSync(join(builder, "build/card.ts"), "");
  const bun = join(builder, "node_modules/.bin/bun");
  writeFileSync(bun, '#!/bin/sh\nprintf "<%s>" "$@"\necho\n');
  chmodSync(bun, 0o755);
  const { code, said } = await image("--builder", "tree", "--format", "vmdk");
  assert.is(code, 0, said);
  assert.match(said, /^setup card$/m);
  const at = (name: string) => join(scratch, name);
  const wanted = [
    ...[join(builder, "build/card.ts"), "--bundle", at("a b.upt"), "--key", at("v.pub")],
    ...["--device", at("x.record"), "--disk", at("out.qcow2"), "--format", "vmdk"],
  ];
  assert.ok(said.includes(wanted.map((word) => `<${word}>`).join("")), said);
  writeFileSync(bun, "#!/bin/sh\necho no good >&2\nexit 3\n");
  const refused = await image("--builder", "tree");
  assert.is(refused.code, 3);
  assert.match(refused.said, /no good\n.*no virtual disk was made/);
  writeFileSync(bun, "#!/bin/sh\necho no mirror >&2\nexit 1\n");
  const failed = await image("--builder", "tree");
  assert.is(failed.code, 4);
  assert.match(failed.said, /no mirror\nFAILED: no virtual disk was made\ncommand: .*card\.ts/);
});

test("what is not the source tree is refused", async () => {
  const { code, said } = await image("--builder", ".");
  assert.is(code, 3);
  assert.match(said, /\. is not zshield's source tree/);
});

test("the builder's words", () => {
  const words = "--bundle a.upt --key a.pub --key b.pub --device r --disk x.vhdx".split(" ");
  const { bundle, disk } = parseArguments(words);
  assert.equal(bundle, {
    file: "a.upt",
    keys: ["a.pub", "b.pub"],
    device: "r",
    platform: undefined,
  });
  assert.is(disk, "x.vhdx");
  assert.is(parseArguments(["--format", "qcow2"]).format, "qcow2");
  for (const [text, reason] of [
    ["--bundle a.upt --device r", /needs --key/],
    ["--bundle a.upt --key k", /needs --key FILE.pub and --device/],
    ["--bundle a.upt --key k --device r --from x", /without --from/],
    ["--key k", /are of a --bundle/],
    ["--format vdi", /no format “vdi”: raw, qcow2, vmdk, vhdx/],
  ] as const) {
    try {
      parseArguments(text.split(" "));
      assert.unreachable(text);
    } catch (error) {
      assert.ok(error instanceof UsageError && !(error instanceof Refusal), String(error));
      assert.match(error.message, reason);
    }
  }
  assert.equal(
    ["a.qcow2", "b.VMDK", "c.vhdx", "d.img", "e"].map((name) => formatOfName(name)),
    ["qcow2", "vmdk", "vhdx", "raw", "raw"],
  );
});

test.run();

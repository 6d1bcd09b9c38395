/*
 * A vendor's first steps: as README.md has them, which is as root, and on a disk that is full.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const test = suite("vendor steps");
const MAIN = join(import.meta.dir, "../../src/main.ts");
const folder = makeFolder("vendor-steps");
const at = (...parts: string[]) => join(folder, ...parts);
test.after(() => dropFolder(folder));

test("the first steps of README.md work as they stand there", async () => {
  const readme = readFileSync(join(import.meta.dir, "../../README.md"), "utf8");
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = ""]) => text);
  const steps = blocks.find((text) => text.includes("zshield key new --out vendor")) ?? "";
  writeFileSync(at("password"), "a long password\n");
  mkdirSync(at("steps/bin"), { recursive: true });
  // Each asks for the password, which a person would type.
  const program = `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@" < '${at("password")}'\n`;
  writeFileSync(at("steps/bin/zshield"), program, { mode: 0o755 });
  const script = steps.split("\n").filter((line) => !line.startsWith("npm run build"));
  const child = Bun.spawn(["sh", "-e", "-c", script.join("\n")], {
    cwd: at("steps"),
    env: {
      ...process.env,
      SOURCE_DATE_EPOCH: "",
      PATH: `${at("steps/bin")}:${process.env["PATH"]}`,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const said = await Promise.all(
    [child.stdout, child.stderr].map((one) => new Response(one).text()),
  );
  assert.is(await child.exited, 0, said.join("\n"));
  assert.match(
    said[0] ?? "",
    /out\/video-1\.1\.\d{4}\.upt is video-1\.1\.\d{4}, release 1, signed by/,
  );
});

test("a project that is begun on a full disk leaves nothing in the way", async () => {
  const script = [
    'mount -t tmpfs -o size=8k,nr_inodes=9 none "$1" && head -c 4096 /dev/zero > "$1/fill"',
    'mkdir "$1/empty"; shift; "$@"; code=$?; ls -A "$DIRECTORY" "$DIRECTORY/empty"; exit $code',
  ].join("\n");
  mkdirSync(at("full"));
  for (const [words, there] of [
    [["bundle", "new", at("full/project")], ""],
    [["bundle", "new", at("full/empty")], ""],
    [["package", "new", at("full/a/b/c/d/e/f/g/h-1.0.1-1.1-000000")], ""],
  ] as const) {
    const argv = ["unshare", "--mount", "sh", "-c", script, "sh", at("full")];
    const child = Bun.spawnSync([...argv, process.execPath, MAIN, ...words], {
      env: { ...process.env, DIRECTORY: at("full") },
    });
    const said = child.stdout.toString();
    assert.is(child.exitCode, 3, `${said}${child.stderr.toString()}`);
    assert.is(
      said.replaceAll(/^\/.*:$|\n|^empty$|^fill$/gm, "").replace(/^a$/, ""),
      there,
      words.join(" "),
    );
  }
});

test.run();

/*
 * dist/zshield: esbuild makes one file of src/, Bun makes one executable of that file and the sealed
 * runtime. Built only if something that goes in has changed, and not kept unless it passes the gate:
 * it says its version whatever the environment holds, and needs no library but those listed.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import * as esbuild from "esbuild";
import { blessedPlugin, NOT_BUNDLED } from "./blessed-plugin.ts";
import { cacheDirectory, digestOf, digestOfFile, DIST, keepFile, REPOSITORY } from "./cache.ts";
import { asProgram, output, run, told } from "./command.ts";
import { sealedRuntime } from "./runtime.ts";

const EXECUTABLE = path.join(DIST, "zshield");
const BUN = path.join(REPOSITORY, "node_modules/.bin/bun");
const ENTRY = path.join(REPOSITORY, "src/main.ts");
/** What the code takes for its folder; there is nothing of it on a machine. */
const HOME = "/usr/lib/zshield";

/** What the executable needs from the system; the rescue initramfs takes these along. */
export const LIBRARIES = [
  "ld-linux-x86-64.so.2",
  "libc.so.6",
  "libdl.so.2",
  "libm.so.6",
  "libpthread.so.0",
];

/** Listed with the libraries, but no file. */
const KERNEL_PAGE = "linux-vdso.so.1";

/** Path of dist/zshield, built if its inputs changed. */
export async function makeExecutable(): Promise<string> {
  const stamp = path.join(cacheDirectory("runtime"), "zshield.stamp");
  const digest = await inputDigest();
  const known = existsSync(stamp) ? await Bun.file(stamp).text() : "";
  if (existsSync(EXECUTABLE) && known === `${digest} ${await sizeAndTime(EXECUTABLE)}`) {
    return EXECUTABLE;
  }
  await told("dist/zshield", () => build(ENTRY, EXECUTABLE));
  await Bun.write(`${EXECUTABLE}.sha256`, `${await digestOfFile(EXECUTABLE)}  zshield\n`);
  await Bun.write(stamp, `${digest} ${await sizeAndTime(EXECUTABLE)}`);
  return EXECUTABLE;
}

/** Bundles `entry`, compiles it, checks the result, and only then puts it in the place of `target`. */
export async function build(entry: string, target: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const work = await mkdtemp(path.join(path.dirname(target), ".zshield-"));
  try {
    const bundle = path.join(work, "zshield.js");
    await esbuild.build({
      entryPoints: [entry],
      outfile: bundle,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "esnext",
      external: [...NOT_BUNDLED, "bun", "bun:*"],
      plugins: [blessedPlugin],
      // Where it is built must not be found in it: blessed looks for its files beside itself, and each module has
      // the name of its file.
      define: { __dirname: JSON.stringify(HOME), __filename: JSON.stringify(`${HOME}/zshield.js`) },
      absWorkingDir: REPOSITORY,
      preserveSymlinks: true,
      legalComments: "none",
      logLevel: "warning",
    });
    const made = path.join(work, "zshield");
    await run(
      [
        ...[BUN, "build", bundle, "--compile", "--target=bun-linux-x64-baseline"],
        `--compile-executable-path=${await sealedRuntime()}`,
        ...["--no-compile-autoload-dotenv", "--no-compile-autoload-bunfig"],
        ...["--no-compile-autoload-tsconfig", "--no-compile-autoload-package-json"],
        ...["--minify", "--sourcemap=none", `--outfile=${made}`],
      ],
      { cwd: work },
    );
    await chmod(made, 0o755);
    await checkExecutable(made);
    await keepFile(made, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Each of these changes what an unsealed Bun program does, or prints. */
const HOSTILE = [
  ...["BUN_BE_BUN=1", "BUN_OPTIONS=--preload /nonexistent.js", "BUN_OPTIONS=--version"],
  ...["BUN_INSPECT=ws://127.0.0.1:1/", "BUN_INSPECT_PRELOAD=/nonexistent.js", "NODE_CHANNEL_FD=0"],
  ...["BUN_JSC_dumpOptions=1", "BUN_JSC_nonsense=1", "MIMALLOC_VERBOSE=1", "mimalloc_verbose=1"],
  ...[
    "NODE_OPTIONS=--require /nonexistent.js",
    "NODE_PATH=/nonexistent",
    "BUN_CONFIG_VERBOSE_FETCH=1",
  ],
  ...["BUN_BYTECODE_ORDER_OUT=./order", "NODE_V8_COVERAGE=./coverage", "BUN_TRACE=./trace"],
];

/** @throws Error if the environment or a folder can change `--version`, or a library is missing. */
export async function checkExecutable(file: string): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "zshield-gate-"));
  try {
    await Bun.write(path.join(folder, ".env"), "BUN_BE_BUN=1\nZSHIELD=changed\n");
    await Bun.write(path.join(folder, "bunfig.toml"), 'preload = ["./preload.js"]\n');
    await Bun.write(path.join(folder, "preload.js"), 'console.log("preloaded");\n');
    const wanted = await version(file, []);
    if (wanted.code !== 0 || wanted.said.trim() === "") {
      throw new Error(`--version ended with ${wanted.code}: ${wanted.said}`);
    }
    for (const variable of HOSTILE) {
      const found = await version(file, [variable], folder);
      if (found.code !== wanted.code || found.said !== wanted.said) {
        throw new Error(`with ${variable} in the environment --version says: ${found.said}`);
      }
    }
    const left = (await readdir(folder)).filter(
      (name) => !/^(\.env|bunfig.toml|preload.js)$/.test(name),
    );
    if (left.length > 0) throw new Error(`a variable made it write ${left.join(", ")}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  const names = (await output(["ldd", file])).matchAll(/^\s*(\S+)/gm);
  const needed = [...names].map(([, name]) => path.basename(name ?? ""));
  const foreign = needed.filter((name) => !LIBRARIES.includes(name) && name !== KERNEL_PAGE);
  if (foreign.length > 0) throw new Error(`it needs ${foreign.join(", ")}`);
}

async function version(file: string, environment: string[], cwd = "/") {
  const child = Bun.spawn(["env", "-i", ...environment, file, "--version"], {
    ...{ cwd, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    timeout: 20_000,
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code: await child.exited, said: stdout + stderr };
}

async function inputDigest(): Promise<string> {
  const names = (await readdir(path.join(REPOSITORY, "src"), { recursive: true }))
    .filter((name) => /\.(ts|json|txt)$/.test(name))
    .map((name) => `src/${name}`);
  names.push("package.json", "package-lock.json");
  names.push("build/executable.ts", "build/runtime.ts", "build/blessed-plugin.ts");
  const digests = names
    .sort()
    .map(async (name) => [name, await digestOfFile(path.join(REPOSITORY, name))]);
  return digestOf(await Promise.all(digests));
}

async function sizeAndTime(file: string): Promise<string> {
  const { size, mtimeMs } = await Bun.file(file).stat();
  return `${size} ${mtimeMs}`;
}

if (import.meta.main) await asProgram(async () => console.log(await makeExecutable()));

/*
 * The throw-away root of a harvest: nobody else sees its mounts, they are gone with the process however it ends, and what
 * could not be unmounted is not emptied.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeScratch, withInstalled } from "../../src/host/harvest/apt-root.ts";
import { command } from "../lab/command.ts";
import {
  dropFolder,
  forgetMount,
  forgetProcess,
  makeFolder,
  PROJECT,
  registerMount,
  registerProcess,
} from "../lab/scratch.ts";

const folder = makeFolder("harvest");
const test = suite("harvest root");
test.after(() => dropFolder(folder));

const root = makeRoot("plain");
const scratch = join(folder, "scratch");
const outside = join(folder, "outside");
for (const directory of [outside, join(scratch, "lists/partial")]) {
  mkdirSync(directory, { recursive: true });
}
writeFileSync(join(outside, "seen"), "");

function makeRoot(name: string): string {
  const directory = join(folder, name);
  for (const place of ["usr/sbin", "usr/bin", "var/lib/dpkg"]) {
    mkdirSync(join(directory, place), { recursive: true });
  }
  for (const file of ["usr/bin/dpkg", "var/lib/dpkg/status"]) {
    writeFileSync(join(directory, file), "");
  }
  return directory;
}

function start(from: string, ...more: string[]) {
  const script = join(import.meta.dirname, "installed-root.ts");
  const words = [process.execPath, script, from, scratch, join(outside, "seen"), ...more];
  return Bun.spawn(words, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
}

/** A root in which `dpkg` is this script; returns how to start with a package for it. */
async function makeInstalling(name: string, script: string) {
  const [from, tree] = [makeRoot(name), join(folder, `package-${name}`)];
  for (const program of ["/usr/bin/sh", "/usr/bin/env", "/usr/bin/sleep"]) {
    const { stdout } = await command(["ldd", program]);
    for (const file of [program, ...(stdout.match(/\/\S+/g) ?? [])]) {
      mkdirSync(dirname(join(from, file)), { recursive: true });
      copyFileSync(file, join(from, file));
    }
  }
  writeFileSync(join(from, "usr/bin/dpkg"), `#!/usr/bin/sh\n${script}\n`);
  chmodSync(join(from, "usr/bin/dpkg"), 0o755);
  mkdirSync(join(tree, "DEBIAN"), { recursive: true });
  const control = "Package: one\nVersion: 1\nArchitecture: all\nMaintainer: nobody <n@b.c>\n";
  writeFileSync(join(tree, "DEBIAN/control"), `${control}Description: one\n`);
  await command(["dpkg-deb", "--build", tree, `${tree}.deb`]);
  return () => start(from, "hold", `${tree}.deb`);
}

/** Numbers of processes that sleep so long. */
function sleepers(seconds: number): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return /^\d+$/.test(pid) && words === `/usr/bin/sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}

interface Inside {
  readonly pid: number;
  readonly isSeen: boolean;
  readonly mounts: number;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<Inside> {
  let text = "";
  for await (const piece of stream) {
    text += new TextDecoder().decode(piece);
    if (text.includes("\n")) break;
  }
  return JSON.parse(text) as Inside;
}

const mountsHere = () =>
  readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(folder));
const leftOver = () => readdirSync(scratch).filter((name) => name.startsWith(".harvest-"));

async function ended(pid: number): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    // Of one that nobody waited for, an entry without words is there.
    const words = await Bun.file(`/proc/${pid}/cmdline`)
      .text()
      .catch(() => "");
    if (words === "") return true;
    await Bun.sleep(50);
  }
  return false;
}

test("what is still mounted keeps its files, and all else goes", async () => {
  const directory = join(folder, ".harvest-x");
  const at = join(directory, "root/dev");
  mkdirSync(at, { recursive: true });
  writeFileSync(join(directory, "upper"), "");
  await command(["mount", "-t", "tmpfs", "tmpfs", at]);
  registerMount(at);
  writeFileSync(join(at, "null"), "");
  removeScratch(directory);
  const [isKept, isGone] = [existsSync(join(at, "null")), !existsSync(join(directory, "upper"))];
  await command(["umount", at]);
  forgetMount(at);
  assert.ok(isKept, "a file of another file system was removed");
  assert.ok(isGone);
  removeScratch(directory);
  assert.not.ok(existsSync(directory));
});

test("a root is refused before anything is mounted where its link leads", async () => {
  const plain = start(root);
  assert.ok((await firstLine(plain.stdout)).isSeen);
  assert.is(await plain.exited, 0);
  assert.equal(leftOver(), []);
  const hostile = makeRoot("hostile");
  symlinkSync(outside, join(hostile, "tmp"));
  const refused = start(hostile);
  assert.match(
    await new Response(refused.stderr).text(),
    /\/tmp of the root is a link to .*outside, which leads/,
  );
  assert.is(await refused.exited, 3);
});

for (const which of ["the process that was started", "the one that mounts"]) {
  test(`SIGKILL of ${which} leaves no mount and no process; the next harvest removes the files`, async () => {
    const outer = start(root, "hold");
    registerProcess(outer.pid);
    const { pid, mounts } = await firstLine(outer.stdout);
    registerProcess(pid);
    assert.ok(mounts >= 5, `only ${mounts} mounts inside`);
    assert.equal(mountsHere(), [], "mounts are seen outside");
    process.kill(which === "the one that mounts" ? pid : outer.pid, "SIGKILL");
    await outer.exited;
    assert.ok(await ended(pid), "the process that mounts lives on");
    for (const gone of [pid, outer.pid]) forgetProcess(gone);
    assert.equal(mountsHere(), []);
    assert.is(leftOver().length, 1);
    const next = start(root);
    assert.is(await next.exited, 0);
    assert.equal(leftOver(), []);
  });
}

test("what a package's script leaves running is gone when dpkg has ended", async () => {
  const startIt = await makeInstalling("daemon", "/usr/bin/sleep 31557 >&- 2>&- &");
  const outer = startIt();
  registerProcess(outer.pid);
  registerProcess((await firstLine(outer.stdout)).pid);
  const left = sleepers(31557);
  outer.kill("SIGTERM");
  await outer.exited;
  for (const pid of left) process.kill(Number(pid), "SIGKILL");
  assert.equal(left, []);
});

test("SIGKILL while dpkg works ends what its scripts left running, too", async () => {
  const script = "/usr/bin/sleep 31558 >&- 2>&- &\n/usr/bin/sleep 31559";
  const outer = (await makeInstalling("killed", script))();
  registerProcess(outer.pid);
  const until = async (isSo: () => boolean) => {
    for (let tries = 0; tries < 200 && !isSo(); tries += 1) await Bun.sleep(50);
    return isSo();
  };
  assert.ok(await until(() => sleepers(31558).length + sleepers(31559).length === 2));
  outer.kill("SIGKILL");
  const isOver = await until(() => sleepers(31558).length + sleepers(31559).length === 0);
  for (const pid of [...sleepers(31558), ...sleepers(31559)]) process.kill(Number(pid), "SIGKILL");
  assert.ok(isOver);
  assert.is(await start(root).exited, 0);
  assert.equal(leftOver(), []);
});

test("what the machine unmounts meanwhile is unmounted inside, too", async () => {
  const at = join(folder, "shared");
  const inner = join(at, "card");
  const seenIn = (pid: number) => readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(inner);
  mkdirSync(at);
  await command(["mount", "-t", "tmpfs", "tmpfs", at]);
  registerMount(at);
  // As every mount is where systemd runs.
  await command(["mount", "--make-shared", at]);
  mkdirSync(inner);
  await command(["mount", "-t", "tmpfs", "tmpfs", inner]);
  registerMount(inner);
  const outer = start(root, "hold");
  registerProcess(outer.pid);
  const { pid } = await firstLine(outer.stdout);
  registerProcess(pid);
  assert.ok(seenIn(pid), "the mount is not seen inside: this proves nothing");
  await command(["umount", inner]);
  forgetMount(inner);
  const isHeld = seenIn(pid);
  outer.kill("SIGTERM");
  await outer.exited;
  for (const gone of [pid, outer.pid]) forgetProcess(gone);
  await command(["umount", at]);
  forgetMount(at);
  assert.not.ok(isHeld);
});

test("SIGTERM removes the files as well", async () => {
  const outer = start(root, "hold");
  registerProcess(outer.pid);
  registerProcess((await firstLine(outer.stdout)).pid);
  outer.kill("SIGTERM");
  assert.is(await outer.exited, 128 + constants.signals.SIGTERM);
  assert.equal(leftOver(), []);
});

test("the command itself works so: what apt says is told, with its exit code", async () => {
  const main = join(PROJECT, "src/main.ts");
  const words = ["no-such-package", "--root", root, "--out", scratch, "--apt"];
  const argv = [process.execPath, main, "package", "harvest", ...words];
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  assert.match(
    await new Response(child.stderr).text(),
    /^zshield: apt cannot fetch no-such-package: /,
  );
  assert.is(await child.exited, 3);
});

test("where others would see its mounts, nothing is mounted", async () => {
  const options = { scratch, cache: undefined, configuration: undefined };
  const refused = await withInstalled(root, [], options, async () => "mounted").catch(String);
  assert.match(refused, /has no mount namespace of its own/);
});

test.run();

/*
 * The vendor's own tests: executables in usr/lib/zshield/factory-tests.d of the installed root.
 *
 * A test runs as root in a chroot of that root, which is mounted read-only; /run, /tmp and /dev/shm are memory and
 * empty. Standard input is empty. Its environment: PATH, HOME=/, LANG=C.UTF-8, ZSHIELD_SERIAL (of the box),
 * ZSHIELD_DISK (path of the disk), ZSHIELD_TEST (its name), and ZSHIELD_RUN. Exit code 0 passes, 77 skips, every
 * other fails; where standard output begins with TAP, that decides, and an exit code that is not 0 fails. At the
 * end of its time it gets SIGTERM, a little later SIGKILL, and so does all that it started; what it leaves running is ended.
 *
 * Owns: finding, running and judging them. What they print is material: it is bounded, and made visible.
 */
import { lstatSync, readdirSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { messageOf, Refusal } from "../../errors.ts";
import { MOST_VENDOR_TESTS, type TestOutcome } from "../../model/factory.ts";
import { VENDOR_TESTS } from "../../model/places.ts";
import { because } from "../../model/reasons.ts";
import { visible } from "../../model/text.ts";
import { makeLines, TOOL_PATH } from "../command.ts";
import { failed, outcomeOf, passed, type Box, type Finding } from "./box.ts";
import { chrootOf, endRest, MARK, type Enclosure } from "./enclosure.ts";
import { makeOutput, type Output } from "./output.ts";
import { isTap, makeTapReader, type TapReader } from "./tap.ts";

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
/** What editors and packages leave beside a file. */
const LEFT_OVER = /^\.|~$|\.(dpkg-[a-z]+|rpm(save|new|orig)|bak|orig|swp)$/;
const MOST_LINKS = 40;

/**
 * Names, sorted. None where there is no such directory. A file that is not executable is no test.
 * @throws Refusal where one cannot be run as it is: silence about it would be a PASS that means nothing.
 */
export function listVendorTests(root: string): string[] {
  const directory = resolveIn(root, VENDOR_TESTS);
  if (directory === undefined) return [];
  if (!statSync(join(root, directory)).isDirectory()) {
    throw new Refusal(because("vendor.no-directory", VENDOR_TESTS));
  }
  const names = readdirSync(join(root, directory)).filter((name) => !LEFT_OVER.test(name));
  const tests = names.filter((name) => isTest(root, `${directory}/${name}`)).sort();
  const odd = tests.find((name) => !NAME.test(name));
  if (odd !== undefined) {
    throw new Refusal(
      because("vendor.odd-name", visible(odd)),
      "letters, digits, . - and _, at most 64 of them",
    );
  }
  if (tests.length > MOST_VENDOR_TESTS) {
    throw new Refusal(
      because("vendor.too-many", String(tests.length), String(MOST_VENDOR_TESTS)),
      "one program can make many tests: let it print TAP",
    );
  }
  return tests;
}

function isTest(root: string, path: string): boolean {
  const place = resolveIn(root, path);
  if (place === undefined) throw new Refusal(because("vendor.link-to-nothing", visible(path)));
  const found = statSync(join(root, place));
  return found.isFile() && (found.mode & 0o111) !== 0;
}

/**
 * The place below `root` that a path leads to when `root` is `/`, or undefined where there is nothing.
 * @throws Refusal where a link climbs out of it.
 */
export function resolveIn(root: string, path: string): string | undefined {
  const rest = path.split("/");
  const place: string[] = [];
  for (let links = 0; rest.length > 0;) {
    const part = rest.shift() ?? "";
    if (part === "" || part === ".") continue;
    if (part === "..") {
      if (place.pop() === undefined) {
        throw new Refusal(because("vendor.link-out", visible(path)));
      }
      continue;
    }
    const at = join(root, ...place, part);
    const found = lstatSync(at, { throwIfNoEntry: false });
    if (!found) return undefined;
    if (!found.isSymbolicLink()) {
      place.push(part);
      continue;
    }
    if (++links > MOST_LINKS) throw new Refusal(because("vendor.link-circle", visible(path)));
    const target = readlinkSync(at);
    if (target.startsWith("/")) place.length = 0;
    rest.unshift(...target.split("/"));
  }
  return place.join("/");
}

/** Between SIGTERM and SIGKILL. */
const GRACE_MS = 5_000;
/** For what still lies in the pipes when a test has ended, and for killed processes to be gone. */
const REST_MS = 3_000;
const SKIPPED = 77;

export interface VendorRun {
  readonly outcome: TestOutcome;
  /** Visible lines, at most 64 KiB. */
  readonly output: string;
}

/** Never throws. `within`, `graceMs`: for tests. */
export async function runVendorTest(
  name: string,
  box: Box,
  seconds: number,
  within: Enclosure = chrootOf(box.root),
  graceMs = GRACE_MS,
): Promise<VendorRun> {
  const output = makeOutput();
  const outcome = await outcomeOf({ name: visible(name), origin: "vendor" }, async () => {
    let finding: Finding;
    try {
      await within.open();
      finding = await runIn(within, { name, box, seconds, graceMs, output });
    } catch (error) {
      finding = failed(because("vendor.not-run", messageOf(error)));
    }
    const busy = await within.close();
    if (busy.length === 0) return finding;
    box.log(`${name}: still in use afterwards: ${busy.join(", ")}`);
    return finding.outcome === "fail"
      ? finding
      : failed(because("vendor.left-busy", busy.join(", ")));
  });
  return { outcome, output: output.text() };
}

interface Task {
  readonly name: string;
  readonly box: Box;
  readonly seconds: number;
  readonly graceMs: number;
  readonly output: Output;
}

async function runIn(within: Enclosure, task: Task): Promise<Finding> {
  const { name, box, seconds, graceMs, output } = task;
  const mark = crypto.randomUUID();
  const child = Bun.spawn([...within.prefix, `/${VENDOR_TESTS}/${name}`], {
    cwd: "/",
    env: {
      PATH: TOOL_PATH,
      HOME: "/",
      LANG: "C.UTF-8",
      ZSHIELD_SERIAL: box.machine.serial,
      ZSHIELD_DISK: box.disk.path,
      ZSHIELD_TEST: name,
      [MARK]: mark,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    // A session of its own: no terminal of ours, and one group for the signals.
    detached: true,
  });
  const judge = makeJudge();
  const stdout = follow(child.stdout, (line) => {
    judge.add(line);
    output.add(line);
  });
  const stderr = follow(child.stderr, output.add);

  const inTime = await endsWithin(child.exited, seconds * 1000);
  if (!inTime) {
    signalGroup(child.pid, "SIGTERM");
    await endsWithin(child.exited, graceMs);
  } else {
    // What it had not printed yet when it ended; a daemon may hold the pipes for ever.
    await endsWithin(Promise.all([stdout.done, stderr.done]), Math.min(graceMs, REST_MS));
  }
  signalGroup(child.pid, "SIGKILL");
  const left = await endRest(mark, within.root, REST_MS);
  await endsWithin(Promise.all([child.exited, stdout.done, stderr.done]), REST_MS);
  stdout.stop();
  stderr.stop();
  child.unref();

  if (!inTime) return failed(withLast(because("vendor.late", String(seconds)), output));
  if (left > 0) return failed(because("vendor.left-running"));
  if (child.signalCode !== null)
    return failed(withLast(because("vendor.killed", String(child.signalCode)), output));
  return judge.end(child.exitCode ?? 0, output);
}

/** Judges by TAP where the first line that is not blank is TAP, else by the exit code. */
function makeJudge() {
  let tap: TapReader | undefined;
  let hasBegun = false;
  return {
    add(line: string): void {
      if (!hasBegun && line.trim() === "") return;
      if (!hasBegun && isTap(line)) tap = makeTapReader();
      hasBegun = true;
      tap?.add(line);
    },
    end(code: number, output: Output): Finding {
      const told = tap?.end();
      if (told?.outcome === "fail") return told;
      if (code === SKIPPED && !told) {
        return { outcome: "skip", reason: output.lastLine() || "it skips itself (exit code 77)" };
      }
      if (code !== 0) return failed(withLast(because("vendor.exit", String(code)), output));
      return told ?? passed(output.lastLine());
    },
  };
}

function withLast(what: string, output: Output): string {
  const last = output.lastLine();
  return last === "" ? what : because("vendor.last", what, last);
}

/** After so many bytes everyone else in this process gets a turn: screen, watchdog, the time limit. */
const TURN_BYTES = 256 * 1024;

/** Hands out lines until the pipe ends. `done` never rejects. */
function follow(pipe: ReadableStream<Uint8Array>, take: (line: string) => void) {
  const reader = pipe.getReader();
  const lines = makeLines(take);
  const loop = async () => {
    for (let bytes = 0; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      lines.add(value);
      bytes += value.length;
      if (bytes < TURN_BYTES) continue;
      bytes = 0;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  };
  return {
    done: loop()
      .catch(() => undefined)
      .finally(() => lines.end()),
    stop: () => void reader.cancel().catch(() => undefined),
  };
}

async function endsWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
  });
  const inTime = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}

function signalGroup(pid: number, signal: "SIGTERM" | "SIGKILL"): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // All of it has ended already.
  }
}

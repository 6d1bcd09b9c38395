/*
 * A virtual machine: what it is made of, starting it, its serial line, cutting its power.
 * Each one has a time limit, dies with this process (setpriv --pdeathsig), and leaves its serial line
 * in a file. A reset ends QEMU, so that each boot is a machine of its own.
 * Owns: the life of QEMU's process (hardware.ts has its arguments). Must not know zshield.
 */
import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { blockNode, machineArguments, type Drive, type MachineOptions } from "./hardware.ts";
import { openQmp, type Qmp } from "./qmp.ts";
import { dropFolder, forgetProcess, makeSocketFolder, registerProcess } from "./scratch.ts";
import { makeSerial, patience, type Match, type Serial } from "./serial.ts";

export interface Machine {
  readonly name: string;
  readonly pid: number;
  readonly serial: Serial;
  readonly logPath: string;
  readonly qmp: Qmp;
  waitFor(pattern: RegExp | string, seconds: number, unless?: RegExp): Promise<Match>;
  /** Typed on the serial line as it is; Enter is `\r`. */
  send(text: string): void;
  /** Resolves when QEMU has ended, however. */
  readonly ended: Promise<void>;
  /** The power cut: SIGKILL. */
  kill(): Promise<void>;
  /** Waits for a reset or a power-off of the guest. @throws Error when the time is over. */
  waitForEnd(seconds: number): Promise<void>;
  /** Presses the power button. The guest may not listen to it. */
  pressPower(): Promise<void>;
  /** Plugs a disk into the SCSI controller of a machine that `takesDisks`. */
  plug(drive: Drive): Promise<void>;
  /** Lets a machine that was saved go on, when its memory has been read. */
  resume(): Promise<void>;
  /** Writes the machine's memory to a file and ends it; its disks stay as they are at that moment. */
  save(file: string): Promise<void>;
  /** A picture of the VGA screen (PPM). */
  screendump(path: string): Promise<void>;
}

/** @throws Error with QEMU's own words if it does not start. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const folder = makeSocketFolder();
  const logPath = join(options.logs, `${options.name}.log`);
  mkdirSync(dirname(logPath), { recursive: true });
  const argv = machineArguments(options, { folder, logPath });
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...argv], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error("setpriv or qemu-system-x86_64 cannot be started");
  registerProcess(pid);

  const serial = makeSerial();
  let complaint = "";
  let why = "";
  child.stdout.on("data", (chunk: Buffer) => {
    serial.push(chunk);
    options.onOutput?.(chunk);
  });
  child.stderr.on("data", (chunk: Buffer) => (complaint += chunk.toString()));
  child.stdin.on("error", () => {});
  const limitSeconds = (options.limitSeconds ?? 1800) * patience;
  const limit = setTimeout(() => {
    why = `the machine was ended after its limit of ${limitSeconds} s`;
    child.kill("SIGKILL");
  }, limitSeconds * 1000);
  const ended = new Promise<void>((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(limit);
      forgetProcess(pid);
      dropFolder(folder);
      if (why === "") why = `the machine has ended (${signal ?? `exit code ${code}`}) ${complaint}`;
      serial.end(why.trim());
      resolve();
    });
  });

  let qmp: Qmp;
  try {
    qmp = await Promise.race([
      openQmp(join(folder, "qmp")),
      ended.then(() => Promise.reject(new Error(`QEMU did not start: ${complaint.trim()}`))),
    ]);
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }

  let plugged = 0;

  async function waitForEnd(seconds: number): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => reject(new Error(`the machine still ran after ${seconds * patience} s`)),
      seconds * patience * 1000,
    );
    await Promise.race([ended, promise]).finally(() => clearTimeout(timer));
  }

  return {
    name: options.name,
    pid,
    serial,
    logPath,
    qmp,
    ended,
    waitFor: (pattern, seconds, unless) => serial.waitFor(pattern, seconds, unless),
    send: (text) => void child.stdin.write(text),
    async kill() {
      why = "its power was cut";
      child.kill("SIGKILL");
      await ended;
    },
    waitForEnd,
    async pressPower() {
      await qmp.execute("system_powerdown");
    },
    async plug({ source, serial, revision }) {
      plugged += 1;
      const node = `plugged${plugged}`;
      await qmp.execute("blockdev-add", blockNode(source, node));
      const place = { driver: "scsi-hd", bus: "scsi.0", "scsi-id": 10 + plugged };
      const version = revision === undefined ? {} : { ver: revision };
      const id = `${node}-device`;
      await qmp.execute("device_add", { ...place, ...version, id, drive: node, serial });
    },
    async resume() {
      for (;;) {
        const { status } = (await qmp.execute("query-status")) as { readonly status: string };
        if (status === "paused") break;
        await Bun.sleep(50);
      }
      await qmp.execute("cont");
    },
    async save(file) {
      await qmp.execute("stop");
      await qmp.execute("migrate", { uri: `exec:cat >'${file}'` });
      for (;;) {
        const { status } = (await qmp.execute("query-migrate")) as { readonly status: string };
        if (status === "completed") break;
        if (status === "failed") throw new Error("the machine's memory could not be written");
        await Bun.sleep(100);
      }
      why = "it was saved";
      child.kill("SIGKILL");
      await ended;
    },
    async screendump(path) {
      await qmp.execute("screendump", { filename: path });
    },
  };
}

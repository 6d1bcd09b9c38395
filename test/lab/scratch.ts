/*
 * What the lab leaves on the host while it works, and that nothing of it stays: folders for disk images,
 * running machines, mounts. Everything is registered here and undone at the end, also on Ctrl-C.
 * `ZSHIELD_SCRATCH` names another place for the images than dist/lab/scratch.
 * Owns: the register. Must not know what a machine or an image is.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const PROJECT = resolve(import.meta.dir, "../..");
export const LAB_DIRECTORY = join(PROJECT, "dist/lab");

const folders = new Set<string>();
const processes = new Set<number>();
const mounts = new Set<string>();
let watching = false;

/** A new, empty folder for images; `dropFolder` removes it, the end of the process too. */
export function makeFolder(name: string): string {
  const root = process.env.ZSHIELD_SCRATCH ?? join(LAB_DIRECTORY, "scratch");
  mkdirSync(root, { recursive: true });
  if (!watching) dropOrphans(root);
  return registerFolder(mkdtempSync(join(root, `${name}-${process.pid}-`)));
}

/** What a process that was killed could not remove: its number is in the name. */
function dropOrphans(root: string): void {
  for (const name of readdirSync(root)) {
    const pid = /-(\d+)-[A-Za-z0-9]{6}$/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    rmSync(join(root, name), { recursive: true, force: true });
  }
}

/** A short path for sockets: the kernel allows them 107 characters. */
export function makeSocketFolder(): string {
  return registerFolder(mkdtempSync(join(tmpdir(), "zs-")));
}

function registerFolder(path: string): string {
  watch();
  folders.add(path);
  return path;
}

export function dropFolder(path: string): void {
  folders.delete(path);
  rmSync(path, { recursive: true, force: true });
}

/** Makes `--keep` possible: the folder is no longer removed at the end. */
export function keepFolder(path: string): void {
  folders.delete(path);
}

export function registerProcess(pid: number): void {
  watch();
  processes.add(pid);
}

export function forgetProcess(pid: number): void {
  processes.delete(pid);
}

export function registerMount(path: string): void {
  watch();
  mounts.add(path);
}

export function forgetMount(path: string): void {
  mounts.delete(path);
}

/** Kills what runs, unmounts, removes. May be called twice. */
export function cleanUp(): void {
  for (const pid of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended already.
    }
  }
  processes.clear();
  for (const path of [...mounts].reverse()) spawnSync("umount", ["--lazy", path]);
  mounts.clear();
  for (const path of folders) rmSync(path, { recursive: true, force: true });
  folders.clear();
}

function watch(): void {
  if (watching) return;
  watching = true;
  process.on("exit", cleanUp);
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, () => {
      cleanUp();
      process.exit(code);
    });
  }
}

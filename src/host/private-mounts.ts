/*
 * Mounts that nobody else sees: the program starts itself again in a mount namespace of its own. However it ends, by
 * SIGKILL too, nothing stays mounted, since the kernel takes a namespace away with its last process.
 * Owns: whether this process has such a namespace, and starting again in one.
 */
import { readlinkSync } from "node:fs";
import { constants } from "node:os";
import { Refusal } from "../errors.ts";
import { findTool } from "./command.ts";
import { ENDING } from "./signals.ts";

/** Holds the namespace of the process that started us again. */
const OUTSIDE = "ZSHIELD_MOUNTS_OUTSIDE";

export function hasPrivateMounts(): boolean {
  const outside = process.env[OUTSIDE];
  return outside !== undefined && outside !== namespace();
}

/** Whoever mounts something that has to go with this process asks first. */
export function requirePrivateMounts(): void {
  if (!hasPrivateMounts()) throw new Error("this process has no mount namespace of its own");
}

/** The same words, with a mount namespace; returns the exit code. The other process dies with this one. @throws Refusal */
export async function startWithPrivateMounts(): Promise<number> {
  const [setpriv, unshare] = ["setpriv", "unshare"].map((name) => {
    const tool = findTool(name);
    if (tool === undefined)
      throw new Refusal(`${name} is not there`, "it is one of util-linux's programs");
    return tool;
  }) as [string, string];
  if (process.env[OUTSIDE] === namespace()) {
    throw new Refusal("unshare made no mount namespace", "this needs the rights of root");
  }
  const [, script = "", ...words] = process.argv;
  // What is compiled in is no file that could be named.
  const program = script.startsWith("/$bunfs/") ? [] : [...process.execArgv, script];
  const child = Bun.spawn(
    [
      ...[setpriv, "--pdeathsig", "KILL", unshare, "--mount", "--propagation", "slave", "--"],
      ...[process.execPath, ...program, ...words],
    ],
    {
      env: { ...process.env, [OUTSIDE]: namespace() },
      stdio: ["inherit", "inherit", "inherit"],
    },
  );
  const forwards = ENDING.map((signal) => [signal, () => child.kill(signal)] as const);
  for (const [signal, forward] of forwards) process.on(signal, forward);
  try {
    await child.exited;
  } finally {
    for (const [signal, forward] of forwards) process.off(signal, forward);
  }
  const { signalCode } = child;
  // Its type allows a number, which it never is.
  return signalCode === null
    ? (child.exitCode ?? 0)
    : 128 + constants.signals[signalCode as NodeJS.Signals];
}

function namespace(): string {
  return readlinkSync("/proc/self/ns/mnt");
}

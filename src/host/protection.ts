/*
 * Disks that a recovery must not write to, set read-only in the kernel. What was read-only already, such as a
 * card with its switch closed, is not touched, and stays so when the protection is lifted.
 * Owns: which devices this process has set.
 */
import { messageOf } from "../errors.ts";
import { query, run } from "./command.ts";

type Log = (line: string) => void;

/** The kernel's word on one device. */
export interface Switch {
  isReadOnly(device: string): Promise<boolean>;
  set(device: string, access: "ro" | "rw", log: Log): Promise<void>;
}

const BLOCKDEV: Switch = {
  isReadOnly: async (device) => (await query(["blockdev", "--getro", device])).trim() === "1",
  set: async (device, access, log) =>
    void (await run(["blockdev", `--set${access}`, device], { log })),
};

export interface Protection {
  protect(devices: readonly string[], log: Log): Promise<void>;
  /** Takes back what `protect` set, newest first. A device that has gone is told to the log; never throws. */
  lift(log: Log): Promise<void>;
}

export function makeProtection({ isReadOnly, set }: Switch): Protection {
  const shut: string[] = [];
  return {
    async protect(devices, log) {
      // Asked before the first is set: a partition says that it is read-only as soon as its disk is.
      const open: string[] = [];
      for (const device of devices) if (!(await isReadOnly(device))) open.push(device);
      for (const device of open) {
        await set(device, "ro", log);
        shut.push(device);
      }
    },
    async lift(log) {
      for (const device of shut.splice(0).toReversed()) {
        await set(device, "rw", log).catch((error: unknown) =>
          log(`${device}: ${messageOf(error)}`),
        );
      }
    },
  };
}

/** Of this process. */
export const PROTECTION = makeProtection(BLOCKDEV);

/*
 * What an administrator wants to know at a glance, from the picture of the machine. Pure.
 */
import type { Machine } from "../model/machine.ts";
import type { Status } from "../model/status.ts";
import { BACKUP, ROOT } from "./volumes.ts";
import { contentOf, whyNotOurs } from "./target.ts";

export function statusOf(machine: Machine): Status {
  for (const disk of machine.disks) {
    const content = contentOf(disk, machine);
    if (content.kind === "interrupted") {
      const trouble = ["a recovery was interrupted; it goes on when the machine is started again"];
      return { version: "", disk: disk.path, root: content.record.root, trouble };
    }
    if (content.kind !== "ours") continue;
    const { record, group } = content;
    const trouble: string[] = [];
    const backup = group.volumes.find(({ name }) => name === BACKUP);
    if (!group.volumes.some(({ name }) => name === ROOT))
      trouble.push(`there is no volume ${ROOT}`);
    if (!backup) trouble.push("there is no backup");
    if (backup?.invalid === true) trouble.push("the backup is not valid: it overflowed");
    const { lastResult, version } = record.document;
    const tag = (name: string) =>
      backup?.tags.find((text) => text.startsWith(`zshield.${name}=`))?.slice(name.length + 9) ??
      "";
    return {
      version,
      disk: disk.path,
      root: record.root,
      ...(backup
        ? {
            backup: {
              takenSeconds: Number(tag("time")),
              reason: tag("reason"),
              percent: backup.dataPercent ?? 0,
            },
          }
        : {}),
      ...(lastResult
        ? {
            lastRecovery: {
              operation: lastResult.operation,
              outcome: lastResult.outcome,
              version: lastResult.version,
            },
          }
        : {}),
      trouble,
    };
  }
  // Why a disk that looks like ours does not count is what its administrator has to know.
  const reasons = machine.disks
    .filter(({ state, stateTrouble }) => state !== undefined || stateTrouble !== undefined)
    .map((disk) => `${disk.path}: ${whyNotOurs(disk, machine)}`);
  const { groupsTrouble } = machine;
  const trouble = [
    "no installation of zshield was found",
    ...reasons,
    ...(groupsTrouble === undefined ? [] : [groupsTrouble]),
  ];
  return { version: "", disk: "", root: "", trouble };
}

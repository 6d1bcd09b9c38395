/*
 * Backups of a running appliance, asked with LVM's and systemd's own tools at its console.
 * Owns: these questions and the moves that scenarios of backups share.
 */
import { ALARM_MESSAGE_ID } from "../../src/model/alarm.ts";
import type { Console } from "./console.ts";
import { must } from "./scenario.ts";

export interface Snapshot {
  readonly name: string;
  readonly uuid: string;
  readonly tags: readonly string[];
  readonly sizeBytes: number;
  readonly percent: number;
  readonly monitor: string;
  readonly valid: boolean;
}

/** A backup run under emulation. */
export const BACKUP_SECONDS = 300;

/** Every volume whose name begins with `snap0`; half made ones too, which are not valid. */
export async function snapshots(console: Console): Promise<Snapshot[]> {
  const fields = [
    ...["lv_name", "lv_uuid", "lv_tags", "lv_size", "data_percent", "seg_monitor", "origin"],
    "lv_snapshot_invalid",
  ];
  const format = "--noheadings --units b --nosuffix --separator '|' --binary";
  const text = await console.output(`lvs ${format} -o ${fields.join()} vgroup 2>/dev/null`);
  return text.split("\n").flatMap((line) => {
    const [name = "", uuid = "", tags = "", size, percent, monitor = "", origin, invalid] = line
      .trim()
      .split("|");
    if (!name.startsWith("snap0")) return [];
    return [
      {
        name,
        uuid,
        tags: tags.split(","),
        sizeBytes: Number(size),
        percent: Number(percent),
        monitor,
        valid: origin === "lv-root" && invalid !== "1",
      },
    ];
  });
}

/** The one valid backup. @throws Error if there is another one, or none. */
export async function onlyBackup(console: Console): Promise<Snapshot> {
  const found = await snapshots(console);
  const [only] = found;
  must(
    only !== undefined && found.length === 1 && only.name === "snap0" && only.valid,
    `not exactly one valid snap0: ${JSON.stringify(found)}`,
  );
  return only;
}

/** Runs zshield. @throws Error if it ends with another code, or does not say the words. */
export async function zshield(
  console: Console,
  words: string,
  wanted: { code?: number; says?: RegExp | undefined } = {},
): Promise<string> {
  const { output, status } = await console.run(`zshield ${words}`, BACKUP_SECONDS);
  const { code = 0, says } = wanted;
  must(status === code, `zshield ${words} ended with ${status}, not ${code}:\n${output}`);
  must(
    says === undefined || says.test(output),
    `zshield ${words} does not say ${says}:\n${output}`,
  );
  return output;
}

/** Names of the alarms in the journal, oldest first. */
export async function alarms(console: Console): Promise<string[]> {
  const argv = `journalctl --quiet --output cat --output-fields ZSHIELD_ALARM MESSAGE_ID=${ALARM_MESSAGE_ID}`;
  // What was written is in the journal a moment later.
  const text = await console.output(`journalctl --sync; ${argv}`);
  return text.split("\n").filter((line) => line !== "");
}

/** Makes a plain volume that leaves so much free in the group. */
export async function leaveFree(console: Console, bytes: number): Promise<void> {
  const free = Number(
    await console.output("vgs --noheadings --units b --nosuffix -o vg_free vgroup 2>/dev/null"),
  );
  const size = Math.floor((free - bytes) / 4194304) * 4194304;
  await console.output(`lvcreate -qq -y -W n -Z n -n filler -L ${size}b vgroup`);
}

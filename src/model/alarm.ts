/*
 * Alarms: what is told once and then remembered until the next backup. Owns: the types, the message id of
 * the journal, and reading what is remembered. No I/O.
 */
import * as v from "valibot";

/** `journalctl MESSAGE_ID=…` lists every alarm. */
export const ALARM_MESSAGE_ID = "6b1e1f3a6d0f4c4d9a0e5f2c7a9d3b58";

export const AlarmSchema = v.strictObject({
  /** `fill-70`, `old-backup`, `kept-backup`, …: for programs. */
  name: v.string(),
  /** For people. */
  text: v.string(),
  timeSeconds: v.number(),
});
export type Alarm = v.InferOutput<typeof AlarmSchema>;

const AlarmMemorySchema = v.strictObject({
  /** LVM's UUID of the backup that the alarms are about; "" where there was none, "?" where nobody knew. */
  backup: v.string(),
  alarms: v.array(AlarmSchema),
});
export type AlarmMemory = v.InferOutput<typeof AlarmMemorySchema>;

export const NO_MEMORY: AlarmMemory = { backup: "?", alarms: [] };

/** Whether what is remembered still counts, with that backup there. */
export function isAbout(memory: AlarmMemory, backup: string): boolean {
  return memory.backup === backup || memory.backup === NO_MEMORY.backup;
}

/** Nothing is remembered where the text is damaged: an alarm told twice is better than none. */
export function parseAlarmMemory(text: string): AlarmMemory {
  try {
    return v.parse(AlarmMemorySchema, JSON.parse(text));
  } catch {
    return NO_MEMORY;
  }
}

/*
 * Telling an alarm: the journal, then every program in /etc/zshield/alarm.d, and what was told already. The
 * memory lies in /run: it must work with a full root, and a restarted machine may say it again.
 * Never throws: an alarm that cannot be told must not end what raised it.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { messageOf } from "../errors.ts";
import {
  ALARM_MESSAGE_ID,
  NO_MEMORY,
  parseAlarmMemory,
  type Alarm,
  type AlarmMemory,
} from "../model/alarm.ts";
import { listHooks, runHook } from "./hooks.ts";
import { IDENTIFIER, LEVEL, writeJournal } from "./system-journal.ts";

const MEMORY_FILE = "/run/zshield/alarms.json";
export const ALARM_HOOKS = "/etc/zshield/alarm.d";

export function readAlarmMemory(path = MEMORY_FILE): AlarmMemory {
  try {
    return parseAlarmMemory(readFileSync(path, "utf8"));
  } catch {
    return NO_MEMORY;
  }
}

/** What cannot be remembered is told again; the alarm itself must not fail with it. */
export function changeAlarmMemory(
  change: (memory: AlarmMemory) => AlarmMemory,
  log: (line: string) => void,
  path = MEMORY_FILE,
): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.new`, JSON.stringify(change(readAlarmMemory(path))), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  } catch (error) {
    log(`${path} could not be written: ${messageOf(error)}`);
  }
}

export async function raiseAlarm(
  alarm: Alarm,
  { hookSeconds, log }: { hookSeconds: number; log(line: string): void },
  directory = ALARM_HOOKS,
): Promise<void> {
  await writeJournal({
    MESSAGE: alarm.text,
    MESSAGE_ID: ALARM_MESSAGE_ID,
    PRIORITY: LEVEL.critical,
    SYSLOG_IDENTIFIER: IDENTIFIER,
    ZSHIELD_ALARM: alarm.name,
  });
  for (const path of listHooks(directory)) {
    try {
      const stdin = `${JSON.stringify(alarm)}\n`;
      await runHook(path, [alarm.name, alarm.text], { seconds: hookSeconds, stdin, log });
    } catch (error) {
      log(`${path}: ${messageOf(error)}`);
    }
  }
}

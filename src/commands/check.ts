/*
 * `zshield check`: looks after installation and backup, tells each new trouble once as an alarm. A timer
 * calls it every quarter of an hour. A look that fails is an alarm too.
 */
import { EXIT, LockConflict, messageOf } from "../errors.ts";
import { changeAlarmMemory } from "../host/alarms.ts";
import { checkIsRoot } from "../host/lock.ts";
import type { Alarm, AlarmMemory } from "../model/alarm.ts";
import { findingsOf, planAlarms, planBlindAlarm, type Finding } from "../plan/findings.ts";
import { whileStill } from "./change.ts";
import { backupKey, isInstalledSystem, look, nowSeconds, say } from "./facts.ts";
import { tellAlarm } from "./run.ts";

/** A backup takes minutes at most, its hooks included. */
const STUCK_SECONDS = 30 * 60;

export async function check(): Promise<void> {
  checkIsRoot();
  if (!isInstalledSystem()) {
    return say("this is not the installed system; nothing is looked after");
  }
  let findings: readonly Finding[];
  let alarms: readonly Alarm[];
  try {
    ({ findings, alarms } = await whileStill(lookAfter));
  } catch (error) {
    if (error instanceof LockConflict && error.heldSeconds < STUCK_SECONDS) {
      return say(`${error.message}; the next look is in a quarter of an hour`);
    }
    const text = `the backup cannot be looked after: ${messageOf(error)}`;
    await tell(remember((memory) => planBlindAlarm(text, memory, nowSeconds())));
    throw error;
  }
  await tell(alarms);
  for (const { text } of findings) say(text);
  if (findings.length === 0) say("all is well");
  else process.exitCode = EXIT.trouble;
}

async function lookAfter(): Promise<{ findings: readonly Finding[]; alarms: readonly Alarm[] }> {
  const { machine, facts } = await look();
  const findings = findingsOf(machine, facts);
  const about = { backup: backupKey(machine), nowSeconds: facts.nowSeconds };
  return { findings, alarms: remember((memory) => planAlarms(findings, memory, about)) };
}

/** Remembered before it is told: a hook that hangs must not make it be told again. */
function remember(
  plan: (memory: AlarmMemory) => { alarms: readonly Alarm[]; memory: AlarmMemory },
): readonly Alarm[] {
  let alarms: readonly Alarm[] = [];
  changeAlarmMemory((memory) => {
    const planned = plan(memory);
    alarms = planned.alarms;
    return planned.memory;
  }, say);
  return alarms;
}

/** When the lock is free: such a program may call zshield itself. */
async function tell(alarms: readonly Alarm[]): Promise<void> {
  for (const alarm of alarms) {
    say(`ALARM: ${alarm.text}`);
    await tellAlarm(alarm, say);
  }
}

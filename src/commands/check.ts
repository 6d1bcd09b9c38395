/*
 * `zshield check`: looks after installation and backup, tells each new trouble once as an alarm. A timer
 * calls it every quarter of an hour.
 */
import { EXIT } from "../errors.ts";
import { raiseAlarm, readAlarmMemory, writeAlarmMemory } from "../host/alarms.ts";
import { findingsOf, planAlarms } from "../plan/findings.ts";
import { whileStill } from "./change.ts";
import { backupKey, isInstalledSystem, look, say } from "./facts.ts";

export async function check(): Promise<void> {
  const { machine, config, facts } = await whileStill(look);
  if (!isInstalledSystem(machine)) {
    return say("this is not the installed system; nothing is looked after");
  }
  const findings = findingsOf(machine, facts);
  const about = { backup: backupKey(machine), nowSeconds: facts.nowSeconds };
  const { alarms, memory } = planAlarms(findings, readAlarmMemory(), about);
  // Remembered first: a hook that hangs must not make it be told again.
  writeAlarmMemory(memory);
  for (const alarm of alarms) {
    say(`ALARM: ${alarm.text}`);
    await raiseAlarm(alarm, { hookSeconds: config.backup["hook-seconds"], log: say });
  }
  for (const { text } of findings) say(text);
  if (findings.length === 0) say("all is well");
  else process.exitCode = EXIT.trouble;
}

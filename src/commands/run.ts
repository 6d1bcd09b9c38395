/*
 * A run in the running system, with what it tells. Alarms are remembered at once; their programs, like the
 * "after" hooks, are called when the lock is free: such a program may call zshield itself, and would wait
 * for its own caller. Owns: that order. Must not decide anything.
 */
import { messageOf } from "../errors.ts";
import { changeAlarmMemory, raiseAlarm } from "../host/alarms.ts";
import { configOrDefaults } from "../host/config-file.ts";
import type { Alarm } from "../model/alarm.ts";
import type { Machine } from "../model/machine.ts";
import { withEvent, type EventName } from "../plan/findings.ts";
import type { Voice } from "./change.ts";
import { backupKey, makeVoice, nowSeconds } from "./facts.ts";

export interface Run {
  readonly voice: Voice;
  /** An alarm. `machine`: with the backup that it is about; absent: not known. */
  raise(name: EventName, text: string, machine?: Machine): void;
  /** For when the lock is free, in this order. */
  later(act: () => Promise<void>): void;
  /** Does what was left for later. */
  finish(): Promise<void>;
}

/** `alarm`: whatever `work` throws is an alarm, if it has not been one already. */
export async function withRun<T>(
  { isUnit = false, alarm }: { isUnit?: boolean; alarm?: EventName },
  work: (run: Run) => Promise<T>,
): Promise<T> {
  const voice = makeVoice({ isUnit });
  const raised: EventName[] = [];
  const acts: (() => Promise<void>)[] = [];
  const run: Run = {
    voice,
    raise(name, text, machine) {
      raised.push(name);
      const event: Alarm = { name, text, timeSeconds: nowSeconds() };
      voice.say(`ALARM: ${text}`);
      const key = machine === undefined ? undefined : backupKey(machine);
      changeAlarmMemory((memory) => withEvent(memory, event, key), voice.log);
      acts.push(() => tellAlarm(event, voice.log));
    },
    later: (act) => void acts.push(act),
    async finish() {
      for (const act of acts.splice(0)) {
        await act().catch((error: unknown) => voice.say(messageOf(error)));
      }
    },
  };
  try {
    return await work(run);
  } catch (error) {
    if (alarm !== undefined && !raised.includes(alarm)) {
      run.raise(alarm, `no new backup: ${messageOf(error)}`);
    }
    throw error;
  } finally {
    await run.finish();
    await voice.flush();
  }
}

export async function tellAlarm(alarm: Alarm, log: (line: string) => void): Promise<void> {
  await raiseAlarm(alarm, { hookSeconds: configOrDefaults().backup["hook-seconds"], log });
}

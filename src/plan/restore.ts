/*
 * `zshield restore` in the running system: nothing but a word in state/ that the next start obeys. What a
 * merge of the mounted root would do: GRUB would read a half merged /boot. Pure.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import { atRest, isRestoreRequested, type StateRecord } from "../model/state.ts";
import { printTime } from "../model/text.ts";
import { otherSnapshots, type Installation } from "./installation.ts";
import { validBackup } from "./keep.ts";

export interface Restore {
  readonly record: StateRecord;
  readonly loses: readonly string[];
  readonly keeps: readonly string[];
}

/** @throws Refusal without a valid backup, or while something else is going on. */
export function planRestore(installation: Installation, config: Config): Restore {
  const { record } = installation;
  if (isRestoreRequested(record)) {
    throw new Refusal(
      "it is asked for already",
      "restart the machine; `zshield restore cancel` ends it",
    );
  }
  if (record.phase === "changing") {
    throw new Refusal(
      "a backup run was ended while it changed volumes",
      "`zshield backup` puts that in order",
    );
  }
  const { tags } = validBackup(installation);
  const { user, audit } = config.volume;
  const others = otherSnapshots(installation.group);
  return {
    record: {
      ...record,
      sequence: record.sequence + 1,
      phase: "requested",
      operation: "latest",
      document: {
        ...withoutTold(record),
        ...(others.length === 0 ? {} : { toldSnapshots: others.map(({ uuid }) => uuid) }),
      },
    },
    loses: [
      `every change of the system (root, /boot) since ${printTime(tags.timeSeconds)} (${tags.reason})`,
      ...others.map(({ name }) => `${name}, a snapshot of root that is not ours`),
    ],
    keeps: [`user data (${user.mount})`, `audit data (${audit.mount})`],
  };
}

/** @throws Refusal where nothing was asked for. */
export function planCancel({ record }: Installation): StateRecord {
  if (!isRestoreRequested(record)) {
    throw new Refusal("nothing was asked for that could be taken back", "`zshield status`");
  }
  return atRest({ ...record, sequence: record.sequence + 1, document: withoutTold(record) });
}

function withoutTold({ document }: StateRecord): StateRecord["document"] {
  const { toldSnapshots: _told, ...rest } = document;
  return rest;
}

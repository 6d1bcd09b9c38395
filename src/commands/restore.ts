/*
 * `zshield restore latest | cancel`: a word in state/ for the next start, and nothing else.
 */
import { Refusal } from "../errors.ts";
import type { Config } from "../model/config.ts";
import { otherSnapshots, type Installation } from "../plan/installation.ts";
import { planCancel, planRestore } from "../plan/restore.ts";
import { alone, changeRecord, whileStill } from "./change.ts";
import { checkSameBackup, look, mustAgree, ownInstallation, say } from "./facts.ts";

interface Seen {
  readonly installation: Installation;
  readonly config: Config;
}

export async function restoreLatest({ yes }: { yes: boolean }): Promise<void> {
  // Nobody is kept waiting by a person who thinks: asked first, and looked again when alone.
  const asked = yes ? undefined : await whileStill(lookHere);
  if (asked) {
    tellLoss(asked);
    await mustAgree(yes, "Put the backup back at the next start?");
  }
  await alone(async () => {
    const seen = await lookHere();
    if (asked) checkSame(asked.installation, seen.installation);
    else tellLoss(seen);
    const { installation, config } = seen;
    await changeRecord(
      installation,
      say,
      (record) => planRestore({ ...installation, record }, config).record,
    );
    say("the next start puts the backup back, and asks nobody; `zshield restore cancel` ends that");
    say("should somebody take another snapshot of root until then, it asks at the console first");
  });
}

/** @throws Refusal if it is not what a person agreed to. */
function checkSame(before: Installation, now: Installation): void {
  checkSameBackup(before, now);
  const uuids = ({ group }: Installation) => otherSnapshots(group).map(({ uuid }) => uuid);
  if (uuids(now).every((uuid) => uuids(before).includes(uuid))) return;
  throw new Refusal("another snapshot of root was taken since you were asked", "try again");
}

async function lookHere(): Promise<Seen> {
  const { machine, config } = await look();
  return { installation: ownInstallation(machine), config };
}

function tellLoss({ installation, config }: Seen): void {
  const { loses, keeps } = planRestore(installation, config);
  say("WILL BE LOST:");
  for (const text of loses) say(`  - ${text}`);
  say("will be kept:");
  for (const text of keeps) say(`  - ${text}`);
}

export async function restoreCancel(): Promise<void> {
  await alone(async () => {
    const installation = ownInstallation((await look()).machine);
    planCancel(installation);
    await changeRecord(installation, say, (record) => planCancel({ ...installation, record }));
    say("nothing is put back; the next start boots the installed system");
  });
}

/*
 * `zshield restore latest | cancel`: a word in state/ for the next start, and nothing else.
 */
import { planCancel, planRestore } from "../plan/restore.ts";
import { alone, changeRecord } from "./change.ts";
import { look, ownInstallation, mustAgree, say } from "./facts.ts";

export async function restoreLatest({ yes }: { yes: boolean }): Promise<void> {
  await alone(async () => {
    const { machine, config } = await look();
    const installation = ownInstallation(machine);
    const { loses, keeps } = planRestore(installation, config);
    say("WILL BE LOST:");
    for (const text of loses) say(`  - ${text}`);
    say("will be kept:");
    for (const text of keeps) say(`  - ${text}`);
    await mustAgree(yes, "Put the backup back at the next start?");
    await changeRecord(
      installation,
      (record) => planRestore({ ...installation, record }, config).record,
    );
    say("the next start puts the backup back, and asks nobody; `zshield restore cancel` ends that");
  });
}

export async function restoreCancel(): Promise<void> {
  await alone(async () => {
    const installation = ownInstallation((await look()).machine);
    planCancel(installation);
    await changeRecord(installation, (record) => planCancel({ ...installation, record }));
    say("nothing is put back; the next start boots the installed system");
  });
}

/*
 * Factory recovery over an installed disk, asked and answered at the console: what users keep stays, and
 * what was changed in the root is gone.
 */
import { makeLayer } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedLayer } from "../lab/installed.ts";
import {
  bootDisk,
  checkBooted,
  disk,
  DISK_SERIAL,
  finishRecovery,
  shutDown,
  startRescue,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { checkInstalled } from "../lab/system.ts";

const MARKS = [
  "echo user-data-stays > /user/mark",
  "chown 1234:5678 /user/mark",
  "echo audit-data-stays > /audit/mark",
  "echo changed > /etc/mark",
  "echo changed >> /etc/hosts",
  "rm /usr/bin/tac",
];

export const scenario: Scenario = {
  name: "reinstall",
  title: "an installed disk is made new after a question; user and audit data survive",
  minutes: 5,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await installedLayer(context);
    const drive = disk(image);
    const before = await bootDisk(context, drive, { name: "before" });
    checkBooted(before);
    await before.console.output(`${MARKS.join(" && ")} && sync`);
    const oldId = await before.console.output("cat /etc/machine-id");
    await shutDown(before);

    const machine = await startRescue(context, { card, drives: [drive] });
    await machine.waitFor(/Type the last 4 characters[^\n]*/, 180, /ZSHIELD-RESULT/);
    const asked = machine.serial.text();
    for (const words of [/\/user/, /\/audit/, new RegExp(DISK_SERIAL)]) {
      must(words.test(asked), `the question does not mention ${words}`);
    }
    // What is typed in the first moments does not count: keys may be held down while a machine boots.
    await Bun.sleep(5000);
    machine.send(`${DISK_SERIAL.slice(-4)}\r`);
    const result = await finishRecovery(machine);
    must(!result.steps.some(({ kind }) => kind === "make-group"), "the group was made anew");

    const judged = await makeLayer(context.folder, "judged", image);
    const differences = await compareWithGolden(context.folder, card.card, judged);
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);

    const after = await bootDisk(context, drive, { name: "after" });
    checkBooted(after);
    const { console } = after;
    must((await console.output("cat /user/mark")) === "user-data-stays", "/user was lost");
    must((await console.output("stat -c %u:%g /user/mark")) === "1234:5678", "its owner was lost");
    must((await console.output("cat /audit/mark")) === "audit-data-stays", "/audit was lost");
    must((await console.run("test -e /etc/mark")).status === 1, "/etc/mark is still there");
    must(
      (await console.run("grep changed /etc/hosts")).status === 1,
      "/etc/hosts is still changed",
    );
    await console.output("test -x /usr/bin/tac");
    must((await console.output("cat /etc/machine-id")) !== oldId, "the machine-id is the old one");
    await checkInstalled(console);
  },
};

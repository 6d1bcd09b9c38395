/*
 * Factory recovery over an installed disk, asked and answered at the machine's own screen: what users keep stays,
 * and what was changed in the root is gone.
 */
import type { Result } from "../../src/model/result.ts";
import { makeLayer } from "../lab/images.ts";
import { compareWithGolden } from "../lab/inspect.ts";
import { installedLayer } from "../lab/installed.ts";
import type { Machine } from "../lab/machine.ts";
import { agreeIfAsked, awaitEnd, choose, DEAF_MS, goBack, MENU } from "../lab/menu.ts";
import {
  bootDisk,
  checkBooted,
  disk,
  DISK_SERIAL,
  readResult,
  shutDown,
  startRescue,
} from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import { awaitText, type Screen } from "../lab/screen.ts";
import { checkInstalled } from "../lab/system.ts";
import { vgaScreen } from "../lab/vga.ts";

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

    const machine = await startRescue(context, { card, drives: [drive], operation: "menu" });
    const result = await recoverDefault(context, vgaScreen(machine, context.folder), machine);
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

/** With a wrong answer, and cancelled once, before it is meant. */
async function recoverDefault(context: Context, screen: Screen, machine: Machine): Promise<Result> {
  await awaitText(screen, MENU, 240);
  await choose(screen, 1);
  const [asked] = await awaitText(screen, /WILL BE LOST:[^]*Type the last 4 characters[^]*/, 60);
  for (const words of [
    ...[/the root volume, 4 GiB/, /will be kept:[^]*user data[^]*GiB/],
    ...[/\/user/, /\/audit/, new RegExp(DISK_SERIAL)],
  ]) {
    must(words.test(asked), `the question does not say ${words}:\n${asked}`);
  }
  await Bun.sleep(DEAF_MS);
  await screen.type("7430");
  await screen.press("enter");
  await awaitText(screen, /That is not what was asked for\. Nothing has changed/, 30);
  await goBack(screen);

  await choose(screen, 1);
  await agreeIfAsked(screen);
  await awaitText(screen, /Step \d+ of \d+[^]*C cancels/, 60);
  await Bun.sleep(DEAF_MS);
  await screen.type("c");
  await awaitText(screen, /cancelled at the console[^]*/, 60);
  const [refused] = await awaitText(screen, /Nothing was changed on any disk[^]*Power off/, 30);
  must(/What to do:/.test(refused), refused);
  const cancelled = await readResult(machine, 30);
  must(cancelled.outcome === "refused" && !cancelled.changed, JSON.stringify(cancelled));

  await choose(screen, 1);
  await agreeIfAsked(screen);
  await awaitText(screen, /C: why it cannot be cancelled/, 240);
  await Bun.sleep(DEAF_MS);
  await screen.type("c");
  await awaitText(screen, /It cannot be cancelled any more/, 30);
  await awaitText(screen, /GiB|MiB[^]*\/s/, 240);
  return awaitEnd(context, screen, machine, "default");
}

/*
 * The golden system itself, started from the card's menu: read-only, changes in RAM only. While it runs
 * it is also an inspector that is not zshield: with plain LVM tools it compares the installed root with
 * its own.
 */
import { mayDiffer } from "../lab/inspect.ts";
import { installedDisk } from "../lab/installed.ts";
import { awaitBoot, disk, startCard, watch } from "../lab/recovery.ts";
import { bytesWritten } from "../lab/images.ts";
import { must, type Scenario } from "../lab/scenario.ts";

const END_KEY = "\x05";

/** A line for each entry with all that find knows of it, and one for each file with its digest. */
function listing(tree: string): string {
  const entries = `find . -xdev ! -type d -printf "%p %y %m %U:%G %n %s %T@ %l\\n"`;
  const directories = `find . -xdev -mindepth 1 -type d -printf "%p/ %m %U:%G\\n"`;
  const digests = `find . -xdev -type f -print0 | xargs -0 sha256sum | sed "s/^\\(\\S*\\)  \\(.*\\)/\\2 \\1/"`;
  return `cd ${tree} && { ${entries}; ${directories}; ${digests}; } | LC_ALL=C sort > ${tree}.list`;
}

export const scenario: Scenario = {
  name: "golden-system",
  title:
    "the golden system starts read-only from the card's menu, and finds the installed root equal",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const layer = await watch(context, "disk", (await installedDisk()).image);
    const machine = await startCard(context, card, [disk(layer)]);
    await machine.waitFor("Start the golden system", 120);
    machine.send(END_KEY);
    await machine.waitFor(/\*\s*Start the golden system/, 20);
    machine.send("\r");
    await machine.waitFor("starting: Start the golden system", 30);
    const { console, root } = await awaitBoot(machine);
    context.note(`its root is ${root}`);

    await console.output("echo in-ram > /etc/mark && sync && test -s /etc/mark");
    const golden = "/run/golden";
    const installed = "/run/installed";
    await console.output(`mkdir -p ${golden} ${installed}`);
    await console.output(
      `mount -o ro,noload /dev/disk/by-partuuid/${card.card.description.golden.partitionUuid} ${golden}`,
    );
    await console.output("vgchange --activate y vgroup");
    await console.output(`mount -o ro,noload /dev/vgroup/lv-root ${installed}`);
    for (const tree of [golden, installed]) await console.output(listing(tree), 300);
    const { output } = await console.run(`diff ${golden}.list ${installed}.list`);
    const differing = output.split("\n").flatMap((line) => /^[<>] \.\/(\S+)/.exec(line)?.[1] ?? []);
    const differences = differing.filter((path) => !mayDiffer(path));
    must(differences.length === 0, `differs from golden:\n${differences.slice(0, 20).join("\n")}`);
    must(
      differing.includes("etc/fstab"),
      "the comparison sees no difference at all, not even fstab",
    );
    await machine.kill();
    const bytes = await bytesWritten(layer);
    must(bytes === 0, `the golden system wrote ${bytes} bytes to the disk`);
  },
};

/*
 * A vendor's bundle as a virtual disk: a qcow2 file of a card whose golden system is what a device takes of it. The golden
 * system starts from GRUB's menu, with the package that is for this device and without the one that is for others. There, where
 * the kernel has device-mapper, a package is mounted through dm-verity, and a block that was changed cannot be read.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { packTree } from "../../src/bundle/pack.ts";
import { sha256Of } from "../../src/bundle/oci.ts";
import { makeExecutable } from "../../build/executable.ts";
import { command } from "../lab/command.ts";
import type { Console } from "../lab/console.ts";
import { awaitBoot, disk, startCard } from "../lab/recovery.ts";
import { must, type Context, type Scenario } from "../lab/scenario.ts";
import type { Image } from "../lab/images.ts";
import { PRODUCT } from "../lab/product.ts";

const END_KEY = "\x05";
const NAME = "tool-1.0.12-1.1-000000";
const CONTENT = Buffer.from(Array.from({ length: 40_000 }, (_, line) => `line ${line}\n`).join(""));
const PACKAGES = "/usr/lib/zshield/packages";

/** A disk with the executable, a package, and the same package with one bit changed in its file. */
async function toolsDisk(context: Context): Promise<Image> {
  const files = join(context.folder, "tools");
  const tree = join(context.folder, NAME);
  mkdirSync(join(tree, "__zshield"), { recursive: true });
  writeFileSync(join(tree, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
  writeFileSync(join(tree, "content"), CONTENT);
  mkdirSync(files);
  const good = join(files, "good.img");
  await packTree(tree, NAME, good);
  const bytes = readFileSync(good);
  const place = bytes.indexOf("line 20000\n");
  must(place > 0, "the image does not hold the file as it is");
  bytes[place] = (bytes[place] ?? 0) ^ 1;
  writeFileSync(join(files, "bad.img"), bytes);
  copyFileSync(await makeExecutable(), join(files, "zshield"));
  const file = join(context.folder, "tools.raw");
  await command(["mke2fs", "-q", "-t", "ext4", "-d", files, file, "256M"]);
  return { file, format: "raw" };
}

async function checkProduct(console: Console): Promise<void> {
  const text = (path: string) => console.output(`cat ${path}`);
  must(
    (await text("/usr/share/greeting")) === `this is ${PRODUCT.greeting}`,
    "there is no greeting",
  );
  must((await text("/run/greeted")) === `this is ${PRODUCT.greeting}`, "its unit was not started");
  await console.output("test ! -e /usr/share/other");
  const names = (await console.output(`ls ${PACKAGES}`)).split("\n").sort().join(" ");
  const wanted = [PRODUCT.base, PRODUCT.greeting].sort().join(" ");
  must(names === wanted, `it holds the packages ${names}, not ${wanted}`);
  await console.output(`test -f ${PACKAGES}/${PRODUCT.base}/package.toml`);
  await console.output(`test "$(cat /usr/lib/modules/$(uname -r)/modules.dep | wc -l)" -gt 10`);
}

async function checkVerity(console: Console): Promise<void> {
  await console.output("mkdir -p /run/tools /run/good /run/bad");
  await console.output("mount -o ro $(ls /dev/disk/by-id/*ZS-TOOLS | head -n 1) /run/tools");
  const zshield = "HOME=/ /run/tools/zshield package mount";
  for (const name of ["good", "bad"]) {
    await console.output(`${zshield} /run/tools/${name}.img /run/${name}`, 180);
    const source = await console.output(`findmnt --noheadings --output SOURCE /run/${name}`);
    must(source.startsWith("/dev/mapper/zshield-package-"), `${name} is mounted from ${source}`);
    const table = await console.output(`dmsetup table ${source}`);
    must(/ verity 1 /.test(table), `its table is ${table}`);
  }
  const digest = await console.output("sha256sum < /run/good/content");
  must(digest.startsWith(sha256Of(CONTENT)), "what is mounted is not what was packed");
  const { status, output } = await console.run("cat /run/bad/content > /dev/null");
  must(
    status !== 0 && /Input\/output error/.test(output),
    `a changed block was read: ${status} ${output}`,
  );
  // Blocks that were not changed are still there.
  await console.output("test -f /run/bad/__zshield/package.toml");
  // One umount each takes mapping and loop device along.
  await console.output("umount /run/good /run/bad && udevadm settle");
  const left = await console.output("dmsetup ls; losetup --list --noheadings");
  must(!/zshield|\.img/.test(left), `after umount there is still ${left}`);
}

export const scenario: Scenario = {
  name: "bundle-image",
  title:
    "a qcow2 of a bundle starts with this device's packages; dm-verity keeps what was changed from being read",
  minutes: 3,
  soak: true,
  needs: ["product"],
  async run(context) {
    const card = await context.card("product");
    must(card.card.image.format === "qcow2", `the card is a ${card.card.image.format} image`);
    const tools = disk(await toolsDisk(context), { attach: "virtio", serial: "ZS-TOOLS" });
    const machine = await startCard(context, card, [tools]);
    await machine.waitFor("Start the golden system", 120);
    machine.send(END_KEY);
    await machine.waitFor(/\*\s*Start the golden system/, 20);
    machine.send("\r");
    await machine.waitFor("starting: Start the golden system", 30);
    const { console, failed } = await awaitBoot(machine);
    must(failed.length === 0, `failed units: ${failed.join(", ")}`);
    await checkProduct(console);
    context.note("the product runs");
    await checkVerity(console);
    await machine.kill();
  },
};

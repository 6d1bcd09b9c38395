/*
 * The golden system is started with the same words from GRUB and out of the rescue system.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { goldenCommandLine } from "../../src/plan/golden-start.ts";

const GRUB = join(import.meta.dir, "../../grub");
const golden = { partitionUuid: "11111111-2222-3333-4444-555555555555" };

test("it has every argument that GRUB's entry gives, and no other", () => {
  const text = readFileSync(join(GRUB, "golden.cfg"), "utf8");
  const given = [...text.matchAll(/^set zs_golden_arguments="(.*)"$/gm)]
    .flatMap(([, words = ""]) => words.split(" "))
    .filter((word) => word !== "$zs_golden_arguments");
  assert.ok(given.length > 10);
  const line = goldenCommandLine("", golden);
  assert.equal(line.split(" "), [`root=PARTUUID=${golden.partitionUuid}`, ...given]);
});

test("consoles and what the machine needs stay, what makes a rescue system of it goes", () => {
  const own = readFileSync(join(GRUB, "rescue.cfg"), "utf8");
  const words = [...own.matchAll(/^set zs_rescue_arguments="(.*)"$/gm)]
    .flatMap(([, found = ""]) => found.split(" "))
    .filter((word) => word !== "$zs_rescue_arguments");
  assert.ok(words.includes("root=zshield"));
  const current = `BOOT_IMAGE=(hd0,gpt2)/x zshield_recovery=menu zshield.ui=screen ${words.join(" ")} console=tty0 console=ttyS0,9600 pci=nomsi\n`;
  const kept = goldenCommandLine(current, golden).replace(goldenCommandLine("", golden), "");
  assert.is(kept.trim(), "console=tty0 console=ttyS0,9600 pci=nomsi");
});

test.run();

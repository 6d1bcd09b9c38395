/*
 * GRUB's password: what the fragment says, that every entry of ours starts without it, and that it fails
 * shut. GRUB itself is tried in the QEMU scenarios.
 */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { passwordFragment } from "../../build/grub-password.ts";
import { checkConfig } from "../../src/model/config.ts";
import { identityFiles } from "../../src/plan/identity.ts";
import { config } from "./example.ts";

const HASH = `grub.pbkdf2.sha512.10000.${"AB".repeat(64)}.${"CD".repeat(64)}`;
const read = (name: string) =>
  readFileSync(new URL(`../../grub/${name}`, import.meta.url).pathname, "utf8");
const commands = (text: string) =>
  text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));

test("with a hash: the superuser and their password", () => {
  const locked = checkConfig({ rescue: { "grub-password-hash": HASH, "grub-user": "anna" } });
  assert.equal(commands(passwordFragment(locked)), [
    'set superusers="anna"',
    `password_pbkdf2 anna ${HASH}`,
  ]);
});

test("without: everybody", () => {
  assert.equal(commands(passwordFragment(config)), ["unset superusers"]);
});

test("GRUB is shut before it reads the fragment, and stays so if it cannot", () => {
  assert.equal(commands(read("grub.cfg")).slice(0, 5), [
    'set zs_esp="$root"',
    'set superusers=""',
    "export superusers",
    "source $prefix/password.cfg",
    "source $prefix/terminal.cfg",
  ]);
});

for (const [name, count] of [
  ["card-menu.cfg", 7],
  ["disk-menu.cfg", 6],
] as const) {
  test(`every entry of ${name} starts without a password`, () => {
    const entries = commands(read(name)).filter((line) => /^(menuentry|submenu)\b/.test(line));
    assert.is(entries.length, count);
    for (const entry of entries)
      assert.match(entry, /^menuentry "[^"]+" --unrestricted --id \S+ \{$/);
  });
}

test("the entries that the installed system makes start without it too", async () => {
  const script = identityFiles(config, "0".repeat(32)).find(({ path }) =>
    path.startsWith("/etc/grub.d/"),
  );
  assert.is(script?.path, "/etc/grub.d/01_zshield");
  assert.is(script?.mode, 0o755);
  const child = Bun.spawn(["sh", "-s"], { stdin: new Blob([script?.text ?? ""]), stdout: "pipe" });
  assert.equal(commands(await new Response(child.stdout).text()), [
    'menuentry_id_option="--unrestricted $menuentry_id_option"',
    "export menuentry_id_option",
  ]);
});

test.run();

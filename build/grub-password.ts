/*
 * GRUB's password: the fragment password.cfg, which lies beside the static configuration on card and disk.
 * Owns: what of zshield.toml GRUB is told. Pure; grub/grub.cfg says what holds without this file.
 */
import type { Config } from "../src/model/config.ts";

export const PASSWORD_FRAGMENT = "password.cfg";

/** The schema lets nothing through that GRUB's shell would take for more than a word. */
export function passwordFragment({ rescue }: Pick<Config, "rescue">): string {
  const { "grub-user": user, "grub-password-hash": hash } = rescue;
  if (hash === "") {
    return [
      "# zshield.toml has no grub-password-hash: everybody may edit entries and use the command line.",
      "unset superusers",
      "",
    ].join("\n");
  }
  return [
    "# Made of zshield.toml: this user's password is for editing entries and for the command line. Entries",
    "# start without it, because each is --unrestricted.",
    `set superusers="${user}"`,
    `password_pbkdf2 ${user} ${hash}`,
    "",
  ].join("\n");
}

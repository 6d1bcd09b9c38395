/*
 * A root of a bundle: which of the packages that a device takes go into it, and what its boot files are called there.
 * Owns: these decisions and their reasons. No I/O.
 */
import { Refusal } from "../errors.ts";
import type { BootRecord, PackageRecord } from "../model/bundle-manifest.ts";
import { parsePackageName } from "../model/package-name.ts";

export interface RootPackages {
  /** The lowest layer first. */
  readonly packages: readonly PackageRecord[];
  readonly left: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * `taken`: by the rule of masks, in order. `faults`: by whole names, why a package cannot be used.
 * @throws Refusal for one that every start needs
 */
export function planRootPackages(
  taken: readonly PackageRecord[],
  faults: ReadonlyMap<string, string>,
): RootPackages {
  const left: { name: string; reason: string }[] = [];
  let packages = taken;
  for (;;) {
    const there = new Set(packages.map(({ name }) => parsePackageName(name).name));
    const wrong = packages.flatMap(({ name, kind, needs }) => {
      const missing = needs.find((need) => !there.has(need));
      const reason = faults.get(name) ?? (missing && `it needs ${missing}, which is not there`);
      return reason === undefined ? [] : [{ name, kind, reason }];
    });
    if (wrong.length === 0) return { packages, left };
    const [base] = wrong.filter(({ kind }) => kind === "base");
    if (base) {
      throw new Refusal(
        `${base.name} cannot be used: ${base.reason}`,
        "it is a base package, and nothing starts without",
      );
    }
    left.push(...wrong.map(({ name, reason }) => ({ name, reason })));
    packages = packages.filter(({ name }) => wrong.every((other) => other.name !== name));
  }
}

const KERNEL = /^(vmlinuz|bzimage|kernel)([-._]|$)/i;
const INITRAMFS = /^(initrd|initramfs)([-._]|$)/i;

/** Boot file → its path in the root. `versions`: the directories in /usr/lib/modules. @throws Refusal */
export function planBootFiles(
  boot: readonly Pick<BootRecord, "name">[],
  versions: readonly string[],
): Map<string, string> {
  const [version, ...others] = versions;
  if (version === undefined) {
    throw new Refusal(
      "no package has a directory in /usr/lib/modules: which kernel this is nobody can tell",
      "put the kernel's modules into a base package",
    );
  }
  if (others.length > 0) {
    throw new Refusal(
      `/usr/lib/modules has ${versions.join(", ")}: which of them boot/ is for nobody can tell`,
      "keep the modules of one kernel",
    );
  }
  const named = (pattern: RegExp) => boot.filter(({ name }) => pattern.test(name));
  const [kernels, initramfses] = [named(KERNEL), named(INITRAMFS)];
  const list = boot.map(({ name }) => name).join(", ");
  if (kernels.length === 0) {
    throw new Refusal(
      `the platform has no kernel in boot/${list === "" ? "" : `, only ${list}`}`,
      "put it there as vmlinuz",
    );
  }
  for (const found of [kernels, initramfses]) {
    if (found.length < 2) continue;
    throw new Refusal(
      `which of ${found.map(({ name }) => name).join(", ")} in boot/ is to start nobody can tell`,
      "keep one of them",
    );
  }
  return new Map(
    boot.map((file) => [
      file.name,
      kernels.includes(file)
        ? `/boot/vmlinuz-${version}`
        : initramfses.includes(file)
          ? `/boot/initrd.img-${version}`
          : `/boot/${file.name}`,
    ]),
  );
}

/*
 * What `rpm --query --all` tells when it is asked in our words. Owns: the query and its answer. No I/O.
 * A need is a name, a file or a library (`libz.so.1()(64bit)`), and so is what a package provides; its own files count too.
 */
import type { InstalledPackage } from "./installed.ts";

/** Where rpm keeps its database, by age of the distribution. */
export const RPM_DATABASES = ["/usr/lib/sysimage/rpm", "/var/lib/rpm"];

/** One line a value, its kind in front; a file with a state other than "normal" is not there. */
export const RPM_QUERY =
  "P\\t%{NAME}\\t%|EPOCH?{%{EPOCH}:}:{}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n" +
  "[N\\t%{REQUIRENAME}\\n][V\\t%{PROVIDENAME}\\n][F\\t%{FILENAMES}\\n]";

/** Without these nothing of such a distribution runs; rpm has no word for "essential". */
const ESSENTIAL = new Set([
  "filesystem",
  "glibc",
  "bash",
  "coreutils",
  "setup",
  "basesystem",
  "systemd",
  "rpm",
]);

export function parseRpmQuery(text: string): InstalledPackage[] {
  const found: { head: string[]; needs: string[][]; provides: string[]; files: string[] }[] = [];
  for (const line of text.split("\n")) {
    const [kind, ...values] = line.split("\t");
    const current = found.at(-1);
    const [value = ""] = values;
    if (kind === "P") found.push({ head: values, needs: [], provides: [], files: [] });
    else if (kind === "N" && !isOfRpmItself(value)) current?.needs.push([value]);
    else if (kind === "V") current?.provides.push(value);
    else if (kind === "F" && value.startsWith("/")) current?.files.push(value);
  }
  return found
    .filter(({ head }) => head[0] !== "gpg-pubkey")
    .map(({ head: [name = "", version = "", architecture = ""], needs, provides, files }) => ({
      name,
      version,
      architecture,
      isEssential: ESSENTIAL.has(name),
      needs,
      // A need may be for a file: the list of files meets it.
      provides: [...new Set([...provides, ...files])],
      files,
    }));
}

/** What rpm asks of itself: `rpmlib(PayloadIsZstd)`, `config(x)`; and rich needs, which are not judged. */
function isOfRpmItself(need: string): boolean {
  return /^(rpmlib|config)\(|^\(/.test(need);
}

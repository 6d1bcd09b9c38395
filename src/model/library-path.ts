/*
 * Where the dynamic loader looks for a library (ld.so(8)): DT_RUNPATH, then what ld.so.conf names, then its own
 * directories. Owns: the order, and reading ld.so.conf. No I/O.
 */

export const LD_CONF = "/etc/ld.so.conf";

/** Distributions build them into their loader; these need neither ld.so.conf nor a cache. */
export const DEFAULT_DIRECTORIES: Readonly<Record<string, readonly string[]>> = {
  "62/64": ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"],
  "3/32": ["/usr/lib/i386-linux-gnu", "/usr/lib32", "/usr/lib"],
  "183/64": ["/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"],
  "243/64": ["/usr/lib/riscv64-linux-gnu", "/usr/lib64/lp64d", "/usr/lib64", "/usr/lib"],
};

/** The directories of ld.so.conf and what it includes. `filesLike`: the texts of the files that match. */
export function parseLdConf(
  text: string,
  filesLike: (pattern: string) => readonly string[],
  depth = 0,
): string[] {
  return text.split("\n").flatMap((raw) => {
    const line = raw.replace(/#.*/, "").trim();
    const [, pattern] = /^include\s+(\S+)$/.exec(line) ?? [];
    if (pattern !== undefined) {
      const whole = pattern.startsWith("/") ? pattern : `/etc/${pattern}`;
      return depth > 4
        ? []
        : filesLike(whole).flatMap((inner) => parseLdConf(inner, filesLike, depth + 1));
    }
    return line.startsWith("/") ? [line.replace(/\/+$/, "")] : [];
  });
}

/** Where a file in `directory` looks by its DT_RUNPATH. */
export function runPathOf(
  runPath: readonly string[],
  directory: string,
  machine: string,
): string[] {
  const lib = machine.endsWith("/64") ? "lib64" : "lib";
  return runPath
    .map((part) =>
      part.replaceAll(/\$(ORIGIN|\{ORIGIN\})/g, directory).replaceAll(/\$(LIB|\{LIB\})/g, lib),
    )
    .filter((part) => part.startsWith("/"));
}

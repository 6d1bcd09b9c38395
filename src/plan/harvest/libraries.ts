/*
 * Finds the libraries of a program as the device's loader would. Owns: the search. Pure.
 */
import type { TreeView } from "../../model/harvest.ts";
import type { Elf } from "../../model/elf.ts";
import { DEFAULT_DIRECTORIES, LD_CONF, parseLdConf, runPathOf } from "../../model/library-path.ts";
import { parentOf } from "../../model/tree-path.ts";
import type { Paths } from "./paths.ts";

export interface FoundLibrary {
  /** As the loader opens it. */
  readonly path: string;
  /** The file and the links to it, as they lie. */
  readonly chain: readonly string[];
  /** Only ld.so.conf leads there: without a cache made on the device it is not found. */
  readonly needsCache: boolean;
}

/** `from`: the file that needs it. */
export function makeLibraries(view: TreeView, paths: Paths) {
  const configured = parseLdConf(view.text(LD_CONF) ?? "", (pattern) =>
    paths.expand([pattern]).found.flatMap((path) => view.text(path) ?? []),
  ).map((directory) => paths.real(directory));
  return (soname: string, from: string, { machine, runPath }: Elf): FoundLibrary | undefined => {
    const defaults = DEFAULT_DIRECTORIES[machine] ?? [];
    const own = runPathOf(runPath, parentOf(from), machine);
    const directories = soname.includes("/") ? [""] : [...own, ...configured, ...defaults];
    for (const directory of directories) {
      const path = soname.includes("/") ? soname : `${directory}/${soname}`;
      const chain = paths.chain(path);
      const file = chain.at(-1);
      if (file === undefined || view.elf(file)?.machine !== machine) continue;
      const needsCache = !own.includes(directory) && !defaults.includes(directory);
      return { path, chain, needsCache };
    }
    return undefined;
  };
}

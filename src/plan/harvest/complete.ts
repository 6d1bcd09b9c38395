/*
 * Whether a package is whole: everything that its files load, start or are interpreted by lies in it, in the packages
 * that it needs, or in the base. Owns: these questions, asked of all those trees at once. Pure.
 */
import type { Judged, TreeView } from "../../model/harvest.ts";
import { nameOf, parentOf } from "../../model/tree-path.ts";
import { programsOfUnit, UNIT_DIRECTORIES } from "../../model/unit-file.ts";
import { makeLibraries } from "./libraries.ts";
import { makePaths } from "./paths.ts";

const PROGRAM_DIRECTORIES = ["/usr/local/bin", "/usr/sbin", "/usr/bin"];

/** Trees as an overlay shows them: of what is in several, the first one's. Directories show what lies in all. */
export function overlay(views: readonly TreeView[]): TreeView {
  const holder = (path: string) => views.find((view) => view.node(path) !== undefined);
  return {
    node: (path) => holder(path)?.node(path),
    names: (directory) => [...new Set(views.flatMap((view) => view.names(directory)))].sort(),
    text: (path) => holder(path)?.text(path),
    elf: (path) => holder(path)?.elf(path),
    interpreter: (path) => holder(path)?.interpreter(path),
  };
}

/** `own`: the package; `below`: what else is there, the base last; `commands`: of the package, argv. */
export function whatIsMissing(
  own: TreeView,
  below: readonly TreeView[],
  commands: readonly (readonly string[])[] = [],
): Judged[] {
  const view = overlay([own, ...below]);
  const paths = makePaths(view);
  const findLibrary = makeLibraries(view, paths);
  const files = makePaths(own)
    .expand(["/"])
    .found.filter((path) => own.node(path)?.type === "file");
  const names = new Set(files.map(nameOf));
  const isThere = (path: string) => view.node(paths.chain(path).at(-1) ?? "")?.type === "file";
  const programs = commands.flatMap(([program]) => (program === undefined ? [] : [program]));
  const called = [...new Set(programs)].filter((program) => !isThere(program));
  const inFiles = files.flatMap((path): Judged[] => {
    const elf = own.elf(path);
    if (elf) {
      const { needed, interpreter } = elf;
      return [
        ...(interpreter === undefined || isThere(interpreter) ? [] : [`loader ${interpreter}`]),
        ...needed
          .filter((soname) => !findLibrary(soname, path, elf) && !names.has(soname))
          .map((soname) => `library ${soname}`),
      ].map((why) => ({ path, why }));
    }
    if (UNIT_DIRECTORIES.includes(parentOf(path))) {
      return programsOfUnit(own.text(path) ?? "")
        .filter((program) => !isThere(program))
        .map((program) => ({ path, why: `program ${program}` }));
    }
    if (((own.node(path)?.mode ?? 0) & 0o111) === 0) return [];
    const program = programOf(own.interpreter(path) ?? "");
    if (program === undefined) return [];
    const places = program.startsWith("/")
      ? [program]
      : PROGRAM_DIRECTORIES.map((place) => `${place}/${program}`);
    return places.some(isThere) ? [] : [{ path, why: `interpreter ${program}` }];
  });
  return [...called.map((path) => ({ path, why: "a command of the package" })), ...inFiles];
}

/** Of a first line, without `env` and its options. */
export function programOf(line: string): string | undefined {
  const [first = "", ...words] = line.trim().split(/\s+/);
  const program = nameOf(first) === "env" ? words.find((word) => !/^-|=/.test(word)) : first;
  return program === "" ? undefined : program;
}

/*
 * Units of systemd, as much as a harvest asks: what [Install] wants, which programs and users a service names.
 * Owns: that (systemd.unit(5)). No I/O.
 */
import { nameOf } from "./tree-path.ts";

export const UNIT_DIRECTORIES = ["/usr/lib/systemd/system", "/etc/systemd/system"];
export const ENABLED_UNITS = "/etc/systemd/system";

/** section → key → its values, in order; an empty one takes away those before it. */
export function parseUnit(text: string): (section: string, key: string) => string[] {
  const found = new Map<string, string[]>();
  let section = "";
  for (const line of text.replaceAll(/\\\n/g, " ").split("\n")) {
    const [, head] = /^\[(.+)\]\s*$/.exec(line) ?? [];
    if (head !== undefined) section = head;
    const [, key, value = ""] = /^([A-Za-z]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (head !== undefined || key === undefined) continue;
    const place = `${section}/${key}`;
    found.set(place, value === "" ? [] : [...(found.get(place) ?? []), value]);
  }
  return (wanted, key) => found.get(`${wanted}/${key}`) ?? [];
}

export interface UnitLink {
  readonly path: string;
  readonly target: string;
}

/** The links that `systemctl enable` makes for a unit that lies at `path`. Templates without an instance have none. */
export function linksOfUnit(path: string, text: string): UnitLink[] {
  const unit = parseUnit(text);
  const name = nameOf(path);
  const words = (key: string) => unit("Install", key).flatMap((value) => value.split(/\s+/));
  const [, stem, ending] = /^(.+)@(\.\w+)$/.exec(name) ?? [];
  const [instance] = words("DefaultInstance");
  if (stem !== undefined && instance === undefined) return [];
  const called = stem === undefined ? name : `${stem}@${instance}${ending}`;
  const beside = (key: string, kind: string) =>
    words(key).map((other) => ({
      path: `${ENABLED_UNITS}/${other}.${kind}/${called}`,
      target: path,
    }));
  const aliases = words("Alias")
    .filter((alias) => alias !== name)
    .map((alias) => ({ path: `${ENABLED_UNITS}/${alias}`, target: path }));
  return [...beside("WantedBy", "wants"), ...beside("RequiredBy", "requires"), ...aliases];
}

/** Whole paths of what a service starts; those that may be absent (`-`, a condition) and those with a `%` are left out. */
export function programsOfUnit(text: string): string[] {
  const unit = parseUnit(text);
  const lines = ["ExecStart", "ExecStartPre", "ExecStartPost", "ExecReload", "ExecStop"].flatMap(
    (key) => unit("Service", key),
  );
  const asked = ["ConditionPathExists", "ConditionFileIsExecutable"].flatMap((key) =>
    unit("Unit", key),
  );
  const programs = lines.flatMap((line) => {
    const [, marks = "", program] = /^([-@:+!|]*)"?(\/[^\s"]+)/.exec(line) ?? [];
    return program === undefined || marks.includes("-") || program.includes("%") ? [] : [program];
  });
  return [...new Set(programs)].filter((program) => !asked.includes(program));
}

/** Users and groups that a service runs as. */
export function accountsOfUnit(text: string): string[] {
  const unit = parseUnit(text);
  const named = ["User", "Group", "SupplementaryGroups"].flatMap((key) => unit("Service", key));
  return [...new Set(named.flatMap((value) => value.split(/\s+/)))].filter((name) =>
    /^[a-z_][\w.-]*$/i.test(name),
  );
}

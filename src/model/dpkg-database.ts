/*
 * What dpkg keeps below /var/lib/dpkg: status, lists of files, diversions, alternatives; and the register of ucf.
 * Owns: these formats (deb-control(5), dpkg-divert, update-alternatives). No I/O.
 */
import type { InstalledPackage } from "./installed.ts";

export const DPKG_STATUS = "/var/lib/dpkg/status";
export const DPKG_INFO = "/var/lib/dpkg/info";
export const DPKG_DIVERSIONS = "/var/lib/dpkg/diversions";
export const DPKG_ALTERNATIVES = "/var/lib/dpkg/alternatives";
export const UCF_REGISTER = "/var/lib/ucf/registry";

/** The packages that are installed or at least unpacked. `listOf`: the text of a package's `.list`. */
export function parseDpkgStatus(
  text: string,
  listOf: (name: string, architecture: string) => string,
): InstalledPackage[] {
  return text
    .split(/\n{2,}/)
    .map(parseStanza)
    .filter((fields) =>
      /^\S+ \S+ (installed|triggers-\S+|unpacked|half-configured)$/.test(
        fields.get("Status") ?? "",
      ),
    )
    .map((fields) => {
      const field = (key: string) => fields.get(key) ?? "";
      const name = field("Package");
      return {
        name,
        version: field("Version"),
        architecture: field("Architecture"),
        isEssential: field("Essential") === "yes" || field("Priority") === "required",
        needs: [field("Pre-Depends"), field("Depends")].flatMap(parseRelations),
        provides: parseRelations(field("Provides")).flat(),
        files: parseList(listOf(name, field("Architecture"))),
      };
    });
}

function parseStanza(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  let key = "";
  for (const line of text.split("\n")) {
    const [, name, value = ""] = /^([^\s:]+):\s*(.*)$/.exec(line) ?? [];
    if (name !== undefined) fields.set((key = name), value);
    else if (key !== "" && line !== "") fields.set(key, `${fields.get(key)}\n${line.trim()}`);
  }
  return fields;
}

/** `a (>= 1) | b:any, c [amd64]` → [["a", "b"], ["c"]]. */
export function parseRelations(text: string): string[][] {
  return text
    .split(",")
    .map((group) =>
      group
        .split("|")
        .map((part) => /^\s*([^\s:([]+)/.exec(part)?.[1] ?? "")
        .filter((name) => name !== ""),
    )
    .filter((names) => names.length > 0);
}

/** Absolute paths; `/.` is the root. */
export function parseList(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("/") && line !== "/.");
}

export interface Diversion {
  /** Where the files of other packages would lie. */
  readonly from: string;
  /** Where they lie instead. */
  readonly to: string;
  /** The package whose own file keeps its place; ":" for none. */
  readonly by: string;
}

export function parseDiversions(text: string): Diversion[] {
  const lines = text.split("\n").filter((line) => line !== "");
  const found: Diversion[] = [];
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [from = "", to = "", by = ""] = lines.slice(at, at + 3);
    found.push({ from, to, by });
  }
  return found;
}

export interface Alternative {
  readonly name: string;
  /** The link that people use → its name below /etc/alternatives, the main one first. */
  readonly links: readonly { readonly name: string; readonly link: string }[];
}

/** One file below alternatives/: the mode, the main link, pairs of further names and links, an empty line, choices. */
export function parseAlternative(name: string, text: string): Alternative {
  const [, main = "", ...rest] = text.split("\n");
  const links = [{ name, link: main }];
  for (let at = 0; at + 1 < rest.length && rest[at] !== ""; at += 2) {
    links.push({ name: rest[at] ?? "", link: rest[at + 1] ?? "" });
  }
  return { name, links: links.filter(({ link }) => link.startsWith("/")) };
}

/** Configuration that ucf laid out: the file → its package. */
export function parseUcfRegister(text: string): Map<string, string> {
  const pairs = text.split("\n").map((line) => line.trim().split(/\s+/));
  return new Map(pairs.flatMap(([owner, file]) => (owner && file ? [[file, owner] as const] : [])));
}

/** The units that a maintainer's script enables where nobody has decided otherwise, as debhelper writes it. */
export function enabledByScript(script: string): string[] {
  const found = script.matchAll(/deb-systemd-helper[^\n]*\swas-enabled\s+'?([\w@.:\\-]+)'?/g);
  return [...new Set([...found].map(([, unit = ""]) => unit))];
}

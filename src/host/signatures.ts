/*
 * wipefs and blkid: what file systems, members and tables say of themselves. wipefs lists every
 * signature, blkid knows some that wipefs does not show; together they are "no signature known".
 * Owns: parsing and reading. The parsers are pure.
 */
import * as v from "valibot";
import { parseDocument } from "../model/document.ts";
import type { Signature } from "../model/machine.ts";
import { query } from "./command.ts";

const Text = v.pipe(
  v.optional(v.nullable(v.string()), null),
  v.transform((text) => (text ?? "").trim()),
);
const Report = v.object({
  signatures: v.array(
    v.object({
      device: v.string(),
      offset: v.pipe(
        v.union([v.string(), v.number()]),
        v.transform(Number),
        v.safeInteger("is no offset"),
      ),
      type: v.string(),
      uuid: Text,
      label: Text,
    }),
  ),
});

/** What a region of a disk holds: of one kind, label and UUID once, at its first place. */
export function parseWipefs(text: string): Signature[] {
  if (text.trim() === "") return [];
  const report = parseDocument(Report, JSON.parse(text), "wipefs");
  const found = report.signatures.map(({ offset, type, uuid, label }) => ({
    type,
    label,
    uuid,
    offsetBytes: offset,
  }));
  return once(found.sort((one, other) => one.offsetBytes - other.offsetBytes));
}

/** ZFS writes its mark some sixty times, GPT and LUKS2 twice. */
function once(signatures: readonly Signature[]): Signature[] {
  const seen = new Set<string>();
  return signatures.filter(({ type, label, uuid }) => {
    const key = JSON.stringify([type, label, uuid]);
    return !seen.has(key) && seen.add(key);
  });
}

/** `NAME=value` a line, the way `blkid -o export` escapes it. */
export function parseBlkid(text: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const equals = line.indexOf("=");
    if (equals > 0) values.set(line.slice(0, equals), unescape(line.slice(equals + 1)).trim());
  }
  return values;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/gs, "$1");
}

/** blkid's signatures that wipefs did not list; their place is unknown and given as 0. */
export function addBlkid(
  listed: readonly Signature[],
  values: ReadonlyMap<string, string>,
): Signature[] {
  const more: Signature[] = [];
  for (const key of ["TYPE", "PTTYPE"]) {
    const type = values.get(key);
    if (type === undefined || listed.some((signature) => signature.type === type)) continue;
    const ofFile = key === "TYPE";
    more.push({
      type,
      label: ofFile ? (values.get("LABEL") ?? "") : "",
      uuid: (ofFile ? values.get("UUID") : values.get("PTUUID")) ?? "",
      offsetBytes: 0,
    });
  }
  return [...listed, ...more];
}

/** @throws CommandError where the device cannot be read. */
export async function readSignatures(path: string): Promise<Signature[]> {
  const columns = "DEVICE,OFFSET,TYPE,UUID,LABEL";
  const listed = parseWipefs(
    await query(["wipefs", "--no-act", "--json", "--output", columns, path]),
  );
  return addBlkid(listed, parseBlkid(await readBlkid([path])));
}

/** The same for a region of a disk that the kernel knows no partition for; only blkid can look there. */
export async function readSignaturesAt(
  path: string,
  startBytes: number,
  sizeBytes: number,
): Promise<Signature[]> {
  const region = ["--offset", String(startBytes), "--size", String(sizeBytes), path];
  return addBlkid([], parseBlkid(await readBlkid(region)));
}

/** Exit code 2: nothing found. 8: several that contradict each other; they say which. */
async function readBlkid(where: readonly string[]): Promise<string> {
  const output = await query(["blkid", "--probe", "--output", "export", ...where], {
    okCodes: [0, 2, 8],
  });
  return output;
}

/*
 * What a difference between two bundles carries: `delta.json`. It is not signed: what its parts make counts only by the digests
 * that the signed manifest of the newer bundle has. src/bundle/README.md describes it.
 * Owns: schema, printing, parsing, which old content is nearest to a new one, and the rules that need both manifests. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import {
  Count,
  Digest,
  listContents,
  type BundleManifest,
  type Content,
} from "./bundle-manifest.ts";
import { parseDocument, parseExact } from "./document.ts";
import { parsePackageName } from "./package-name.ts";

export const DELTA_FILE = "delta.json";

const Difference = v.strictObject({
  image: Digest,
  from: Digest,
  method: v.literal("zdiff1"),
  sizeBytes: Count,
  sha256: Digest,
});
const Full = v.strictObject({
  image: Digest,
  method: v.literal("full"),
  sizeBytes: Count,
  sha256: Digest,
});

const DeltaSchema = v.strictObject({
  format: v.literal(1, "must be 1: made by a newer zshield?"),
  old: Digest,
  parts: v.array(
    v.variant("method", [Difference, Full], "must be one that is known: made by a newer zshield?"),
    "must be a list",
  ),
});

export type Delta = v.InferOutput<typeof DeltaSchema>;
export type DeltaPart = Delta["parts"][number];

/** @throws Refusal */
export function printDelta(delta: Delta): string {
  return JSON.stringify(parseDocument(DeltaSchema, delta, DELTA_FILE));
}

/** `name`: of the document, for what is said. @throws Refusal for every text but the one that `printDelta` makes. */
export function parseDelta(text: string, name: string): Delta {
  return parseExact(DeltaSchema, text, name);
}

/** What of the newer bundle the older one has not, in order, each with what is nearest to it in the older one. */
export interface NewContent {
  readonly content: Content;
  readonly before: Content | undefined;
}

export function newContents(older: BundleManifest, newer: BundleManifest): NewContent[] {
  const known = new Map(listContents(older).map((content) => [content.sha256, content]));
  const places = new Map<string, Content>();
  for (const { name: platform, boot, packages } of older.platforms) {
    for (const item of [...boot, ...packages]) {
      const content = known.get("image" in item ? item.image.sha256 : item.sha256);
      if (!content) continue;
      places.set(`${platform} ${roleOf(item)}`, content);
      // Another platform's is better than none.
      places.set(roleOf(item), content);
    }
  }
  return listContents(newer)
    .filter(({ sha256 }) => !known.has(sha256))
    .map((content) => {
      const role = roleOf(content.item);
      return { content, before: places.get(`${content.platform} ${role}`) ?? places.get(role) };
    });
}

/** What it is called in every version. */
function roleOf(item: Content["item"]): string {
  return "image" in item ? `package ${parsePackageName(item.name).name}` : `boot ${item.name}`;
}

/** @throws Refusal if these are not the parts that lead from the one to the other. `name`: of the file. */
export function checkDelta(
  name: string,
  delta: Delta,
  older: BundleManifest,
  newer: BundleManifest,
): void {
  const olds = new Set(listContents(older).map(({ sha256 }) => sha256));
  const wanted = newContents(older, newer);
  for (const [index, { content }] of wanted.entries()) {
    const fault = faultOf(delta.parts[index], content, olds);
    if (fault === undefined) continue;
    throw new Refusal(
      `${DELTA_FILE} in ${name}: part ${index + 1}, of ${content.item.name}, ${fault}`,
    );
  }
  if (delta.parts.length > wanted.length) {
    throw new Refusal(
      `${DELTA_FILE} in ${name} has ${delta.parts.length} parts, where ${wanted.length} are needed`,
    );
  }
}

function faultOf(
  part: DeltaPart | undefined,
  { sha256, item: { blob } }: Content,
  olds: ReadonlySet<string>,
): string | undefined {
  if (!part) return "is missing";
  if (part.image !== sha256) return `makes ${part.image}, not ${sha256}`;
  if (part.method === "full") {
    const isBlob = part.sha256 === blob.sha256 && part.sizeBytes === blob.sizeBytes;
    return isBlob ? undefined : "is not the blob that the signed manifest names";
  }
  if (!olds.has(part.from)) return `begins with ${part.from}, which the older bundle has not`;
  return part.sizeBytes < blob.sizeBytes ? undefined : "is not smaller than the whole blob";
}

/*
 * What a recovery gives up and what it leaves: data, so that each face says it in its own words and language.
 * Owns: the schemas (they are journalled with the plan) and the types. No texts.
 */
import * as v from "valibot";

const Text = v.string();
const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const SignatureName = v.strictObject({ type: Text, label: Text });

/** A part of what somebody has put on a disk. */
const Found = v.variant("kind", [
  v.strictObject({ kind: v.literal("table"), type: Text }),
  v.strictObject({ kind: v.literal("signature"), type: Text, label: Text }),
  v.strictObject({
    kind: v.literal("partition"),
    path: Text,
    sizeBytes: Bytes,
    signatures: v.array(SignatureName),
  }),
  v.strictObject({ kind: v.literal("group"), name: Text, volumes: v.array(Text) }),
  /** A state of ours that does not count. */
  v.strictObject({ kind: v.literal("state"), trouble: Text }),
  /** What is there cannot be told; `text`: why it is not blank, or "". */
  v.strictObject({ kind: v.literal("unknown"), text: Text }),
]);
export type Found = v.InferOutput<typeof Found>;

/** Journals of older versions have all parts in one text. */
const FoundParts = v.union([
  v.array(Found),
  v.pipe(
    Text,
    v.transform((text): Found[] => [{ kind: "unknown", text }]),
  ),
]);

export const Loss = v.variant("kind", [
  /** What somebody else has put on the disk; the size is the disk's. */
  v.strictObject({ kind: v.literal("content"), what: FoundParts, sizeBytes: Bytes }),
  /** All volumes of an installation of ours, user and audit data too. */
  v.strictObject({
    kind: v.literal("everything"),
    volumes: v.array(v.strictObject({ name: Text, sizeBytes: Bytes })),
  }),
  /** The installed system with its settings. */
  v.strictObject({ kind: v.literal("system"), sizeBytes: Bytes }),
  v.strictObject({ kind: v.literal("backup"), timeSeconds: v.number(), sizeBytes: Bytes }),
  /** A snapshot of root that somebody else took. */
  v.strictObject({ kind: v.literal("snapshot"), name: Text, sizeBytes: Bytes }),
  /** What was changed in root since the backup; as many bytes as the backup had to keep for that. */
  v.strictObject({ kind: v.literal("changes"), sinceSeconds: v.number(), sizeBytes: Bytes }),
  v.strictObject({ kind: v.literal("words"), text: Text }),
]);
export type Loss = v.InferOutput<typeof Loss>;

export const Keeping = v.variant("kind", [
  v.strictObject({ kind: v.literal("user"), mount: Text, sizeBytes: Bytes }),
  v.strictObject({ kind: v.literal("audit"), mount: Text, sizeBytes: Bytes }),
  /** The system as it was backed up. */
  v.strictObject({
    kind: v.literal("backed-up"),
    sinceSeconds: v.number(),
    reason: Text,
    sizeBytes: Bytes,
  }),
  /** System, backup, user and audit data. */
  v.strictObject({ kind: v.literal("all") }),
]);
export type Keeping = v.InferOutput<typeof Keeping>;

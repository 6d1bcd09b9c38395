/*
 * The record in `state/` on the disk's ESP: what GRUB and the agent must remember. Two copies, `a` and
 * `b`, each a GRUB environment block of fixed size (`a.env`) and its digest (`a.sum`, the format of
 * sha256sum, so that GRUB's `hashsum --check` reads it). Both files are written in place and never
 * change their size; the copy that does not match its digest does not count; the newest valid one does.
 * Owns: format, printing, parsing, choosing. No I/O.
 */
import { createHash } from "node:crypto";
import * as v from "valibot";
import { FactoryState } from "./factory-state.ts";
import { Journal } from "./journal.ts";
import { OPERATIONS, type Operation } from "./operation.ts";
import { ResultSchema } from "./result.ts";

export const STATE_DIRECTORY = "state";
export const STATE_COPIES = ["a", "b"] as const;
export type StateCopy = (typeof STATE_COPIES)[number];
/** Size of each environment block. The journal with the whole plan has to fit. */
export const STATE_BYTES = 128 * 1024;
const SIGNATURE = "# GRUB Environment Block\n";

export const StateDocument = v.strictObject({
  schema: v.literal(1),
  /** The disk that the record was written for. */
  disk: v.strictObject({
    path: v.string(),
    model: v.string(),
    serial: v.string(),
    wwn: v.string(),
    sizeBytes: v.number(),
  }),
  /** UUID of our volume group as LVM prints it; "" until it is made. */
  groupUuid: v.string(),
  /** Version of the golden that is installed; "" until one is. */
  version: v.string(),
  /** What is being done; absent when nothing is. */
  journal: v.optional(Journal),
  /** How the last recovery ended. */
  lastResult: v.optional(ResultSchema),
  /** When that was, in seconds since 1970 by the box's clock; records of older versions lack it. */
  lastResultSeconds: v.optional(v.number()),
  /** How often root had been mounted for writing when the installation ended, as its superblock counts. */
  rootMounts: v.optional(v.number()),
  /** LVM's UUIDs of the snapshots of root that `zshield restore` said are lost; absent: of none, or nothing is asked for. */
  toldSnapshots: v.optional(v.array(v.string())),
  /** The factory tests of what is installed; absent where none were asked for. */
  factory: v.optional(FactoryState),
});
export type StateDocument = v.InferOutput<typeof StateDocument>;

/**
 * `installed`: GRUB boots root. `requested`: `operation` is to be done at the next start, asked for by the running
 * system (its backup) or by an installation (the factory tests); nothing has been changed for it yet. `failed`: the
 * factory tests did, and GRUB starts the menu of the rescue system. `changing`: the running system is changing its volumes; should the power
 * fail now, the rescue system looks after them first (LVM flushes nothing). `recovering`: a recovery has
 * begun, and root counts as whole only when it has ended.
 */
export const PHASES = ["installed", "requested", "changing", "recovering", "failed"] as const;
export type Phase = (typeof PHASES)[number];

/** What GRUB reads, as variables `zs_…`, besides the agent's own document. */
export interface StateRecord {
  readonly sequence: number;
  readonly phase: Phase;
  /** What GRUB starts the rescue system with, unless the phase is `installed`. */
  readonly operation: Operation;
  /** GRUB's name of the root volume without parentheses, `lvmid/<VG UUID>/<LV UUID>`; "" until there is one. */
  readonly root: string;
  /** Directories on this ESP below /zshield: `grub-…`, `rescue-…`; "" until installed. */
  readonly grub: string;
  readonly rescue: string;
  readonly document: StateDocument;
}

/** The record when nothing is going on: what GRUB starts then follows from the factory tests. */
export function atRest(record: StateRecord): StateRecord {
  const { factory } = record.document;
  if (factory === undefined || factory.verdict === "PASS") return { ...record, phase: "installed" };
  return {
    ...record,
    phase: factory.verdict === "FAIL" ? "failed" : "requested",
    operation: "test",
  };
}

/** By `zshield restore latest`, which has asked; an installation requests the factory tests. */
export function isRestoreRequested({ phase, operation }: StateRecord): boolean {
  return phase === "requested" && operation === "latest";
}

/** The environment block, exactly STATE_BYTES long. @throws Error if it does not fit. */
export function printState(record: StateRecord): Uint8Array {
  const lines = [
    ["zs_sequence", String(record.sequence)],
    ["zs_phase", record.phase],
    ["zs_operation", record.operation],
    ["zs_root", record.root],
    ["zs_grub", record.grub],
    ["zs_rescue", record.rescue],
    ["zs_document", JSON.stringify(record.document)],
  ].map(([name, value]) => `${name}=${(value ?? "").replaceAll("\\", "\\\\")}\n`);
  const bytes = new TextEncoder().encode(SIGNATURE + lines.join(""));
  if (bytes.length > STATE_BYTES) throw new Error("the state does not fit into its block");
  const block = new Uint8Array(STATE_BYTES).fill(0x23);
  block.set(bytes);
  return block;
}

/** The line of sha256sum for an environment block; always of the same length. */
export function printStateSum(copy: StateCopy, block: Uint8Array): string {
  return `${createHash("sha256").update(block).digest("hex")}  ${copy}.env\n`;
}

/** The record, or a sentence that says why this copy does not count. */
export function parseState(copy: StateCopy, block: Uint8Array, sum: string): StateRecord | string {
  if (printStateSum(copy, block) !== sum) return `copy ${copy} does not match its digest`;
  const text = new TextDecoder().decode(block);
  if (!text.startsWith(SIGNATURE)) return `copy ${copy} is no environment block`;
  const values = new Map<string, string>();
  for (const line of text.slice(SIGNATURE.length).split("\n")) {
    const equals = line.indexOf("=");
    if (!line.startsWith("zs_") || equals < 0) continue;
    values.set(line.slice(0, equals), line.slice(equals + 1).replaceAll("\\\\", "\\"));
  }
  const fields = v.safeParse(StateFields, Object.fromEntries(values));
  if (!fields.success) return `copy ${copy}: ${fields.issues[0].message}`;
  const { zs_sequence, zs_phase, zs_operation, zs_root, zs_grub, zs_rescue } = fields.output;
  let json: unknown;
  try {
    json = JSON.parse(fields.output.zs_document);
  } catch {
    return `copy ${copy}: its document is not JSON`;
  }
  const document = v.safeParse(StateDocument, json);
  if (!document.success) return `copy ${copy}: ${document.issues[0].message}`;
  return {
    sequence: Number(zs_sequence),
    phase: zs_phase,
    operation: zs_operation,
    root: zs_root,
    grub: zs_grub,
    rescue: zs_rescue,
    document: document.output,
  };
}

const StateFields = v.strictObject({
  zs_sequence: v.pipe(v.string(), v.regex(/^\d{1,15}$/, "the sequence is not a number")),
  zs_phase: v.picklist(PHASES),
  zs_operation: v.picklist(OPERATIONS),
  zs_root: v.string(),
  zs_grub: v.string(),
  zs_rescue: v.string(),
  zs_document: v.string(),
});

/** The newest valid record of both copies, or why there is none. */
export function chooseState(
  a: StateRecord | string,
  b: StateRecord | string,
): StateRecord | string {
  if (typeof a === "string") return typeof b === "string" ? `${a}; ${b}` : b;
  if (typeof b === "string") return a;
  return b.sequence > a.sequence ? b : a;
}

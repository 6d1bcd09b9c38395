/*
 * sfdisk: the partition table that is written on a disk (which may differ from what the kernel knows).
 * Owns: parsing and reading. `parseSfdisk` is pure.
 */
import * as v from "valibot";
import { CommandError } from "../errors.ts";
import { parseDocument } from "../model/document.ts";
import type { Partition } from "../model/machine.ts";
import { query, type QueryOptions } from "./command.ts";

export interface Table {
  readonly kind: "none" | "gpt" | "dos" | "other";
  /** Where sfdisk knows none, "". */
  readonly uuid: string;
  readonly partitions: readonly Omit<Partition, "signatures">[];
}

export const NO_TABLE: Table = { kind: "none", uuid: "", partitions: [] };

const Sectors = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Report = v.object({
  partitiontable: v.object({
    label: v.string(),
    id: v.optional(v.string(), ""),
    device: v.string(),
    unit: v.literal("sectors"),
    sectorsize: v.optional(v.number()),
    partitions: v.optional(
      v.array(
        v.object({
          node: v.string(),
          start: Sectors,
          size: Sectors,
          type: v.string(),
          uuid: v.optional(v.string(), ""),
          name: v.optional(v.string(), ""),
        }),
      ),
      [],
    ),
  }),
});

/** `sectorBytes`: what a sector is where the report does not say. UUIDs in lower case. */
export function parseSfdisk(text: string, sectorBytes: number): Table {
  const { partitiontable: table } = parseDocument(Report, JSON.parse(text), "sfdisk");
  const unit = table.sectorsize ?? sectorBytes;
  return {
    kind: table.label === "gpt" || table.label === "dos" ? table.label : "other",
    uuid: table.id.toLowerCase(),
    partitions: table.partitions.map((partition) => {
      const number = numberOf(partition.node, table.device);
      return {
        path: partition.node,
        number,
        startBytes: partition.start * unit,
        sizeBytes: partition.size * unit,
        typeUuid: partition.type.toLowerCase(),
        uuid: partition.uuid === "" ? dosUuid(table, number) : partition.uuid.toLowerCase(),
        name: partition.name,
      };
    }),
  };
}

/** What is written on the disk. @throws CommandError where the disk cannot be read. */
export async function readSfdisk(
  path: string,
  sectorBytes: number,
  options: QueryOptions = {},
): Promise<Table> {
  try {
    return parseSfdisk(await query(["sfdisk", "--json", path], options), sectorBytes);
  } catch (error) {
    if (error instanceof CommandError && saysNoTable(error)) return NO_TABLE;
    throw error;
  }
}

/** Exit code 1 stands for "no table" and for "cannot read" alike; only the words tell. */
export function saysNoTable(error: CommandError): boolean {
  return (
    error.outcome.kind === "exit" &&
    error.outcome.code === 1 &&
    /does not contain a recognized partition table/.test(error.stderrTail)
  );
}

/** `/dev/nvme0n1p2` of `/dev/nvme0n1` is 2. */
function numberOf(node: string, device: string): number {
  const match = /^(?:p|-part)?(\d+)$/.exec(
    node.startsWith(device) ? node.slice(device.length) : "",
  );
  if (!match) throw new Error(`sfdisk calls a partition of ${device} "${node}"`);
  return Number(match[1]);
}

/** The kernel's PARTUUID for a table that has none of its own: `2655e8e3-05`. */
function dosUuid(table: { label: string; id: string }, number: number): string {
  const id = /^0x([0-9a-f]{8})$/i.exec(table.id)?.[1];
  if (table.label !== "dos" || id === undefined) return "";
  return `${id.toLowerCase()}-${number.toString(16).padStart(2, "0")}`;
}

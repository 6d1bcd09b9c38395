/*
 * A machine read back from JSON: `zshield plan --machine FILE`, test/machines, a bug report.
 * Owns: the schema of Machine and parsing. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { CardDescription } from "./card.ts";
import { Claim } from "./claim.ts";
import { parseDocument } from "./document.ts";
import type { Machine } from "./machine.ts";
import { OPERATIONS } from "./operation.ts";
import { PHASES, StateDocument } from "./state.ts";

const Text = v.string();
const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const Signature = v.strictObject({ type: Text, label: Text, uuid: Text, offsetBytes: Bytes });

const Partition = v.strictObject({
  path: Text,
  number: v.pipe(v.number(), v.integer(), v.minValue(1)),
  startBytes: Bytes,
  sizeBytes: Bytes,
  typeUuid: Text,
  uuid: Text,
  name: Text,
  signatures: v.array(Signature),
});

const StateRecord = v.strictObject({
  sequence: Bytes,
  phase: v.picklist(PHASES),
  operation: v.picklist(OPERATIONS),
  root: Text,
  grub: Text,
  rescue: Text,
  document: StateDocument,
});

const Disk = v.strictObject({
  path: Text,
  model: Text,
  serial: Text,
  wwn: Text,
  sizeBytes: Bytes,
  transport: Text,
  logicalSectorBytes: v.pipe(Bytes, v.minValue(512)),
  removable: v.boolean(),
  readOnly: v.boolean(),
  inUse: v.array(Text),
  table: v.picklist(["none", "gpt", "dos", "other"]),
  partitions: v.array(Partition),
  signatures: v.array(Signature),
  blank: v.union([v.literal(true), Text]),
  claim: v.exactOptional(Claim),
  state: v.exactOptional(StateRecord),
  stateTrouble: v.exactOptional(Text),
  bootFiles: v.exactOptional(
    v.strictObject({ card: Text, version: Text, boot: Text, grub: Text, rescue: Text }),
  ),
});

const Volume = v.strictObject({
  name: Text,
  uuid: Text,
  tags: v.array(Text),
  sizeBytes: Bytes,
  attributes: v.pipe(Text, v.length(10)),
  origin: Text,
  active: v.boolean(),
  merging: v.boolean(),
  invalid: v.boolean(),
  dataPercent: v.exactOptional(v.pipe(v.number(), v.minValue(0), v.maxValue(100))),
});

const VolumeGroup = v.strictObject({
  name: Text,
  uuid: Text,
  tags: v.array(Text),
  sizeBytes: Bytes,
  freeBytes: Bytes,
  extentBytes: Bytes,
  partial: v.boolean(),
  trouble: v.exactOptional(Text),
  physicalVolumes: v.array(Text),
  volumes: v.array(Volume),
});

const MachineSchema = v.strictObject({
  schema: v.literal(1),
  firmware: v.picklist(["bios", "uefi"]),
  memoryBytes: Bytes,
  vendor: Text,
  model: Text,
  serial: Text,
  missingTools: v.array(Text),
  card: v.exactOptional(
    v.strictObject({ disk: Text, espPath: Text, goldenPath: Text, description: CardDescription }),
  ),
  cardTrouble: v.exactOptional(Text),
  disks: v.array(Disk),
  groups: v.array(VolumeGroup),
  groupsTrouble: v.exactOptional(Text),
  runsFrom: v.exactOptional(v.strictObject({ groupUuid: Text, volumeUuid: Text })),
});

/** `name`: what the text is, for the faults. @throws Refusal naming every fault with its path. */
export function parseMachine(text: string, name = "machine"): Machine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Refusal(`${name} is not JSON`, "`zshield probe --json` prints a machine");
  }
  return parseDocument(MachineSchema, value, name);
}

/*
 * LVM: the volume groups, in one report that scans the disks once. Nothing is activated, polled, cached
 * or written by it. Not `--readonly`: that does not ask the kernel, and calls every volume inactive.
 * Inside an initramfs LVM exists only as `lvm VERB`. Owns: parsing and reading. `parseGroups` is pure.
 */
import { realpath } from "node:fs/promises";
import * as v from "valibot";
import { parseDocument } from "../model/document.ts";
import type { Volume, VolumeGroup } from "../model/machine.ts";
import { say } from "../model/messages.ts";
import type { Message } from "../words.ts";
import { query } from "./command.ts";

/** For every call of LVM: no devices file, no daemons, no events, no copies of metadata in /etc. */
export const LVM_CONFIG = [
  'devices { use_devicesfile=0 hints="none" }',
  "global { use_lvmpolld=0 event_activation=0 }",
  "activation { monitoring=0 }",
  "backup { backup=0 archive=0 }",
].join(" ");

const REPORTS: Readonly<Record<string, string>> = {
  vg: "vg_name,vg_uuid,vg_tags,vg_size,vg_free,vg_extent_size,vg_partial,vg_missing_pv_count,vg_exported",
  pv: "pv_name,pv_uuid,pv_missing,pv_duplicate",
  lv: "lv_name,lv_uuid,lv_tags,lv_size,lv_attr,origin,lv_active,lv_merging,lv_snapshot_invalid,data_percent",
  pvseg: "pvseg_start",
  seg: "seg_start",
};

const Count = v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number), v.safeInteger());
/**
 * A thin or sparse volume may say that it is larger than all disks together; a number is exact only up to 8 PiB. Every
 * such one is foreign, and is not to hide the groups beside it. What is computed with, room in a group, stays exact.
 */
const VolumeSize = v.pipe(
  v.string(),
  v.regex(/^\d+$/),
  v.transform((text) => Math.min(Number(text), Number.MAX_SAFE_INTEGER)),
);
/** With `--binary`: "1", "0", or "-1" for unknown. */
const Flag = v.pipe(
  v.picklist(["0", "1", "-1"]),
  v.transform((flag) => flag === "1"),
);
const Tags = v.pipe(
  v.string(),
  v.transform((text) => (text === "" ? [] : text.split(","))),
);
const Percent = v.pipe(
  v.string(),
  v.regex(/^(\d+(\.\d+)?)?$/),
  v.transform((text) => (text === "" ? undefined : Number(text))),
);
const Report = v.object({
  report: v.array(
    v.object({
      vg: v.optional(
        v.array(
          v.object({
            vg_name: v.string(),
            vg_uuid: v.string(),
            vg_tags: Tags,
            vg_size: Count,
            vg_free: Count,
            vg_extent_size: Count,
            vg_partial: Flag,
            vg_missing_pv_count: Count,
            vg_exported: Flag,
          }),
        ),
        [],
      ),
      pv: v.optional(
        v.array(
          v.object({
            pv_name: v.string(),
            pv_uuid: v.string(),
            pv_missing: Flag,
            pv_duplicate: Flag,
          }),
        ),
        [],
      ),
      lv: v.optional(
        v.array(
          v.object({
            lv_name: v.string(),
            lv_uuid: v.string(),
            lv_tags: Tags,
            lv_size: VolumeSize,
            lv_attr: v.string(),
            origin: v.string(),
            lv_active: v.string(),
            lv_merging: Flag,
            lv_snapshot_invalid: Flag,
            data_percent: Percent,
          }),
        ),
        [],
      ),
    }),
  ),
});
type Row<Part extends "vg" | "pv" | "lv"> = NonNullable<
  v.InferOutput<typeof Report>["report"][number][Part]
>[number];

/** A volume group, with the UUIDs of its physical volumes, by which a copied disk is recognised. */
export interface FoundGroup extends VolumeGroup {
  readonly physicalVolumeUuids: readonly string[];
}

/** The groups, sorted by UUID. @throws Refusal where the report is not as expected. */
export function parseGroups(text: string): FoundGroup[] {
  const groups: FoundGroup[] = [];
  for (const { vg, pv, lv } of parseDocument(Report, JSON.parse(withoutRemarks(text)), "lvm")
    .report) {
    const [group] = vg;
    // Physical volumes of no group are reported together, under a group without a name.
    if (!group || group.vg_name === "") continue;
    groups.push({
      name: group.vg_name,
      uuid: group.vg_uuid,
      tags: group.vg_tags,
      sizeBytes: group.vg_size,
      freeBytes: group.vg_free,
      extentBytes: group.vg_extent_size,
      ...partial(group, pv),
      physicalVolumes: pv.filter((row) => !row.pv_missing).map((row) => row.pv_name),
      physicalVolumeUuids: pv.map((row) => row.pv_uuid),
      volumes: lv.map(toVolume),
    });
  }
  return groups.sort((one, other) => (one.uuid < other.uuid ? -1 : 1));
}

function partial(group: Row<"vg">, pvs: readonly Row<"pv">[]) {
  const missing = pvs.filter((row) => row.pv_missing).map((row) => row.pv_uuid);
  if (group.vg_partial || group.vg_missing_pv_count > 0 || missing.length > 0) {
    return { partial: true, trouble: `the physical volume ${missing.join(", ")} is missing` };
  }
  if (group.vg_exported) return { partial: true, trouble: "the group is exported" };
  if (pvs.some((row) => row.pv_duplicate)) {
    return { partial: true, trouble: "one of its physical volumes is there twice" };
  }
  return { partial: false };
}

function toVolume(row: Row<"lv">): Volume {
  const state = row.lv_attr[4] ?? "-";
  return {
    name: withoutBrackets(row.lv_name),
    uuid: row.lv_uuid,
    tags: row.lv_tags,
    sizeBytes: row.lv_size,
    attributes: row.lv_attr,
    origin: withoutBrackets(row.origin),
    active: row.lv_active.startsWith("active") || !/[-X]/.test(state),
    // `S` is the snapshot that is being merged into another volume.
    merging: isMergedInto(row.lv_attr) || (row.lv_merging && !/^S/.test(row.lv_attr)),
    invalid: row.lv_snapshot_invalid || /[ISmM]/.test(state),
    ...(row.data_percent === undefined ? {} : { dataPercent: row.data_percent }),
  };
}

/** One volume, as far as a merge has to know it. */
export interface VolumeState {
  readonly name: string;
  /** "" where it is no snapshot. */
  readonly origin: string;
  /** It is being merged into its origin. */
  readonly merging: boolean;
}

const StateReport = v.object({
  report: v.array(
    v.object({
      lv: v.array(v.object({ lv_name: v.string(), origin: v.string(), lv_merging: Flag })),
    }),
  ),
});

/** Of `lvs --all --reportformat json --binary --options lv_name,origin,lv_merging`. */
export function parseVolumeStates(text: string): VolumeState[] {
  const { report } = parseDocument(StateReport, JSON.parse(withoutRemarks(text)), "lvm");
  return report.flatMap(({ lv }) =>
    lv.map((row) => ({
      name: withoutBrackets(row.lv_name),
      origin: withoutBrackets(row.origin),
      merging: row.lv_merging,
    })),
  );
}

/** Hidden volumes, such as a snapshot that is being merged, are printed in brackets. */
function withoutBrackets(name: string): string {
  return name.replace(/^\[(.*)\]$/, "$1");
}

/** @throws CommandError */
export async function readGroups(timeoutMs = 60_000): Promise<FoundGroup[]> {
  const columns = Object.entries(REPORTS).flatMap(([report, fields]) => [
    "--configreport",
    report,
    "--options",
    fields,
  ]);
  const how = ["--reportformat", "json", "--units", "b", "--nosuffix", "--binary"];
  // Groups of another host or of a cluster are foreign content too: they must be seen.
  const whose = ["--all", "--foreign", "--shared"];
  const argv = ["lvm", "fullreport", ...how, ...whose, "--config", LVM_CONFIG, ...columns];
  return Promise.all(parseGroups(await query(argv, { timeoutMs })).map(withKernelPaths));
}

/** LVM may know a device by a symbolic link; here a path is what the kernel calls it. */
async function withKernelPaths(group: FoundGroup): Promise<FoundGroup> {
  const paths = group.physicalVolumes.map((path) => realpath(path).catch(() => path));
  return { ...group, physicalVolumes: await Promise.all(paths) };
}

/**
 * A copied disk carries the same physical volume twice; LVM then chooses one of them by itself. Such a
 * group is nothing that anyone can rely on. `places`: where each PV's UUID was seen, by path.
 */
export function markCopies(
  groups: readonly FoundGroup[],
  places: ReadonlyMap<string, readonly string[]>,
): VolumeGroup[] {
  return groups.map(({ physicalVolumeUuids, ...group }) => {
    for (const uuid of physicalVolumeUuids) {
      const paths = places.get(uuid) ?? [];
      if (paths.length < 2) continue;
      const trouble = `its physical volume ${uuid} is there more than once: ${paths.join(", ")}`;
      return { ...group, partial: true, trouble };
    }
    return group;
  });
}

/** LVM prints this among the JSON, on stdout, when metadata is torn; the report itself is whole. */
function withoutRemarks(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^\s*Retrying metadata scan\.\s*$/.test(line))
    .join("\n");
}

/**
 * Why a volume is not the whole root: of its UUID and lv_attr as `lvs` prints them, "" where it is not there.
 * `recorded`: GRUB's name of the root in state/, which ends with the UUID. Pure.
 */
export function whyNotRoot(volume: string, text: string, recorded: string): Message | undefined {
  const [uuid = "", attributes = ""] = text.trim().split(/\s+/);
  if (uuid === "" || !recorded.endsWith(`/${uuid}`)) return say("other-root", volume);
  return isMergedInto(attributes) ? say("merge-open", volume) : undefined;
}

/** A snapshot is being merged into the volume with this lv_attr. */
function isMergedInto(attributes: string): boolean {
  return attributes.startsWith("O");
}

/** One field of one group or volume on that device, as LVM prints it. @throws CommandError */
export async function lvmField(
  device: string,
  report: "vgs" | "lvs",
  field: string,
  name: string,
  format: readonly string[] = [],
): Promise<string> {
  const text = await query([
    "lvm",
    report,
    "--devices",
    device,
    "--noheadings",
    ...format,
    "--options",
    field,
    name,
  ]);
  return text.trim();
}

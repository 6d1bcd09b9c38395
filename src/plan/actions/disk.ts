/*
 * The disk itself: its claim, its table, the ESP with the state. Pure.
 */
import type { Action } from "../../model/action.ts";
import { CLAIM_BYTES, CLAIM_OFFSET_BYTES } from "../../model/claim.ts";
import { tableScript } from "../layout.ts";
import { run, type Part } from "./part.ts";

export const DISK: Part<
  | "protect-disks"
  | "claim-disk"
  | "clear-disk"
  | "make-esp"
  | "write-table"
  | "open-esp"
  | "clear-claim"
  | "finish"
> = {
  "protect-disks": (step) => [{ do: "protect", devices: step.devices }],

  "claim-disk": (step, _plan, { disk }) => [{ do: "write-claim", disk, consent: step.consent }],

  "clear-disk": (step, _plan, { disk }) => [
    ...step.partitions.map((partition) =>
      run(["wipefs", "--all", "--force", partition], {
        onlyIf: ["blockdev", "--getro", partition],
      }),
    ),
    ...step.ranges.map((range): Action => ({ do: "zero", device: disk, ...range })),
    { do: "reread-table", disk },
  ],

  "make-esp": (step, _plan, { disk }) => [
    {
      do: "make-esp",
      disk,
      offsetBytes: step.offsetBytes,
      sizeBytes: step.sizeBytes,
      label: step.label,
      volumeId: step.volumeId,
    },
  ],

  "write-table": (step, _plan, { disk }) => [
    run(["sfdisk", "--wipe=never", "--wipe-partitions=never", "--no-tell-kernel", disk], {
      stdin: tableScript(step.diskUuid, step.sectorBytes, step.partitions),
    }),
    run(["blockdev", "--flushbufs", disk]),
    { do: "reread-table", disk },
    ...step.partitions.map(({ uuid }): Action => ({
      do: "wait-for",
      path: `/dev/disk/by-partuuid/${uuid}`,
      seconds: 60,
    })),
  ],

  "open-esp": (step) => [
    { do: "wait-for", path: step.device, seconds: 60 },
    { do: "open-esp", device: step.device },
  ],

  "clear-claim": (_step, _plan, { disk }) => [
    { do: "zero", device: disk, offsetBytes: CLAIM_OFFSET_BYTES, sizeBytes: CLAIM_BYTES },
  ],

  finish: (_step, _plan, { disk }) => [{ do: "check-table", disk }],
};

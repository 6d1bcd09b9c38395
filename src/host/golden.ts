/*
 * Golden, opened so that the kernel checks every block against the hash tree before anybody sees it.
 * Source: Documentation/admin-guide/device-mapper/verity.rst.
 */
import { query, run } from "./command.ts";
import { mount } from "./mounts.ts";
import type { GoldenDescription } from "../model/card.ts";

const NAME = "zshield-golden";

/** The table for `dmsetup create`: one line, sectors of 512 bytes. */
export function verityTable(device: string, golden: Pick<GoldenDescription, "verity">): string {
  const { verity } = golden;
  const sectors = (verity.dataBlocks * verity.blockBytes) / 512;
  const hashBlock = verity.hashOffsetBytes / verity.blockBytes;
  return (
    `0 ${sectors} verity 1 ${device} ${device} ${verity.blockBytes} ${verity.blockBytes} ` +
    `${verity.dataBlocks} ${hashBlock} sha256 ${verity.rootHash} ${verity.salt || "-"}`
  );
}

export async function openGolden(
  device: string,
  espDevice: string,
  golden: GoldenDescription,
  at: { golden: string; card: string },
): Promise<void> {
  await closeGolden();
  await run(["dmsetup", "create", NAME, "--readonly", "--table", verityTable(device, golden)]);
  await run(["udevadm", "settle", "--timeout=30"]);
  await mount(espDevice, at.card, "vfat", "ro");
  await mount(`/dev/mapper/${NAME}`, at.golden, "ext4", "ro,noload");
}

export async function closeGolden(): Promise<void> {
  const list = await query(["dmsetup", "ls"]);
  if (list.split("\n").some((line) => line.startsWith(`${NAME}\t`))) {
    await run(["dmsetup", "remove", "--retry", NAME]);
  }
}

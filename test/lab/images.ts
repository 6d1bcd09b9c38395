/*
 * Disk images: making them, layers on top of them, and proving that nothing was written.
 * A layer is an empty qcow2 file over a finished image: cheap to make, and whatever a machine writes is
 * in the layer, so "untouched" is "the layer is empty" (a write of the same bytes counts as well).
 * Owns: files. Starts no machine.
 */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { command } from "./command.ts";

export interface Image {
  readonly file: string;
  readonly format: "raw" | "qcow2";
}

/** A sparse raw file. */
export function makeRaw(folder: string, name: string, sizeBytes: number): Image {
  const file = join(folder, `${name}.raw`);
  writeFileSync(file, "");
  truncateSync(file, sizeBytes);
  return { file, format: "raw" };
}

export async function makeQcow2(folder: string, name: string, sizeBytes: number): Promise<Image> {
  const file = join(folder, `${name}.qcow2`);
  await command(["qemu-img", "create", "-q", "-f", "qcow2", file, String(sizeBytes)]);
  return { file, format: "qcow2" };
}

/** An empty layer; the image below is only read from now on and must not change. */
export async function makeLayer(folder: string, name: string, below: Image): Promise<Image> {
  const file = join(folder, `${name}.layer.qcow2`);
  const backing = ["-b", below.file, "-F", below.format];
  await command(["qemu-img", "create", "-q", "-f", "qcow2", ...backing, file]);
  return { file, format: "qcow2" };
}

/** How many bytes (whole clusters) were written to a layer. */
export async function bytesWritten(layer: Image): Promise<number> {
  const { stdout } = await command(["qemu-img", "map", "-U", "--output=json", layer.file]);
  const extents = JSON.parse(stdout) as { readonly depth: number; readonly length: number }[];
  return extents.reduce((sum, { depth, length }) => (depth === 0 ? sum + length : sum), 0);
}

/** A sparse raw copy of any image, for looking into it on the host. */
export async function flatten(folder: string, name: string, image: Image): Promise<Image> {
  const file = join(folder, `${name}.raw`);
  await command(["qemu-img", "convert", "-O", "raw", image.file, file]);
  return { file, format: "raw" };
}

/** Whether both hold the same bytes; holes are zeros. */
export async function isSame(a: Image, b: Image): Promise<boolean> {
  const formats = ["-f", a.format, "-F", b.format];
  const { code } = await command(["qemu-img", "compare", ...formats, a.file, b.file], {
    accept: [1],
  });
  return code === 0;
}

export interface ImagePartition {
  readonly number: number;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

export async function readPartitions(rawFile: string): Promise<ImagePartition[]> {
  const { stdout } = await command(["sfdisk", "--json", rawFile]);
  const { partitiontable } = JSON.parse(stdout) as {
    partitiontable: {
      readonly sectorsize?: number;
      readonly partitions: {
        readonly node: string;
        readonly start: number;
        readonly size: number;
      }[];
    };
  };
  const sector = partitiontable.sectorsize ?? 512;
  return partitiontable.partitions.map(({ node, start, size }) => ({
    number: Number(/\d+$/.exec(node)?.[0]),
    startBytes: start * sector,
    sizeBytes: size * sector,
  }));
}

/** @throws Error if there is no such partition. */
export async function readPartition(rawFile: string, number: number): Promise<ImagePartition> {
  const found = (await readPartitions(rawFile)).find((partition) => partition.number === number);
  if (!found) throw new Error(`${rawFile} has no partition ${number}`);
  return found;
}

/** Flips one bit at `offsetBytes`, in a layer over the raw file `below` and only there. */
export async function flipBit(
  folder: string,
  layer: Image,
  below: Image,
  offsetBytes: number,
): Promise<void> {
  const block = 4096;
  const start = Math.floor(offsetBytes / block) * block;
  const bytes = await Bun.file(below.file)
    .slice(start, start + block)
    .bytes();
  const at = offsetBytes - start;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  const file = join(folder, "flipped-block");
  writeFileSync(file, bytes);
  await command(["qemu-io", "-f", "qcow2", "-c", `write -s ${file} ${start} ${block}`, layer.file]);
}

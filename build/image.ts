/*
 * The card image: partition table, ESP, golden, and GRUB's boot sector, all written into one sparse
 * file. The same inputs give the same bytes: every UUID comes from the content's digest, every time
 * is the same, every order is sorted. Nothing is mounted for it.
 * Owns: where things lie on the card. What they are is the caller's (build/card.ts).
 */
import { createHash } from "node:crypto";
import { mkdir, open, readFile, stat, truncate, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { CARD_LABEL } from "../src/model/card.ts";
import {
  CORE_OFFSETS_BYTES,
  patchBootImage,
  patchCoreImage,
  SECTOR_BYTES,
} from "../src/model/boot-sector.ts";
import { KIB, MIB } from "../src/model/size.ts";
import {
  BIOS_BOOT_BYTES,
  BIOS_BOOT_START_BYTES,
  BIOS_BOOT_TYPE,
  ESP_BYTES,
  ESP_START_BYTES,
  ESP_TYPE,
  tableScript,
} from "../src/plan/layout.ts";
import { run } from "./command.ts";

/** Linux root (x86-64) of the Discoverable Partitions Specification would be mounted unasked; this is not. */
const LINUX_DATA_TYPE = "0fc63daf-8483-4772-8e79-3d69d8477de4";
export const GOLDEN_START_BYTES = ESP_START_BYTES + ESP_BYTES;

/** A file of the ESP: its path there, and where its bytes come from. */
export type EspFile = { readonly path: string } & (
  { readonly source: string } | { readonly text: string }
);

export interface ImageChoice {
  readonly image: string;
  /** Whatever stands for the content; UUIDs are derived from it. */
  readonly seed: string;
  readonly epoch: number;
  readonly esp: readonly EspFile[];
  /** File system with its hash tree, a whole number of MiB. */
  readonly goldenImage: string;
  readonly goldenUuid: string;
  readonly bootImage: string;
  readonly coreImage: string;
  /** A folder for what is only needed meanwhile. */
  readonly scratch: string;
}

export async function makeImage(choice: ImageChoice): Promise<void> {
  const { image, seed } = choice;
  const { size: goldenBytes } = await stat(choice.goldenImage);
  await writeFile(image, "");
  await truncate(image, GOLDEN_START_BYTES + goldenBytes + MIB);
  const partitions = [
    {
      number: 1,
      name: "zshield-bios-boot",
      typeUuid: BIOS_BOOT_TYPE,
      uuid: uuidOf(seed, "bios-boot"),
      startBytes: BIOS_BOOT_START_BYTES,
      sizeBytes: BIOS_BOOT_BYTES,
    },
    {
      number: 2,
      name: "zshield-card",
      typeUuid: ESP_TYPE,
      uuid: uuidOf(seed, "esp"),
      startBytes: ESP_START_BYTES,
      sizeBytes: ESP_BYTES,
    },
    {
      number: 3,
      name: "zshield-golden",
      typeUuid: LINUX_DATA_TYPE,
      uuid: choice.goldenUuid,
      startBytes: GOLDEN_START_BYTES,
      sizeBytes: goldenBytes,
    },
  ];
  await run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", image], {
    input: tableScript(uuidOf(seed, "disk"), SECTOR_BYTES, partitions),
  });
  await makeEsp(choice);
  await run([
    ...["dd", `if=${choice.goldenImage}`, `of=${image}`, `bs=${MIB}`],
    ...[`seek=${GOLDEN_START_BYTES / MIB}`, "conv=notrunc,sparse", "status=none"],
  ]);
  await installGrub(choice);
}

/** A UUID that is always the same for the same seed and name (version 8: made by our own rule). */
export function uuidOf(seed: string, name: string): string {
  const bytes = createHash("sha256").update(`${seed}\n${name}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([from, to]) => hex.slice(from, to))
    .join("-");
}

async function makeEsp(choice: ImageChoice): Promise<void> {
  const { image, epoch } = choice;
  const env = {
    SOURCE_DATE_EPOCH: String(epoch),
    TZ: "UTC",
    MTOOLS_SKIP_CHECK: "1",
    MTOOLSRC: "/dev/null",
  };
  await run(
    [
      // --invariant sets a time and a number; the number that comes later counts.
      ...["mkfs.vfat", "--invariant", "-i", uuidOf(choice.seed, "volume").slice(0, 8)],
      ...["-F", "32", "-S", String(SECTOR_BYTES), "-s", "8", "-n", CARD_LABEL],
      ...[`--offset=${ESP_START_BYTES / SECTOR_BYTES}`, image, String(ESP_BYTES / KIB)],
    ],
    { env },
  );
  const volume = `${image}@@${ESP_START_BYTES}`;
  const directories = new Map<string, EspFile[]>();
  for (const file of choice.esp) {
    for (
      let parent = path.posix.dirname(file.path);
      parent !== "/";
      parent = path.posix.dirname(parent)
    ) {
      if (!directories.has(parent)) directories.set(parent, []);
    }
    directories.get(path.posix.dirname(file.path))?.push(file);
  }
  const sorted = [...directories].sort(([a], [b]) => (a < b ? -1 : 1));
  await run(["mmd", "-i", volume, ...sorted.map(([directory]) => `::${directory}`)], { env });
  const texts = path.join(choice.scratch, "esp");
  for (const [directory, files] of sorted) {
    const together: string[] = [];
    for (const file of files.sort((a, b) => (a.path < b.path ? -1 : 1))) {
      const source =
        "source" in file ? file.source : await writeText(texts, file.path, file.text, epoch);
      // Many at once where the name stays: there are more than five hundred modules.
      if (path.basename(source) === path.posix.basename(file.path)) together.push(source);
      else await run(["mcopy", "-i", volume, source, `::${file.path}`], { env });
    }
    if (together.length > 0) {
      await run(["mcopy", "-i", volume, ...together, `::${directory}/`], { env });
    }
  }
}

async function writeText(
  folder: string,
  name: string,
  text: string,
  epoch: number,
): Promise<string> {
  const file = path.join(folder, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await utimes(file, epoch, epoch);
  return file;
}

async function installGrub({ image, bootImage, coreImage }: ImageChoice): Promise<void> {
  const [offset] = CORE_OFFSETS_BYTES;
  const lba = offset / SECTOR_BYTES;
  const core = patchCoreImage(new Uint8Array(await readFile(coreImage)), lba);
  const boot = new Uint8Array(await readFile(bootImage));
  const file = await open(image, "r+");
  try {
    const sector0 = new Uint8Array(SECTOR_BYTES);
    await file.read(sector0, 0, SECTOR_BYTES, 0);
    await file.write(core, 0, core.length, offset);
    await file.write(patchBootImage(boot, sector0, lba), 0, SECTOR_BYTES, 0);
  } finally {
    await file.close();
  }
}

/*
 * `npm run soak`: a bundle with a blob of more than 8 GiB, which lies in a sparse file. Sizes are 64-bit everywhere, and
 * memory does not grow with them. No machine is started.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, truncateSync, writeSync } from "node:fs";
import { join } from "node:path";
import { openSigned, signBundle } from "../../src/bundle/signed.ts";
import { encodeHeader, END_BYTES, entryBytes, paddingBytes } from "../../src/bundle/tar.ts";
import { layoutBytes } from "../../src/bundle/oci.ts";
import { hashTreeBytes } from "../../src/model/hash-tree.ts";
import { chainOf } from "../../src/model/chain.ts";
import { printPublicKey, printPublicKeyFile } from "../../src/model/minisign.ts";
import { GIB, KIB, MIB } from "../../src/model/size.ts";
import { exampleManifest, KEY } from "../unit/bundle-example.ts";
import { command } from "../lab/command.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";

/** Of zstd's blocks, each as large as one may be, so that the blob has more bytes than eleven octal digits can say. */
const BLOCK_BYTES = 128 * KIB;
const BLOCKS = (8 * GIB) / BLOCK_BYTES + 1;
const MOST_MEMORY = 128 * MIB;

export const scenario: Scenario = {
  name: "soak-large-bundle",
  title: "a bundle of more than 8 GiB is verified, cut off and damaged, within 128 MiB",
  minutes: 5,
  needs: [],
  soak: true,
  async run({ folder, note }) {
    const file = join(folder, "large.upt");
    const { start, wholeBytes, blobBytes } = makeSparse(file);
    const key = join(folder, "key.pub");
    await Bun.write(key, printPublicKeyFile(KEY));
    const verify = async () => {
      const child = Bun.spawn(
        [process.execPath, join(PROJECT, "src/main.ts"), "bundle", "verify", file, "--key", key],
        { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
      );
      const output = `${await new Response(child.stdout).text()}${await new Response(child.stderr).text()}`;
      const code = await child.exited;
      const memory = child.resourceUsage()?.maxRSS ?? Infinity;
      must(memory < MOST_MEMORY, `verifying took ${memory} bytes of memory`);
      return { code, output, memory };
    };

    const whole = await verify();
    must(whole.code === 0 && whole.output.includes("8.0 GiB, all right"), whole.output);
    note(`${(whole.memory / MIB).toFixed(0)} MiB of memory`);
    const { stdout } = await command(["tar", "--list", "--verbose", "--file", file]);
    must(stdout.includes(` ${blobBytes} `), `tar has another size:\n${stdout}`);

    for (const place of [2 ** 31, 2 ** 32 + 17, 8 * GIB + 1]) {
      patch(file, start + place, 1);
      const { code, output } = await verify();
      must(code === 3 && output.includes("was changed"), `changed at ${place}: ${output}`);
      patch(file, start + place, 0);
    }
    for (const length of [wholeBytes - 1, start + 2 ** 32]) {
      truncateSync(file, length);
      const { code, output } = await verify();
      must(code === 3 && output.includes("is cut off"), `cut off at ${length}: ${output}`);
    }
  },
};

/** A file system of nothing but zeros, which its frame's blocks hold as they are: between their heads are holes. */
function makeSparse(file: string): { start: number; wholeBytes: number; blobBytes: number } {
  const contentBytes = BLOCKS * BLOCK_BYTES;
  const zeros = Buffer.alloc(BLOCK_BYTES);
  const hash = createHash("sha256").update(frameHead(contentBytes));
  for (let index = 0; index < BLOCKS; index++) hash.update(blockHead(index)).update(zeros);
  const blobBytes = frameHead(contentBytes).length + BLOCKS * (3 + BLOCK_BYTES);
  const blob = { sha256: hash.digest("hex"), sizeBytes: blobBytes };
  const manifest = exampleManifest(
    Array.from({ length: 4 }, (_, index) => new Uint8Array(index + 1)),
  );
  const [platform] = manifest.platforms;
  const [zfs] = platform?.packages ?? [];
  if (!platform || !zfs) throw new Error("the example has no package");
  const dataBlocks = contentBytes / zfs.image.verity.blockBytes;
  const verity = { ...zfs.image.verity, dataBlocks, hashOffsetBytes: contentBytes };
  const image = { ...zfs.image, verity, sizeBytes: contentBytes + hashTreeBytes(dataBlocks) };
  const large = {
    ...manifest,
    label: "video-4.2.1122",
    platforms: [{ ...platform, packages: [{ ...zfs, blob, image }] }],
  };
  const signed = openSigned("large", signBundle(large, KEY, chainOf(KEY)), [printPublicKey(KEY)]);
  const handle = openSync(file, "w");
  let position = 0;
  const write = (bytes: Uint8Array) =>
    void (position += writeSync(handle, bytes, 0, bytes.length, position));
  for (const { name, bytes } of signed.layout.front) {
    write(encodeHeader({ name, sizeBytes: bytes.length }));
    write(bytes);
    position += paddingBytes(bytes.length);
  }
  write(encodeHeader({ name: `blobs/sha256/${blob.sha256}`, sizeBytes: blobBytes }));
  const start = position;
  write(frameHead(contentBytes));
  for (let index = 0; index < BLOCKS; index++) {
    write(blockHead(index));
    position += BLOCK_BYTES;
  }
  closeSync(handle);
  const wholeBytes = start - 512 + entryBytes(blobBytes) + END_BYTES;
  truncateSync(file, wholeBytes);
  must(wholeBytes === layoutBytes(signed.layout), "the file has another size than was computed");
  return { start, wholeBytes, blobBytes };
}

/** RFC 8878, 3.1.1.1: the content's size in eight bytes, and a window of 8 MiB. */
function frameHead(contentBytes: number): Buffer {
  const head = Buffer.of(0x28, 0xb5, 0x2f, 0xfd, 0xc0, 13 << 3, ...Buffer.alloc(8));
  head.writeBigUInt64LE(BigInt(contentBytes), 6);
  return head;
}

/** RFC 8878, 3.1.1.2: a raw block. */
function blockHead(index: number): Buffer {
  const head = Buffer.alloc(3);
  head.writeUIntLE((BLOCK_BYTES << 3) | (index === BLOCKS - 1 ? 1 : 0), 0, 3);
  return head;
}

function patch(file: string, position: number, value: number): void {
  const handle = openSync(file, "r+");
  writeSync(handle, Uint8Array.of(value), 0, 1, position);
  closeSync(handle);
}

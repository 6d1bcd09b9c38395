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
import { chainOf } from "../../src/model/chain.ts";
import { printPublicKey, printPublicKeyFile } from "../../src/model/minisign.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { exampleManifest, KEY } from "../unit/bundle-example.ts";
import { command } from "../lab/command.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";

/** No whole number of blocks, and more than eleven octal digits can say. */
const BLOB_BYTES = 8 * GIB + 5000;
const MOST_MEMORY = 128 * MIB;

export const scenario: Scenario = {
  name: "soak-large-bundle",
  title: "a bundle of more than 8 GiB is verified, cut off and damaged, within 128 MiB",
  minutes: 5,
  needs: [],
  soak: true,
  async run({ folder, note }) {
    const file = join(folder, "large.upt");
    const { start, wholeBytes } = makeSparse(file);
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
    must(stdout.includes(` ${BLOB_BYTES} `), `tar has another size:\n${stdout}`);

    for (const place of [2 ** 31, 2 ** 32 + 17, 8 * GIB + 1]) {
      patch(file, start + place, 1);
      const { code, output } = await verify();
      must(code === 3 && output.includes("was changed"), `changed at ${place}: ${output}`);
      patch(file, start + place, 0);
    }
    for (const length of [start + 2 ** 32, wholeBytes - 1]) {
      truncateSync(file, length);
      const { code, output } = await verify();
      must(code === 3 && output.includes("is cut off"), `cut off at ${length}: ${output}`);
    }
  },
};

/** A blob of nothing but zeros is a hole in the file. */
function makeSparse(file: string): { start: number; wholeBytes: number } {
  const hash = createHash("sha256");
  const zeros = Buffer.alloc(MIB);
  for (let left = BLOB_BYTES; left > 0; left -= MIB) hash.update(zeros.subarray(0, left));
  const blob = { sha256: hash.digest("hex"), sizeBytes: BLOB_BYTES };
  const manifest = exampleManifest(
    Array.from({ length: 4 }, (_, index) => new Uint8Array(index + 1)),
  );
  const [platform] = manifest.platforms;
  const [zfs] = platform?.packages ?? [];
  if (!platform || !zfs) throw new Error("the example has no package");
  const large = {
    ...manifest,
    label: "video-4.2.1122",
    platforms: [{ ...platform, packages: [{ ...zfs, blob }] }],
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
  write(encodeHeader({ name: `blobs/sha256/${blob.sha256}`, sizeBytes: BLOB_BYTES }));
  const start = position;
  closeSync(handle);
  const wholeBytes = start - 512 + entryBytes(BLOB_BYTES) + END_BYTES;
  truncateSync(file, wholeBytes);
  must(wholeBytes === layoutBytes(signed.layout), "the file has another size than was computed");
  return { start, wholeBytes };
}

function patch(file: string, position: number, value: number): void {
  const handle = openSync(file, "r+");
  writeSync(handle, Uint8Array.of(value), 0, 1, position);
  closeSync(handle);
}

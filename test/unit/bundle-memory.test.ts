/*
 * The memory that looking into a bundle takes where everything in front of its blobs is as large as it may be: of a vendor who
 * has many packages, and of a liar whose JSON is all brackets.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { sha256Of, blobName, type FrontEntry } from "../../src/bundle/oci.ts";
import { expandContent, openBundle } from "../../src/bundle/open.ts";
import { openSigned, signBundle } from "../../src/bundle/signed.ts";
import { entryBytes } from "../../src/bundle/tar.ts";
import { bundlePieces } from "../../src/bundle/write.ts";
import { listContents, MOST_FRONT_BYTES, sumOfRevisions } from "../../src/model/bundle-manifest.ts";
import { chainOf, printChain } from "../../src/model/chain.ts";
import { printPublicKey, printPublicKeyFile } from "../../src/model/minisign.ts";
import { COMMENT, signMessage } from "../../src/model/signature.ts";
import { exampleBundle, KEY, of, packageOf } from "./bundle-example.ts";
import { refusalWhile, tarOf } from "./delta-example.ts";
import { peakOf } from "./peak.ts";

const scratch = mkdtempSync(join(tmpdir(), "zshield-memory-"));
test.after(() => rmSync(scratch, { recursive: true }));
const at = (name: string) => join(scratch, name);
const { manifest } = await exampleBundle();
const bytesOf = (front: readonly FrontEntry[]) =>
  front.reduce((sum, { bytes }) => sum + entryBytes(bytes.length), 0);

test("2200 packages fit into the front, and verifying takes less than 128 MiB", async () => {
  const [first] = manifest.platforms;
  if (!first) throw new Error("the example has no platform");
  const blobs = new Map<string, Uint8Array>();
  const packages = Array.from({ length: 2200 }, (_, index) => {
    const blob = zstdCompressSync(Buffer.alloc(8192, `content ${index} `));
    blobs.set(sha256Of(blob), blob);
    return packageOf(`package${12_200 - index}-1.0.8.1-7.1-000000`, blob);
  });
  const label = `video-4.${sumOfRevisions(packages.map(({ name }) => name))}.1122`;
  const many = { ...manifest, label, platforms: [{ ...first, packages }] };
  const parts = signBundle(many, KEY, chainOf(KEY));
  const { layout } = openSigned("x", parts, [printPublicKey(KEY)]);
  assert.ok(bytesOf(layout.front) > 0.85 * MOST_FRONT_BYTES, "more of them would fit");
  const more = packages.slice(0, 400).map((one) => ({ ...one, name: `and-${one.name}` }));
  const tooMany = [...packages, ...more].toSorted((a, b) => (a.name < b.name ? 1 : -1));
  assert.throws(() => {
    const revisions = `video-4.${tooMany.length}.1122`;
    const platforms = [{ ...first, packages: tooMany }];
    const large = signBundle({ ...many, label: revisions, platforms }, KEY, chainOf(KEY));
    openSigned("x", large, [printPublicKey(KEY)]);
  }, /manifest and index need \d+ bytes, more than the 2097152/);
  const pieces: Uint8Array[] = [];
  const all = bundlePieces(layout, ({ sha256 }) => of(blobs.get(sha256)));
  for await (const piece of all) pieces.push(Uint8Array.from(piece));
  writeFileSync(at("many.upt"), Buffer.concat(pieces));
  writeFileSync(at("vendor.pub"), printPublicKeyFile(KEY));
  const words = ["bundle", "verify", at("many.upt"), "--key", at("vendor.pub")];
  const { stdout, stderr, mib } = await peakOf(words);
  assert.match(stdout, /2200 blobs, .*, all right/, stderr);
  assert.ok(mib < 128, `${mib} MiB`);
});

test("the worst JSON that fits into the front takes less than 192 MiB", async () => {
  const whole = JSON.stringify(manifest);
  const room = MOST_FRONT_BYTES - 20_000 - whole.length;
  const texts = Array.from({ length: room / 10 }, (_, index) => `"${index.toString(36)}",`);
  const hostile = {
    deep: "[".repeat(room / 2) + "]".repeat(room / 2),
    objects: `[${"{},".repeat(room / 3)}{}]`,
    texts: `[${texts.join("")}"x"]`,
  };
  for (const [name, value] of Object.entries(hostile)) {
    const text = whole.replace('"needs":[]', `"needs":${value}`);
    const parts = [
      signMessage(KEY, text, {
        untrustedComment: COMMENT.bundle,
        trustedComment: `${COMMENT.bundle} ${manifest.label} release ${manifest.release}`,
      }),
      printChain(chainOf(KEY)),
      text,
    ].map((part) => Buffer.from(part));
    const front = [
      { name: "oci-layout", bytes: Buffer.from("{}") },
      { name: "index.json", bytes: Buffer.from("{}") },
      ...parts.map((bytes) => ({ name: blobName(sha256Of(bytes)), bytes })),
    ];
    assert.ok(bytesOf(front) > 0.6 * MOST_FRONT_BYTES && bytesOf(front) <= MOST_FRONT_BYTES, name);
    writeFileSync(at("hostile.upt"), tarOf(front));
    const { code, stderr, mib } = await peakOf(["bundle", "inspect", at("hostile.upt")]);
    assert.is(code, 3, stderr);
    assert.match(stderr, /manifest: platforms\.0\.packages\.0\.needs/);
    assert.ok(mib < 192, `${name}: ${mib} MiB`);
  }
});

/** What `verify` and unpacking say of a bundle whose nvr has this frame. */
async function whyNotFrame(nvrFrame: Uint8Array): Promise<readonly [string, string]> {
  const { bytes } = await exampleBundle({
    contents: [
      frameOf(8192, 20),
      nvrFrame,
      zstdCompressSync(Buffer.alloc(8192, "y")),
      zstdCompressSync(Buffer.alloc(9000, "z")),
    ],
  });
  writeFileSync(at("greedy.upt"), bytes);
  writeFileSync(at("vendor.pub"), printPublicKeyFile(KEY));
  const words = ["bundle", "verify", at("greedy.upt"), "--key", at("vendor.pub")];
  const { code, stderr } = await peakOf(words);
  assert.is(code, 3);
  const older = await openBundle(at("greedy.upt"), "whoever-signed");
  const nvr = listContents(older.signed.manifest).find(({ item }) => item.name.startsWith("nvr-"));
  if (!nvr) throw new Error("the example has no nvr");
  return [stderr, await refusalWhile(() => expandContent(older, nvr, at("nvr")))];
}

function frameOf(sizeBytes: number, windowLog: number) {
  return zstdCompressSync(Buffer.alloc(sizeBytes, "x"), {
    params: { [constants.ZSTD_c_windowLog]: windowLog },
  });
}

test("verify and apply name a blob that asks for a larger window than a receiver grants", async () => {
  // No single segment, a size of four bytes, a window of 16 MiB.
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x80, (24 - 10) << 3, 0x00, 0x20, 0x00, 0x00]);
  const greedy = Buffer.concat([head, frameOf(8192, 20).subarray(7)]);
  const [verified, unpacked] = await whyNotFrame(greedy);
  assert.match(
    verified,
    /the blob of nvr-.*: its frame asks for a window of 16 MiB, and 8 are granted/,
  );
  assert.match(unpacked, /cannot be unpacked: its frame asks for a window of 16 MiB/);
});

test("verify and apply name a blob that holds more than one frame", async () => {
  const [frame, empty] = [frameOf(8192, 20), zstdCompressSync(Buffer.alloc(0))];
  for (const tail of [frame, empty]) {
    const [verified, unpacked] = await whyNotFrame(Buffer.concat([frame, tail]));
    assert.match(verified, /the blob of nvr-.*: something lies behind its frame/);
    assert.match(unpacked, /cannot be unpacked: something lies behind its frame/);
  }
});

test.run();

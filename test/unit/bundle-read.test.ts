/*
 * A bundle that is not the one that was signed is refused, whatever was done to it, and no blob is handed out before
 * signature and manifest were right. The attacks are those of reliability.md (rows 14 and 15).
 */
import { randomBytes } from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { blobPositions, layoutBytes, sha256Of, type FrontEntry } from "../../src/bundle/oci.ts";
import { filePieces, makeReader } from "../../src/bundle/pieces.ts";
import { readBlobs, readBundle, readFront, readSigned } from "../../src/bundle/read.ts";
import { openSigned, signBundle } from "../../src/bundle/signed.ts";
import { encodeHeader, END_BYTES, entryBytes, paddingBytes } from "../../src/bundle/tar.ts";
import { writeBundle } from "../../src/bundle/write.ts";
import { MOST_FRONT_BYTES, printBundleManifest } from "../../src/model/bundle-manifest.ts";
import { chainOf, extendChain } from "../../src/model/chain.ts";
import { printPublicKey } from "../../src/model/minisign.ts";
import { COMMENT, signMessage } from "../../src/model/signature.ts";
import { exampleBundle, KEY, of, type Example } from "./bundle-example.ts";
import { MIB } from "../../src/model/size.ts";
import { flips, keyOf, refusalOf } from "./key-example.ts";
import { ownPeakMib } from "./peak.ts";

const known = [printPublicKey(KEY)];
const example = await exampleBundle();
const { bytes, signed } = example;
const frontBytesOf = ({ signed: { layout } }: Example) =>
  layout.front.reduce((sum, entry) => sum + entryBytes(entry.bytes.length), 0);
const frontBytes = frontBytesOf(example);

const read = (stream: Uint8Array, keys: readonly string[] | undefined = known) =>
  readBundle(of(stream), { name: "x.upt", keys });

async function whyRefused(stream: Uint8Array, keys?: readonly string[]): Promise<string> {
  return refusalWhile(() => read(stream, keys));
}

/** What is thrown must be a refusal; that nothing is thrown is told apart. */
async function refusalWhile(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "nothing was refused";
}

/** A tar of these entries, whatever they are. */
function tarOf(entries: readonly FrontEntry[], end = END_BYTES): Buffer {
  return Buffer.concat([
    ...entries.flatMap(({ name, bytes }) => [
      encodeHeader({ name, sizeBytes: bytes.length }),
      bytes,
      Buffer.alloc(paddingBytes(bytes.length)),
    ]),
    Buffer.alloc(end),
  ]);
}

function entriesOf({ signed, blobs }: Example): FrontEntry[] {
  return [
    ...signed.layout.front,
    ...signed.layout.blobs.map(({ sha256 }) => ({
      name: `blobs/sha256/${sha256}`,
      bytes: blobs.get(sha256) ?? new Uint8Array(),
    })),
  ];
}

test("a bundle is read, in pieces of any size, and is as large as was computed", async () => {
  assert.is(layoutBytes(signed.layout), bytes.length);
  for (const pieceBytes of [1, 511, 512, 513, 10_000, Infinity]) {
    const passed: string[] = [];
    const found = await readBundle(of(bytes, pieceBytes), {
      name: "x.upt",
      keys: known,
      onManifest: ({ manifest }) => void passed.push(manifest.label),
      onBlob(blob) {
        const pieces: Uint8Array[] = [];
        return {
          write: (piece) => void pieces.push(Uint8Array.from(piece)),
          end: () => void passed.push(String(sha256Of(Buffer.concat(pieces)) === blob.sha256)),
        };
      },
    });
    assert.equal(found.manifest, example.manifest);
    assert.is(found.identity, sha256Of(signed.parts.manifest));
    assert.equal(passed, ["video-4.6.1122", "true", "true", "true", "true"]);
  }
  const { manifest } = await readSigned(of(bytes.subarray(0, frontBytes)), {
    name: "x.upt",
    keys: known,
  });
  assert.equal(manifest, example.manifest);
});

test("a bundle for as many platforms as there may be is read", async () => {
  const { bytes: many } = await exampleBundle({
    change: ({ platforms: [arm, ...others], ...manifest }) => ({
      ...manifest,
      label: "video-4.2.1122",
      platforms:
        arm === undefined
          ? others
          : Array.from({ length: 64 }, (_, at) => ({ ...arm, name: `p${at + 10}` })),
    }),
  });
  assert.is((await read(many)).manifest.platforms.length, 64);
});

test("a piece is good until its receiver is done with it: nothing is read meanwhile", async () => {
  let [busy, most] = [0, 0];
  const buffer = Buffer.alloc(700);
  /** As files are read: each piece lies where the one before has been. */
  const reused = async function* () {
    for (let at = 0; at < bytes.length; at += buffer.length) {
      const length = bytes.copy(buffer, 0, at, at + buffer.length);
      yield buffer.subarray(0, length);
    }
  };
  await readBundle(reused(), {
    name: "x.upt",
    keys: known,
    onBlob(blob) {
      const kept: Buffer[] = [];
      return {
        async write(piece) {
          most = Math.max(most, (busy += 1));
          await new Promise((resolve) => setImmediate(resolve));
          kept.push(Buffer.from(piece));
          busy -= 1;
        },
        end: () => assert.is(sha256Of(Buffer.concat(kept)), blob.sha256),
      };
    },
  });
  assert.is(most, 1);
});

/** With one platform and one package. */
const small = await exampleBundle({
  change: ({ platforms, ...manifest }) => ({
    ...manifest,
    label: "video-4.2.1122",
    platforms: platforms.slice(0, 1),
  }),
});

test("a bit of each byte in front of the blobs: none is taken", async () => {
  const front = small.bytes.subarray(0, frontBytesOf(small));
  for (let index = 0; index < front.length; index++) {
    const bit = 1 << (index % 8);
    front[index]! ^= bit;
    const why = await whyRefused(front);
    front[index]! ^= bit;
    assert.match(why, /x\.upt/, `byte ${index}`);
    assert.not.match(why, /the blob of|nothing was refused/, `byte ${index}`);
  }
  assert.match(await whyRefused(front), /the blob of zfs/);
});

test("every bit of manifest, signature and chain, with all else made to fit: none is taken", () => {
  for (const part of ["manifest", "signature", "chain"] as const) {
    const { parts } = small.signed;
    for (const { bytes: flipped, what } of flips(new TextDecoder().decode(parts[part]))) {
      const why = refusalOf(() => openSigned("x.upt", { ...parts, [part]: flipped }, known));
      assert.is.not(why, "nothing was refused", `${part}, ${what}`);
      // Nothing is parsed that is not signed.
      if (part === "manifest") assert.match(why, /the signature in x\.upt does not fit/, what);
    }
  }
});

test("a signature of more than 4 KiB and a chain of more than 64 KiB are not looked at", () => {
  const { parts } = small.signed;
  for (const [part, sizeBytes, what] of [
    ["signature", 4096, "signature"],
    ["chain", 65_536, "key chain"],
  ] as const) {
    for (const more of [0, 1]) {
      const long = Buffer.concat([
        parts[part],
        Buffer.alloc(sizeBytes + more - parts[part].length, "x"),
      ]);
      const why = refusalOf(() => openSigned("x.upt", { ...parts, [part]: long }, known));
      assert.is(why === `the ${what} in x.upt is too long`, more === 1, why);
    }
  }
});

test("a byte order mark, which decoders like to swallow, in front of any part: none is taken", () => {
  const { parts } = small.signed;
  for (const part of ["manifest", "signature", "chain"] as const) {
    const marked = Buffer.concat([Buffer.from("\ufeff"), parts[part]]);
    const why = refusalOf(() => openSigned("x.upt", { ...parts, [part]: marked }, known));
    assert.is.not(why, "nothing was refused", part);
  }
});

test("2,000 random changes in the blobs, and anywhere: none is taken", async () => {
  const front = await readFront(makeReader(of(bytes)), { name: "x.upt", keys: known });
  const rest = bytes.subarray(frontBytes);
  for (let count = 0; count < 2000; count++) {
    const index = Math.floor(Math.random() * rest.length);
    const change = 1 + Math.floor(Math.random() * 255);
    rest[index]! ^= change;
    const why = await refusalWhile(() => readBlobs(makeReader(of(rest)), front, { name: "x.upt" }));
    rest[index]! ^= change;
    assert.match(why, /x\.upt/, `byte ${frontBytes + index} ^ ${change}`);
  }
  for (let count = 0; count < 500; count++) {
    const index = Math.floor(Math.random() * bytes.length);
    const change = 1 + Math.floor(Math.random() * 255);
    bytes[index]! ^= change;
    assert.match(await whyRefused(bytes), /x\.upt/, `byte ${index} ^ ${change}`);
    bytes[index]! ^= change;
  }
});

test("cut off at each byte of the first 64 KiB, and every 64 KiB behind them: none is taken", async () => {
  const large = await exampleBundle({ sizes: [3000, 1_000_000, 20_000, 25_000] });
  const options = { name: "x.upt", keys: known };
  const front = await readFront(makeReader(of(large.bytes)), options);
  const start = frontBytesOf(large);
  for (let length = 0; length < large.bytes.length; length += length < 65_536 ? 1 : 65_536) {
    // In front of the blobs a whole reading; behind, what was read in front is always the same.
    const why =
      length < start
        ? await whyRefused(large.bytes.subarray(0, length))
        : await refusalWhile(() =>
            readBlobs(makeReader(of(large.bytes.subarray(start, length))), front, options),
          );
    assert.match(why, /cut off|is empty/, `after ${length} bytes`);
  }
  assert.match(await whyRefused(large.bytes.subarray(0, -1)), /cut off .* in the end/);
});

test("what is behind the end, and a second bundle there, is refused", async () => {
  for (const tail of [
    Buffer.alloc(1),
    Buffer.alloc(512),
    Buffer.from("x"),
    randomBytes(10_000),
    bytes,
  ]) {
    assert.match(await whyRefused(Buffer.concat([bytes, tail])), /goes on behind its end/);
  }
  const withoutEnd = bytes.subarray(0, -END_BYTES);
  const why = await whyRefused(Buffer.concat([withoutEnd, bytes]));
  assert.match(why, /has "oci-layout" behind its last blob/);
  const rest = entriesOf(example);
  const twice = await whyRefused(tarOf([...rest, rest.at(-1) as FrontEntry]));
  assert.match(twice, /has "blobs\/sha256\/[0-9a-f]{64}" behind its last blob/);
});

test("entries that are missing, there twice, strange or in another order are refused by name", async () => {
  const entries = entriesOf(example);
  const names = entries.map(({ name }) => name);
  for (const [index, { name }] of entries.entries()) {
    const without = await whyRefused(tarOf(entries.filter((_, other) => other !== index)));
    assert.match(without, /x\.upt/, `without ${name}`);
    const twice = await whyRefused(
      tarOf(entries.flatMap((entry, other) => (other === index ? [entry, entry] : [entry]))),
    );
    const isFront = index > 1 && index < signed.layout.front.length - 1;
    assert.match(twice, isFront ? /x\.upt has blobs.* twice/ : /x\.upt/, `${name} twice`);
    for (const strange of [
      "../../etc/passwd",
      "/etc/passwd",
      "blobs/sha256/../../x",
      "blobs/sha512/ab",
      "x",
      `blobs/sha256/${"A".repeat(64)}`,
      `./${names[0]}`,
    ]) {
      const extra = { name: strange, bytes: Buffer.from("x") };
      const why = await whyRefused(
        tarOf([...entries.slice(0, index), extra, ...entries.slice(index)]),
      );
      assert.ok(why.includes(JSON.stringify(strange)), `${strange} before ${name}: ${why}`);
    }
    const [first, next] = [entries[index], entries[index + 1]];
    if (!first || !next) continue;
    const swapped = [...entries.slice(0, index), next, first, ...entries.slice(index + 2)];
    assert.match(await whyRefused(tarOf(swapped)), /x\.upt/, `${name} behind the next one`);
  }
  const extra = { name: `blobs/sha256/${sha256Of(Buffer.from("{}"))}`, bytes: Buffer.from("{}") };
  const why = await whyRefused(tarOf([...entries.slice(0, 3), extra, ...entries.slice(3)]));
  assert.match(why, /image 1 is not the one that the signed manifest gives/);
});

test("contents of blobs that were exchanged are refused, and so is the header of another size", async () => {
  const entries = entriesOf(example);
  const front = entries.slice(0, signed.layout.front.length);
  const [zfs, kernel, nvr, tools] = entries.slice(front.length) as [
    FrontEntry,
    FrontEntry,
    FrontEntry,
    FrontEntry,
  ];
  const other = { name: zfs.name, bytes: kernel.bytes };
  assert.match(
    await whyRefused(tarOf([...front, other, kernel, nvr, tools])),
    /the header of the blob of zfs-.* is not the one/,
  );
  const same = { name: nvr.name, bytes: randomBytes(nvr.bytes.length) };
  assert.match(
    await whyRefused(tarOf([...front, zfs, kernel, same, tools])),
    /the blob of nvr-.* in x\.upt was changed/,
  );
  assert.match(
    await whyRefused(tarOf([...front, zfs, nvr, kernel, tools])),
    /has "blobs\/sha256\/[0-9a-f]{64}" where the blob of vmlinuz has to be/,
  );
  assert.match(
    await whyRefused(tarOf([...front, zfs, kernel, nvr])),
    /ends before the blob of tools/,
  );
});

test("index and images that name something else are refused, even with right digests", async () => {
  const entries = entriesOf(example);
  for (const index of [0, 1, 2, 3, 4]) {
    const { bytes } = entries[index] as FrontEntry;
    const text = Buffer.from(bytes).toString();
    for (const changed of [
      text.replace("1", "2"),
      `${text} `,
      text.replace("{", '{"x":1,'),
      "{}",
    ]) {
      const content = Buffer.from(changed);
      const name = index < 2 ? (entries[index]?.name ?? "") : `blobs/sha256/${sha256Of(content)}`;
      const rewritten = entries.with(index, { name, bytes: content });
      assert.match(
        await whyRefused(tarOf(rewritten)),
        /is not the one that the signed manifest gives/,
        `${index}: ${changed.slice(0, 60)}`,
      );
    }
  }
});

test("no key, no list of keys, an unreadable and a strange key: all refused", async () => {
  assert.match(
    await refusalWhile(() => readBundle(of(bytes), { name: "x.upt", keys: undefined })),
    /no key/,
  );
  assert.match(await whyRefused(bytes, []), /list of keys to verify with is empty/);
  assert.match(await whyRefused(bytes, ["x"]), /key 1/);
  assert.match(await whyRefused(bytes, [...known, "x"]), /key 2/);
  assert.match(await whyRefused(bytes, [...known, ...known]), /are the same/);
  assert.match(await whyRefused(bytes, [printPublicKey(keyOf(8))]), /does not lead here/);
  assert.not.match(await whyRefused(bytes, [printPublicKey(keyOf(8)), ...known]), /does not/);
});

test("a chain leads from the key that a device has; other chains and signatures do not count", async () => {
  const [old, next, foreign] = [keyOf(7), keyOf(9), keyOf(10)];
  const chain = extendChain(chainOf(old), old, next);
  const newer = await exampleBundle({
    key: next,
    chain,
    change: (manifest) => ({ ...manifest, vendor: example.manifest.vendor }),
  });
  for (const key of [old, next]) {
    assert.is((await read(newer.bytes, [printPublicKey(key)])).signer.id, next.id);
  }
  assert.match(await whyRefused(newer.bytes, [printPublicKey(foreign)]), /does not lead here/);
  const { manifest } = newer.signed.parts;
  const signedBy = (key: typeof old) => signBundle(newer.manifest, key, chainOf(key));
  const cases = [
    // Cut off at its beginning, the chain is no longer the vendor's.
    [
      { ...newer.signed.parts, chain: signedBy(next).chain },
      next,
      /does not begin with the manifest's vendor/,
    ],
    // The old key must not sign any more.
    [{ ...newer.signed.parts, signature: signedBy(old).signature }, old, /by the key .* not known/],
    [{ ...signedBy(foreign), chain: newer.signed.parts.chain }, old, /by the key .* not known/],
    [{ ...newer.signed.parts, signature: new Uint8Array() }, old, /is missing/],
  ] as const;
  for (const [parts, key, reason] of cases) {
    assert.match(
      refusalOf(() => openSigned("x.upt", parts, [printPublicKey(key)])),
      reason,
    );
  }
  // Of another bundle, and of another thing of the same vendor's.
  const comments = {
    untrustedComment: COMMENT.bundle,
    trustedComment: "zshield bundle video-4.6.1122 release 16",
  };
  for (const [signature, reason] of [
    [
      signMessage(next, manifest, comments),
      /is for another bundle: "zshield bundle .* release 16"/,
    ],
    [
      signMessage(next, manifest, { ...comments, untrustedComment: COMMENT.record }),
      /another untrusted comment/,
    ],
  ] as const) {
    const parts = { ...newer.signed.parts, signature: Buffer.from(signature) };
    assert.match(
      refusalOf(() => openSigned("x.upt", parts, [printPublicKey(next)])),
      reason,
    );
  }
});

test("a manifest that breaks the rules is refused however well it is signed", async () => {
  const text = printBundleManifest(example.manifest);
  for (const [changed, reason] of [
    [text.replace('"format":1', '"format":2'), /made by a newer zshield/],
    [`${text} `, /one form/],
    [text.replace("zfs-1.0.8.1-7.2-000000", "../x"), /packages\.0\.name/],
    [
      text.replace(example.manifest.vendor, "0".repeat(64)),
      /does not begin with the manifest's vendor/,
    ],
    // As decoders show what is no UTF-8: two manifests would look the same.
    [text.replace("--daemon", "--da\xffmon"), /the manifest in x\.upt is not UTF-8/],
  ] as const) {
    const manifest = Buffer.from(changed, "latin1");
    const signature = Buffer.from(
      signMessage(KEY, manifest, {
        untrustedComment: COMMENT.bundle,
        trustedComment: "zshield bundle video-4.6.1122 release 17",
      }),
    );
    assert.match(
      refusalOf(() => openSigned("x.upt", { ...signed.parts, manifest, signature }, known)),
      reason,
    );
  }
});

test("nothing is handed out before the manifest, and no end of a blob that was wrong is told", async () => {
  const wrong = Buffer.from(bytes);
  wrong[frontBytes + 512 + 10]! ^= 1;
  const calls: string[] = [];
  const options = {
    name: "x.upt",
    keys: known,
    onManifest: () => void calls.push("manifest"),
    onBlob: () => ({ write: () => void calls.push("write"), end: () => void calls.push("end") }),
  };
  assert.match(await refusalWhile(() => readBundle(of(wrong), options)), /was changed/);
  assert.equal(calls, ["manifest", "write"]);
  calls.length = 0;
  // The padding behind it counts too.
  const padded = Buffer.from(bytes);
  padded[frontBytes + 512 + (signed.layout.blobs[0]?.sizeBytes ?? 0)]! ^= 1;
  assert.match(await refusalWhile(() => readBundle(of(padded), options)), /other than zeros/);
  assert.equal(calls, ["manifest", "write"]);
  calls.length = 0;
  await refusalWhile(() => readBundle(of(bytes), { ...options, keys: [printPublicKey(keyOf(8))] }));
  assert.equal(calls, []);
});

test("a stream that claims too much is refused before it is read", async () => {
  const claim = (name: string, sizeBytes: number) => encodeHeader({ name, sizeBytes });
  const start = tarOf(signed.layout.front.slice(0, 2), 0);
  const blob = `blobs/sha256/${"0".repeat(64)}`;
  for (const stream of [
    claim("oci-layout", 2 ** 40),
    Buffer.concat([start, claim(blob, 2 ** 53 - 1)]),
    Buffer.concat([start, claim(blob, MOST_FRONT_BYTES)]),
  ]) {
    assert.match(await whyRefused(stream), /more than 2 MiB in front of its blobs/);
  }
  // Endless small entries.
  const many = Array.from({ length: 200 }, (_, index) => {
    const content = Buffer.from(`{"x":${index}}`);
    return { name: `blobs/sha256/${sha256Of(content)}`, bytes: content };
  });
  assert.match(
    await whyRefused(tarOf([...signed.layout.front.slice(0, 2), ...many])),
    /no signature where one has to be/,
  );
});

test("sizes are 64-bit: a blob of more than 4 and 8 GiB is asked for whole", async () => {
  for (const sizeBytes of [2 ** 32 + 1, 2 ** 33 + 1, 2 ** 45]) {
    const change = (manifest: Example["manifest"]) => {
      const [platform] = manifest.platforms;
      const [zfs] = platform?.packages ?? [];
      if (!platform || !zfs) throw new Error("the example has no package");
      const next = { sha256: "d".repeat(64), sizeBytes: 5 };
      const image = { ...zfs.image, sha256: "e".repeat(64) };
      const packages = [
        { ...zfs, blob: { ...zfs.blob, sizeBytes } },
        { ...zfs, name: "nvr-1.0.8.1-7.3-000001", image, blob: next },
      ];
      return { ...manifest, label: "video-4.5.1122", platforms: [{ ...platform, packages }] };
    };
    const parts = signBundle(change(example.manifest), KEY, chainOf(KEY));
    const { layout } = openSigned("x.upt", parts, known);
    const front = tarOf(layout.front, 0);
    const name = `blobs/sha256/${layout.blobs[0]?.sha256}`;
    const behind = front.length + entryBytes(sizeBytes);
    assert.is(layoutBytes(layout), behind + entryBytes(5) + END_BYTES);
    assert.is(blobPositions(layout).get("d".repeat(64)), behind + 512);
    assert.ok(entryBytes(sizeBytes) > sizeBytes);
    const header = encodeHeader({ name, sizeBytes });
    const cut = Buffer.concat([front, header, Buffer.alloc(70_000)]);
    assert.match(
      await whyRefused(cut),
      new RegExp(`cut off after ${cut.length} bytes, in the blob`),
    );
    // As it would be if only the low 32 bits of the size counted.
    const low = encodeHeader({ name, sizeBytes: sizeBytes % 2 ** 32 });
    assert.match(await whyRefused(Buffer.concat([front, low])), /the header of the blob of zfs/);
  }
});

test("an image lists each blob once, though two packages have it", () => {
  const [, pc] = example.manifest.platforms;
  const [zfs] = pc?.packages ?? [];
  if (!pc || !zfs) throw new Error("the example has no package");
  const twin = { ...zfs, name: "another-1.0.8.1-7.2-000000" };
  const manifest = {
    ...example.manifest,
    label: "video-4.4.1122",
    platforms: [{ ...pc, packages: [zfs, twin] }],
  };
  const parts = signBundle(manifest, KEY, chainOf(KEY));
  const { layout } = openSigned("x.upt", parts, known);
  const image = JSON.parse(Buffer.from(layout.front[3]?.bytes ?? []).toString());
  const digests = image.layers.map(({ digest }: { digest: string }) => digest.slice(7));
  const [kernel] = pc.boot;
  assert.equal(digests.slice(2), [kernel?.blob.sha256, zfs.blob.sha256]);
});

test("a blob that has the place of the key chain is refused", () => {
  const chain = sha256Of(signed.parts.chain);
  const { platforms } = example.manifest;
  const manifest = {
    ...example.manifest,
    platforms: platforms.map((platform) => ({
      ...platform,
      boot: platform.boot.map((file) => ({ ...file, blob: { ...file.blob, sha256: chain } })),
    })),
  };
  const parts = signBundle(manifest, KEY, chainOf(KEY));
  assert.match(
    refusalOf(() => openSigned("x.upt", parts, known)),
    new RegExp(`^blobs/sha256/${chain} would be there twice`),
  );
});

test("a file is read in pieces across 4 GiB", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-sparse-"));
  const file = join(folder, "sparse");
  const start = 2 ** 32 - MIB;
  const content = randomBytes(3 * MIB);
  const handle = openSync(file, "w");
  writeSync(handle, content, 0, content.length, start);
  closeSync(handle);
  const found: Buffer[] = [];
  const range = { position: start, sizeBytes: content.length };
  for await (const piece of filePieces(file, range)) found.push(Buffer.from(piece));
  rmSync(folder, { recursive: true });
  assert.ok(Buffer.concat(found).equals(content));
});

test("what is no bundle at all is said to be none", async () => {
  for (const [stream, reason] of [
    [new Uint8Array(), /x\.upt is empty/],
    [randomBytes(2000), /is not a bundle/],
    [Buffer.alloc(2000), /ends before its signed manifest/],
    [
      tarOf([{ name: "index.json", bytes: Buffer.from("{}") }]),
      /is not a bundle: it begins with "index.json"/,
    ],
    [tarOf([{ name: "oci-layout", bytes: Buffer.from("{}") }]), /ends before its signed manifest/],
  ] as const) {
    assert.match(await whyRefused(stream), reason);
  }
});

test("a bundle that is not right when it is read again is not there, nor is anything written through a link", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-write-"));
  const [path, victim] = [join(folder, "x.upt"), join(folder, "victim")];
  writeFileSync(victim, "mine");
  symlinkSync(victim, path);
  const write = (check: (file: string) => Promise<void>) =>
    writeBundle(path, example.signed.layout, ({ sha256 }) => of(example.blobs.get(sha256)!), check);
  const said = await write(() => Promise.reject(new Refusal("wrong"))).catch(String);
  assert.match(String(said), /wrong/);
  assert.equal(readdirSync(folder).toSorted(), ["victim", "x.upt"]);
  await write(async (file) => assert.ok(readFileSync(file).equals(example.bytes)));
  assert.equal(readdirSync(folder).toSorted(), ["victim", "x.upt"]);
  assert.is(readFileSync(victim, "utf8"), "mine");
  rmSync(folder, { recursive: true });
});

test("the stream is let go of, whatever comes of it", async () => {
  for (const stream of [bytes, bytes.subarray(0, 5000), Buffer.concat([bytes, bytes])]) {
    let isOpen = true;
    const source = (async function* () {
      try {
        yield stream;
        yield new Uint8Array();
      } finally {
        isOpen = false;
      }
    })();
    await refusalWhile(() => readBundle(source, { name: "x.upt", keys: known }));
    assert.is(isOpen, false);
  }
});

test("all of these took less than 256 MiB of memory", () => {
  assert.ok(ownPeakMib() < 256, `${ownPeakMib()} MiB`);
});

test.run();

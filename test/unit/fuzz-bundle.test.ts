/*
 * Whatever a stranger's bundle says, its parsers take it or refuse it: manifest, tar, what a registry gives back.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { openLayout, readParts } from "../../src/bundle/layout.ts";
import { MEDIA, parseImage, parseIndex } from "../../src/bundle/oci.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { decodeHeader, encodeHeader } from "../../src/bundle/tar.ts";
import { parseBundleManifest, printBundleManifest } from "../../src/model/bundle-manifest.ts";
import { MIB } from "../../src/model/size.ts";
import { exampleBundle, of } from "./bundle-example.ts";
import { refusalOf } from "./key-example.ts";
import { asText, fuzz, type FuzzTarget } from "./fuzz.ts";

const example = await exampleBundle({ sizes: [10, 20, 30, 40] });
const folder = mkdtempSync(join(tmpdir(), "zshield-fuzz-"));
const { front } = example.signed.layout;
const textOf = (index: number) => Buffer.from(front[index]?.bytes ?? []).toString();

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "manifests",
    seeds: [textOf(front.length - 1)],
    words: ['"needs":["zfs"]', '"kind":"extra"', ',"platforms":[', '{"name":"a"}', " "],
    parse(input) {
      const text = asText(input);
      assert.is(printBundleManifest(parseBundleManifest(text)), text);
    },
  },
  {
    name: "headers of tar",
    seeds: [
      encodeHeader({ name: "index.json", sizeBytes: 500 }),
      encodeHeader({ name: "oci-layout", sizeBytes: 2 ** 40 }),
    ],
    mostBytes: 512,
    parse(input) {
      const block = Buffer.alloc(512);
      block.set(input.subarray(0, 512));
      const header = decodeHeader(block);
      if ("fault" in header) throw new Refusal(header.fault);
      assert.ok(encodeHeader(header).equals(block));
    },
  },
  {
    name: "bundles",
    seeds: [example.bytes],
    words: [encodeHeader({ name: "index.json", sizeBytes: 5 }), Buffer.alloc(512)],
    async parse(input) {
      // Whoever signed: as far into it as a stranger gets without a key.
      const { manifest } = await readBundle(of(input), { name: "x", keys: "whoever-signed" });
      assert.equal(manifest, example.manifest);
    },
  },
  {
    name: "OCI indexes",
    seeds: [textOf(1), textOf(2)],
    words: ['"manifests":[]', '"digest":"sha256:"', '{"digest":'],
    parse(input) {
      const digests = parseIndex(asText(input), "index.json");
      assert.ok(digests.length > 0 && digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)));
    },
  },
  {
    name: "OCI images",
    seeds: [textOf(3), textOf(4)],
    words: ['"layers":[]', '"config":{}', '"digest":"sha256:"'],
    parse(input) {
      const digests = Object.values(parseImage(asText(input), "image"));
      assert.ok(digests.length === 3 && digests.every((digest) => /^[0-9a-f]{64}$/.test(digest)));
    },
  },
  {
    name: "tars of layouts",
    seeds: [example.bytes, paxExample()],
    words: [encodeHeader({ name: "index.json", sizeBytes: 5 }), "12 size=9999\n", "11 path=ab\n"],
    async parse(input) {
      const file = join(folder, "layout.tar");
      writeFileSync(file, input);
      await readParts(openLayout(file), "x");
    },
  },
];

/** index.json behind a header that tells its name and size. */
function paxExample(): Buffer {
  const extra = "19 path=index.json\n11 size=300\n";
  const header = encodeHeader({ name: "extra", sizeBytes: extra.length });
  header.write("x", 156);
  header.fill(" ", 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([
    header,
    Buffer.from(extra.padEnd(512, "\0")),
    encodeHeader({ name: "other", sizeBytes: 0 }),
    Buffer.from(textOf(1).padEnd(512, " ")),
    example.bytes,
  ]);
}

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, async () => {
    const { inputs, taken } = await fuzz(target);
    // Nothing is tried if all is refused at the door, nor if nothing is.
    assert.ok(taken > 0 && taken < inputs, `${taken} of ${inputs} inputs were taken`);
  });
}

test("a million faults cost no more than one", () => {
  const zeros = `[${"0,".repeat(1_000_000)}0]`;
  const before = process.memoryUsage().rss;
  for (const [parse, text] of [
    [() => parseIndex(`{"manifests":${zeros}}`, "x"), /^x: manifests\.0: .{1,80}$/],
    [
      () => parseImage(textOf(3).replace(/"layers":\[.*\]/, `"layers":${zeros}`), "x"),
      /^x: layers\.0: .{1,80}$/,
    ],
    [
      () =>
        parseBundleManifest(textOf(front.length - 1).replace(/"needs":\[\]/, `"needs":${zeros}`)),
      /^manifest: platforms\.0\.packages\.0\.needs\.0: .{1,80}$/,
    ],
  ] as const) {
    assert.match(refusalOf(parse), text);
  }
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 256 * MIB, `${grown / MIB} MiB`);
});

test("an image of another program is said to be none of a bundle", () => {
  const digest = `sha256:${"0".repeat(64)}`;
  const layers = [{ digest }, { digest }];
  const config = { mediaType: "application/vnd.oci.image.config.v1+json", digest };
  for (const [image, reason] of [
    [{ config, layers }, /config\.mediaType: is not that of a bundle/],
    [{ config: { ...config, mediaType: MEDIA.manifest }, layers: [{ digest }] }, /no signature/],
  ] as const) {
    assert.match(
      refusalOf(() => parseImage(JSON.stringify(image), "x")),
      reason,
    );
  }
  assert.match(
    refusalOf(() => parseIndex('{"manifests":[]}', "x")),
    /^x: manifests: is empty/,
  );
});

test("an index that is larger than any of a bundle is not read", async () => {
  const directory = join(folder, "large");
  mkdirSync(directory);
  writeFileSync(join(directory, "index.json"), `${textOf(1)}${" ".repeat(262_144)}`);
  const refused = await readParts(openLayout(directory), "x").catch(String);
  assert.match(String(refused), /index\.json is too large/);
});

test.after(() => rmSync(folder, { recursive: true }));

test.run();

/*
 * What was made on 2026-11-26, when the formats had their version 1, and what every later zshield reads alike: keys, chain, record,
 * a bundle, and a difference with each kind of operation and field. frozen-formats.json is never made again: writer and reader
 * of most formats share their code, so that other tests would not see both change.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyDelta } from "../../src/bundle/delta-apply.ts";
import { openImage } from "../../src/bundle/image.ts";
import { expandContent, openBundle } from "../../src/bundle/open.ts";
import { filePieces } from "../../src/bundle/pieces.ts";
import { readBundle } from "../../src/bundle/read.ts";
import { unlockKey } from "../../src/bundle/secret-key.ts";
import { listContents } from "../../src/model/bundle-manifest.ts";
import { followChain, parseChain } from "../../src/model/chain.ts";
import { parsePublicFile, printPublicKey, sysKeyOf } from "../../src/model/minisign.ts";
import { verifyRecord } from "../../src/model/signed-record.ts";
import { selectPackages } from "../../src/plan/selection.ts";

const frozen = JSON.parse(
  readFileSync(new URL("frozen-formats.json", import.meta.url), "utf8"),
) as Record<string, string>;
const part = (name: string): string => {
  const value = frozen[name];
  if (value === undefined) throw new Error(`${name} is not in frozen-formats.json`);
  return value;
};

const folder = mkdtempSync(join(tmpdir(), "zs-frozen-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));
const OLD = join(folder, "old.upt");
const CHANGE = join(folder, "change.upd");
writeFileSync(OLD, gunzipSync(Buffer.from(part("old"), "base64")));
writeFileSync(CHANGE, gunzipSync(Buffer.from(part("change"), "base64")));

const first = parsePublicFile("publicKey", part("publicKey"));
const next = parsePublicFile("nextKey", part("nextKey"));
const keys = [printPublicKey(first)];
const digestOf = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

test("keys, chain and device record", async () => {
  const secret = await unlockKey("secretKey", part("secretKey"), part("password"));
  assert.is(printPublicKey(secret), printPublicKey(first));
  assert.is(sysKeyOf(first).length, 32);
  const last = followChain(parseChain("chain", part("chain")), keys);
  assert.is(printPublicKey(last), printPublicKey(next));
  const { record } = verifyRecord("record", part("record"), [printPublicKey(next)]);
  assert.equal(record, { device: "BOX-0017", mask: 0x600001, prefix: "acme", epoch: 3 });
});

test("a bundle: its identity, what is in its images, what a device takes", async () => {
  const { identity, manifest } = await readBundle(filePieces(OLD), { name: OLD, keys });
  assert.is(identity, part("oldIdentity"));
  const bundle = await openBundle(OLD, keys);
  for (const content of listContents(manifest)) {
    const out = join(folder, content.item.name);
    await expandContent(bundle, content, out);
    assert.is(digestOf(out), content.sha256);
    if (!("image" in content.item)) continue;
    const image = await openImage(out, content.item.image.verity.rootHash);
    assert.is(image.description.version, content.item.version);
    image.close();
  }
  const { record } = verifyRecord("record", part("record"), [printPublicKey(next)]);
  const [platform] = manifest.platforms;
  if (platform === undefined) throw new Error("there is no platform");
  assert.equal(
    selectPackages(platform, record).taken.map(({ package: { name } }) => name),
    ["base-files-1.0.8-7.1-000000", "nvr-1.0.8.1-8.1-000001"],
  );
});

test("a difference, by the key that came after", async () => {
  const images = join(folder, "images");
  const how: string[] = [];
  const { identity, manifest, signer } = await applyDelta(
    OLD,
    CHANGE,
    { out: undefined, images },
    { keys: undefined, onManifest: () => undefined, onContent: (_, way) => how.push(way) },
  );
  assert.is(identity, part("newIdentity"));
  assert.is(printPublicKey(signer), printPublicKey(next));
  const contents = listContents(manifest).map(({ sha256 }) => sha256);
  assert.equal(readdirSync(images).sort(), contents.toSorted());
  for (const sha256 of contents) assert.is(digestOf(join(images, sha256)), sha256);
  assert.equal(how.toSorted(), ["full", "unchanged", "unchanged", "zdiff1", "zdiff1"]);
});

test.run();

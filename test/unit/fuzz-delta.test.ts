/*
 * Whatever a stranger's difference says, it is taken or refused; and between any two bundles there is one, which leads from the
 * one to the very bytes of the other.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { applyDelta } from "../../src/bundle/delta-apply.ts";
import { makeDelta } from "../../src/bundle/delta-make.ts";
import { readDelta } from "../../src/bundle/delta-read.ts";
import { encodeHeader } from "../../src/bundle/tar.ts";
import { parseDelta, printDelta } from "../../src/model/bundle-delta.ts";
import { of } from "./bundle-example.ts";
import { buildExample, deltaOf, entriesOf, NEW, OLD, type Files } from "./delta-example.ts";
import { asText, fuzz, randomFrom, type FuzzTarget } from "./fuzz.ts";
import { noise, prose } from "./zdiff-example.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-fuzz-delta-"));
test.after(() => rmSync(folder, { recursive: true }));
const UPD = join(folder, "x.upd");
const QUIET = { keys: undefined, onStart: () => undefined, onDecision: () => undefined };

const made = await makeDelta(
  await buildExample(join(folder, "old"), 17, OLD),
  await buildExample(join(folder, "new"), 18, NEW),
  UPD,
  QUIET,
);
const bytes = readFileSync(UPD);
const { parts } = deltaOf(entriesOf(bytes));

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "delta.json",
    seeds: [Buffer.from(entriesOf(bytes)[0]?.bytes ?? []), '{"format":1,"old":"","parts":[]}'],
    words: [...parts.map((part) => JSON.stringify(part)), '"method":"full"', '"from":"', ","],
    parse(input) {
      const text = asText(input);
      assert.is(printDelta(parseDelta(text, "x")), text);
    },
  },
  {
    name: "differences between bundles",
    seeds: [bytes],
    words: [encodeHeader({ name: "delta.json", sizeBytes: 5 }), Buffer.alloc(512)],
    async parse(input) {
      const options = { name: "x.upd", older: made.older, keys: undefined };
      const { bundle, parts: found } = await readDelta(of(input), options);
      assert.equal(bundle.manifest, made.newer.manifest);
      // What is not signed may differ in what it carries, never in what for.
      assert.equal(
        found.map(({ part }) => part.image),
        parts.map(({ image }) => image),
      );
    },
  },
];

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, async () => {
    const { inputs, taken } = await fuzz(target);
    // Nothing is tried if all is refused at the door, nor if nothing is.
    assert.ok(taken > 0 && taken < inputs, `${taken} of ${inputs} inputs were taken`);
  });
}

/** A kernel and packages of all kinds of content, some of them as in `before`. */
function randomFiles(random: () => number, before: Files = {}): Files {
  const below = (limit: number) => Math.floor(random() * limit);
  const old = Object.values(before).map((content) => Buffer.from(content));
  const content = (): Buffer => {
    const seed = below(1000);
    const fresh = [noise(seed, below(5000)), prose(seed, below(9000)), Buffer.alloc(below(20_000))];
    const base = old[below(old.length * 2)] ?? fresh[below(3)] ?? Buffer.alloc(0);
    const cut = below(base.length + 1);
    return random() < 0.3
      ? base
      : Buffer.concat([base.subarray(0, cut), noise(seed, below(50)), base.subarray(cut)]);
  };
  const files: Record<string, Buffer> = {};
  if (random() < 0.8) files["boot/vmlinuz"] = Buffer.concat([content(), Buffer.from("x")]);
  for (const [index, name] of ["zfs", "nvr", "onvif", "php8.2-cli"].entries()) {
    if (random() < 0.3) continue;
    const kind = index < 2 ? "base" : "extra";
    files[`${kind}/${name}-1.0.8.1-${index}.${below(9)}-00000${below(4)}/usr/bin/x`] = content();
  }
  return files;
}

test("any two bundles: the difference leads from the one to the other, and is never much larger", async () => {
  const seed = Number(process.env["ZSHIELD_FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
  const random = randomFrom(seed);
  const seconds = Number(process.env["ZSHIELD_FUZZ_SECONDS"] ?? "1");
  const end = performance.now() + seconds * 1000;
  let rounds = 0;
  do {
    const at = (name: string) => join(folder, `round-${rounds}`, name);
    const before = randomFiles(random);
    const older = await buildExample(at("old"), 1, before);
    const newer = await buildExample(at("new"), 2, randomFiles(random, before));
    const { sizeBytes, newer: signed } = await makeDelta(older, newer, at("x.upd"), QUIET);
    const targets = { out: at("made.upt"), images: random() < 0.5 ? at("images") : undefined };
    await applyDelta(older, at("x.upd"), targets, {
      keys: undefined,
      onManifest: () => undefined,
      onContent: () => undefined,
    });
    const wanted = readFileSync(newer);
    const why = `ZSHIELD_FUZZ_SEED=${seed}, round ${rounds}`;
    assert.ok(readFileSync(at("made.upt")).equals(wanted), why);
    // delta.json may be larger than what OCI wants there.
    assert.ok(sizeBytes < wanted.length + 4096, `${why}: ${sizeBytes} of ${wanted.length}`);
    assert.is(signed.manifest.release, 2);
    rmSync(join(folder, `round-${rounds}`), { recursive: true });
    rounds += 1;
  } while (performance.now() < end);
});

test.run();

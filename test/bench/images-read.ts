/*
 * `images-read.ts all|random AT TREE`: reads what is mounted at AT and prints the seconds. Which blocks `random` reads is
 * taken from TREE, which holds the same files, so that nothing of AT is looked at before.
 */
import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";

const RANDOM_READS = 4000;
const BLOCK = 4096;

const [how, at = "", tree = ""] = process.argv.slice(2);
const files = (root: string) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));

function readAll(): void {
  const buffer = Buffer.alloc(1 << 17);
  for (const file of files(at)) {
    const handle = openSync(at + file, "r");
    while (readSync(handle, buffer, 0, buffer.length, null) > 0);
    closeSync(handle);
  }
}

/** Each block of the tree is as likely as any other. */
function chooseBlocks(): { file: string; position: number }[] {
  const blocks = files(tree)
    .toSorted()
    .flatMap((file) => {
      const count = Math.ceil(statSync(tree + file).size / BLOCK);
      return Array.from({ length: count }, (_, index) => ({ file, position: index * BLOCK }));
    });
  let state = 1;
  return Array.from({ length: RANDOM_READS }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return blocks[Math.floor((state / 0x8000_0000) * blocks.length)];
  }).filter((block) => block !== undefined);
}

function readRandom(chosen: readonly { file: string; position: number }[]): void {
  const buffer = Buffer.alloc(BLOCK);
  for (const { file, position } of chosen) {
    const handle = openSync(at + file, "r");
    readSync(handle, buffer, 0, BLOCK, position);
    closeSync(handle);
  }
}

const chosen = how === "random" ? chooseBlocks() : [];
const started = performance.now();
if (how === "random") readRandom(chosen);
else readAll();
console.log((performance.now() - started) / 1000);

/*
 * Our hash tree is the one that veritysetup makes, and any byte of file or tree that changes is found.
 */
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { command } from "../lab/command.ts";
import { addHashTree, checkHashTree, topHash } from "../../src/bundle/hash-tree.ts";
import { BLOCK_BYTES, hashTreeBytes } from "../../src/model/hash-tree.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-hash-tree-"));
const SALT = "5a".repeat(32);

function makeData(name: string, blocks: number): { file: string; handle: number } {
  const file = join(folder, name);
  const handle = openSync(file, "w+");
  ftruncateSync(handle, blocks * BLOCK_BYTES);
  // Not every block: what is all zeros has a way of its own.
  for (let block = 0; block < blocks; block += 1 + (blocks >> 7)) {
    writeSync(handle, `block ${block}`, block * BLOCK_BYTES + (block % 4000));
  }
  return { file, handle };
}

async function failure(act: Promise<unknown>): Promise<string> {
  return act.then(
    () => "nothing failed",
    (error: Error) => error.message,
  );
}

for (const blocks of [2, 3, 127, 128, 129, 256, 16_384, 16_385]) {
  test(`the tree over ${blocks} blocks is veritysetup's`, async () => {
    const { file, handle } = makeData(`data-${blocks}`, blocks);
    const hashes = `${file}.hashes`;
    const { stdout } = await command([
      ...["veritysetup", "format", "--no-superblock", "--format=1", "--hash=sha256"],
      ...[`--salt=${SALT}`, `--data-blocks=${blocks}`, file, hashes],
    ]);
    const rootHash = await addHashTree(handle, blocks, SALT);
    closeSync(handle);
    assert.match(stdout, new RegExp(`Root hash:\\s+${rootHash}`));
    const tree = readFileSync(file).subarray(blocks * BLOCK_BYTES);
    assert.is(tree.length, hashTreeBytes(blocks));
    assert.ok(tree.equals(readFileSync(hashes)), "the trees differ");
    const again = openSync(file, "r");
    assert.is(await checkHashTree(again, blocks, SALT), rootHash);
    assert.is(topHash(again, blocks, SALT), rootHash);
    closeSync(again);
    rmSync(file);
  });
}

test("each byte that changes is found, and the block is named", async () => {
  const blocks = 300;
  const { handle } = makeData("changed", blocks);
  const rootHash = await addHashTree(handle, blocks, SALT);
  const whole = blocks * BLOCK_BYTES + hashTreeBytes(blocks);
  for (let position = 11; position < whole; position += 4099 * 7) {
    const byte = Buffer.alloc(1);
    const before = readAt(handle, position);
    byte[0] = before ^ 0x10;
    writeSync(handle, byte, 0, 1, position);
    // The top block has no digest in the file: the root hash is another one then.
    const found = await checkHashTree(handle, blocks, SALT).then(
      (hash) => hash,
      (error: Error) => error.message,
    );
    assert.is.not(found, rootHash);
    const block = Math.floor(position / BLOCK_BYTES);
    if (block < blocks) {
      assert.is(found, `block ${block} of the image does not match its hash tree`);
    }
    byte[0] = before;
    writeSync(handle, byte, 0, 1, position);
  }
  assert.is(await checkHashTree(handle, blocks, SALT), rootHash);
  ftruncateSync(handle, whole - 1);
  assert.match(await failure(checkHashTree(handle, blocks, SALT)), /the image ends at byte/);
  closeSync(handle);
});

function readAt(handle: number, position: number): number {
  const buffer = Buffer.alloc(1);
  readSync(handle, buffer, 0, 1, position);
  return buffer[0] ?? 0;
}

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

/*
 * GRUB's boot sector: what is patched, what of the disk's own sector stays, and what is refused.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  CORE_OFFSETS_BYTES,
  MOST_CORE_BYTES,
  patchBootImage,
  patchCoreImage,
} from "../../src/model/boot-sector.ts";
import { CLAIM_OFFSET_BYTES } from "../../src/model/claim.ts";

const boot = new Uint8Array(512);
boot.set([0x55, 0xaa], 0x1fe);
boot[0x66] = 0xeb;
const existing = Uint8Array.from({ length: 512 }, (_, index) => index & 0xff);
const core = new Uint8Array(2048);
new DataView(core.buffer).setUint16(0x1fe, 0x820, true);

test("the core's place is written, partition table and disk signature stay, the drive check goes", () => {
  const sector = patchBootImage(boot, existing, 2048);
  assert.is(new DataView(sector.buffer).getBigUint64(0x5c, true), 2048n);
  assert.equal(sector.subarray(0x1b8, 0x1fe), existing.subarray(0x1b8, 0x1fe));
  assert.equal([...sector.subarray(0x66, 0x68)], [0x90, 0x90]);
  assert.equal([...sector.subarray(0x1fe)], [0x55, 0xaa]);
});

test("the core names its own second sector", () => {
  assert.is(new DataView(patchCoreImage(core, 2048).buffer).getBigUint64(0x1f4, true), 2049n);
});

test("both halves fit beside each other, and before the claim", () => {
  const [first, second] = CORE_OFFSETS_BYTES;
  assert.ok(first + MOST_CORE_BYTES <= second);
  assert.ok(second + MOST_CORE_BYTES <= CLAIM_OFFSET_BYTES);
});

test("what is no boot sector, no core, or too large is refused", () => {
  assert.throws(() => patchBootImage(new Uint8Array(512), existing, 1), /not a boot sector/);
  assert.throws(() => patchBootImage(boot.subarray(0, 100), existing, 1), /not a boot sector/);
  assert.throws(() => patchCoreImage(new Uint8Array(2048), 1), /no block list/);
  assert.throws(() => patchCoreImage(new Uint8Array(MOST_CORE_BYTES + 1), 1), /there is room for/);
});

test.run();

/*
 * The one permitted form of tar: what other programs make of it, and that nothing else is taken.
 */
import {
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  closeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLayout } from "../../src/bundle/layout.ts";
import { query } from "../../src/host/command.ts";
import {
  BLOCK_BYTES,
  decodeHeader,
  decodeSize,
  encodeHeader,
  END_BYTES,
  entryBytes,
  paddingBytes,
} from "../../src/bundle/tar.ts";
import { GIB } from "../../src/model/size.ts";

const SIZES = [0, 1, 511, 512, 513, 2 ** 31, 2 ** 32, 8 * GIB - 1, 8 * GIB, 2 ** 45, 2 ** 53 - 1];

test("a header says what it was made of", () => {
  for (const sizeBytes of SIZES) {
    const entry = { name: "blobs/sha256/ab", sizeBytes };
    assert.equal(decodeHeader(encodeHeader(entry)), entry);
    const longest = { name: "n".repeat(100), sizeBytes };
    assert.equal(decodeHeader(encodeHeader(longest)), longest);
  }
});

test("any other byte anywhere in a header is refused", () => {
  for (const sizeBytes of [5000, 9 * GIB]) {
    const header = encodeHeader({ name: "index.json", sizeBytes });
    for (let index = 0; index < BLOCK_BYTES; index++) {
      for (const change of [1, 0x20, 0x80, 0xff]) {
        const other = Buffer.from(header);
        other[index] = (other[index] ?? 0) ^ change;
        assert.ok("fault" in decodeHeader(other), `byte ${index} ^ ${change}`);
      }
    }
  }
});

test("a header with its checksum right is refused for what else it says", () => {
  const cases: readonly [(header: Buffer) => unknown, string][] = [
    [(header) => header.write("0000777\0", 100), "mode"],
    [(header) => header.write("0001750\0", 108), "owner"],
    [(header) => header.write("14677777777\0", 136), "time"],
    [(header) => header.write("2", 156), "type"],
    [(header) => header.write("5", 156), "type"],
    [(header) => header.write("L", 156), "type"],
    [(header) => header.write("/etc/passwd", 157), "link"],
    [(header) => header.write("ustar  \0", 257), "format"],
    [(header) => header.write("root", 265), "owner"],
    [(header) => header.write("0000001\0", 329), "device"],
    [(header) => header.write("prefix", 345), "rest"],
    [(header) => header.write("x", 50), "name"],
    [(header) => header.write("     100000\0", 124), "size"],
  ];
  for (const [change, fault] of cases) {
    const header = encodeHeader({ name: "index.json", sizeBytes: 8 ** 5 });
    change(header);
    header.fill(" ", 148, 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    const found = decodeHeader(header);
    assert.is("fault" in found && found.fault, fault);
  }
  for (const name of ["a b", "a\u001b[31m", "a\u007f"]) {
    const found = decodeHeader(encodeHeader({ name, sizeBytes: 5 }));
    assert.is("fault" in found && found.fault, "name");
  }
  // A small size in base 256, and one that is not below 2^53.
  const small = encodeHeader({ name: "index.json", sizeBytes: 9 * GIB });
  small.writeBigUInt64BE(100n, 128);
  assert.ok("fault" in decodeHeader(small));
  small.writeBigUInt64BE(2n ** 53n, 128);
  assert.is(decodeSize(small.subarray(124, 136)), undefined);
  // More than the eight bytes that are read.
  const huge = encodeHeader({ name: "index.json", sizeBytes: 9 * GIB }).subarray(124, 136);
  assert.is(decodeSize(huge), 9 * GIB);
  huge[3] = 1;
  assert.is(decodeSize(huge), undefined);
});

test("GNU tar reads the sizes, also those above 8 GiB", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-tar-"));
  try {
    const file = join(folder, "large.tar");
    const handle = openSync(file, "w");
    let position = 0;
    const sizes = SIZES.filter((size) => size < 2 ** 40);
    for (const sizeBytes of sizes) {
      writeSync(
        handle,
        encodeHeader({ name: `s${sizeBytes}`, sizeBytes }),
        0,
        BLOCK_BYTES,
        position,
      );
      position += entryBytes(sizeBytes);
    }
    closeSync(handle);
    truncateSync(file, position + END_BYTES);
    const listed = await query(["tar", "--list", "--verbose", "--numeric-owner", "--file", file]);
    const lines = listed.trimEnd().split("\n");
    assert.is(lines.length, sizes.length);
    for (const [index, size] of sizes.entries()) {
      assert.match(
        lines[index] ?? "",
        new RegExp(`^-r--r--r-- 0/0 +${size} 1970-01-01 .* s${size}$`),
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("what GNU tar writes is not the permitted form", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-tar-"));
  try {
    writeFileSync(join(folder, "oci-layout"), "x");
    const file = join(folder, "other.tar");
    await query([
      "tar",
      "--create",
      "--format=ustar",
      "--directory",
      folder,
      "--file",
      file,
      "oci-layout",
    ]);
    const block = Buffer.from(await Bun.file(file).arrayBuffer()).subarray(0, BLOCK_BYTES);
    assert.ok("fault" in decodeHeader(block));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a tar of a layout has no more files than a manifest can name", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-tar-"));
  const file = join(folder, "many.tar");
  const handle = openSync(file, "w");
  const names = Array.from({ length: 4096 }, (_, at) => at.toString(16).padStart(64, "0"));
  try {
    // Headers alone, 2 MiB at a time; the last one is one too many.
    for (let part = 0; part < 4; part += 1) {
      const digit = (0xa0 + part).toString(16);
      const headers = names.map((name) =>
        encodeHeader({ name: `blobs/sha256/${digit}${name.slice(2)}`, sizeBytes: 0 }),
      );
      writeSync(handle, Buffer.concat(headers));
    }
    assert.ok(openLayout(file).sizeOf(`blobs/sha256/a3${"0".repeat(59)}fff`) === 0);
    writeSync(handle, encodeHeader({ name: "index.json", sizeBytes: 0 }));
    assert.throws(() => openLayout(file), /has more than 16384 files of a layout/);
  } finally {
    closeSync(handle);
    rmSync(folder, { recursive: true });
  }
});

test("a tar of a layout has no name twice", () => {
  const folder = mkdtempSync(join(tmpdir(), "zshield-tar-"));
  const file = join(folder, "twice.tar");
  const header = encodeHeader({ name: "index.json", sizeBytes: 0 });
  writeFileSync(file, Buffer.concat([header, header, Buffer.alloc(END_BYTES)]));
  assert.throws(() => openLayout(file), /has index\.json twice/);
  const cut = encodeHeader({ name: "index.json", sizeBytes: 1000 });
  writeFileSync(file, Buffer.concat([cut, Buffer.alloc(999)]));
  assert.throws(() => openLayout(file), /an entry at byte 0 goes on behind its end/);
  // Other programs' headers have their sum too.
  header.write("x", 300);
  writeFileSync(file, Buffer.concat([header, Buffer.alloc(END_BYTES)]));
  assert.throws(() => openLayout(file), /no header at byte 0/);
  rmSync(folder, { recursive: true });
});

test("padding fills the last block", () => {
  for (const size of SIZES) {
    assert.is((size + paddingBytes(size)) % 512, 0);
    assert.ok(paddingBytes(size) < 512);
  }
});

test.run();

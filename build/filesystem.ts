/*
 * A tree as an ext4 image, the same to the byte each time, with its block-hash tree behind it.
 *
 * mke2fs copies a tree in the order in which the host lists it, with the host's ctime and atime. So the
 * tree goes through an EROFS image first, mounted read-only: that lists names sorted and has only one
 * time for each inode. (Squashfs would lose POSIX ACLs.) Everything else that mke2fs would choose by
 * itself is given: UUID, hash seed, features, clock.
 * Owns: the command lines for that, and how large the image has to be.
 */
import { truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { MIB } from "../src/model/size.ts";
import type { Entry } from "../src/model/manifest.ts";
import { output, run } from "./command.ts";
import type { Scratch } from "./scratch.ts";

const BLOCK = 4096;
const INODE = 256;
const BLOCKS_PER_GROUP = 8 * BLOCK;

/**
 * No journal: golden is never written. No checksums of ext4's own: the hash tree covers every block.
 * All of these are known to Linux 3.10.
 */
const FEATURES = [
  ...["dir_index", "ext_attr", "extent", "filetype", "flex_bg", "huge_file", "dir_nlink"],
  ...["extra_isize", "sparse_super", "large_file"],
];
/** Instead of the host's mke2fs.conf. The sections must hold something, or mke2fs warns. */
const MKE2FS_CONF = `[defaults]
  base_features = none
  blocksize = ${BLOCK}
[fs_types]
  ext4 = {
    inode_size = ${INODE}
  }
  small = {
    inode_size = ${INODE}
  }
  floppy = {
    inode_size = ${INODE}
  }
`;

export interface FileSystemChoice {
  readonly tree: string;
  /** What readTree tells of `tree`: decides how large the image is. */
  readonly entries: readonly Entry[];
  readonly image: string;
  readonly label: string;
  readonly uuid: string;
  readonly hashSeed: string;
  /** Seconds since 1970: for what has no time of its own, and for what has a later one. */
  readonly epoch: number;
}

/** Writes the image; returns the file system's size in bytes. */
export async function makeFileSystem(choice: FileSystemChoice, scratch: Scratch): Promise<number> {
  const sorted = path.join(scratch.directory, "sorted.erofs");
  // With SOURCE_DATE_EPOCH it takes no time later than that, and keeps the others.
  await run(
    [...["mkfs.erofs", "--quiet", "--preserve-mtime", `-U${choice.uuid}`, sorted, choice.tree]],
    { env: { SOURCE_DATE_EPOCH: String(choice.epoch) } },
  );
  const configuration = path.join(scratch.directory, "mke2fs.conf");
  await writeFile(configuration, MKE2FS_CONF);
  const clock = String(choice.epoch);
  const env = {
    MKE2FS_CONFIG: configuration,
    E2FSPROGS_FAKE_TIME: clock,
    SOURCE_DATE_EPOCH: clock,
    E2FSCK_TIME: clock,
    TZ: "UTC",
  };
  const { blocks, inodes } = estimateSize(choice.entries);
  await scratch.mounted(sorted, "erofs", (root) =>
    run(
      [
        ...[
          "mke2fs",
          "-q",
          "-F",
          "-t",
          "ext4",
          "-b",
          String(BLOCK),
          "-I",
          String(INODE),
          "-m",
          "0",
        ],
        ...["-N", String(inodes), "-L", choice.label, "-U", choice.uuid],
        ...["-O", ["none", ...FEATURES].join(",")],
        ...["-E", `hash_seed=${choice.hashSeed},root_owner=0:0,lazy_itable_init=0,nodiscard`],
        ...["-d", root, choice.image, String(blocks)],
      ],
      { env },
    ),
  );
  await run(["rm", "--", sorted]);
  await run(["e2fsck", "-f", "-n", choice.image], { env });
  return blocks * BLOCK;
}

/**
 * Blocks and inodes that the tree needs, somewhat generously: mke2fs fails where there is too little
 * room, and a shrink afterwards (resize2fs -M) leaves a third of the image empty.
 */
export function estimateSize(entries: readonly Entry[]): { blocks: number; inodes: number } {
  let blocks = 64;
  const names = new Map<string, number>();
  for (const entry of entries) {
    if (entry.path !== "/") {
      const parent = entry.path.slice(0, entry.path.lastIndexOf("/"));
      const name = Buffer.byteLength(entry.path) - Buffer.byteLength(parent) - 1;
      names.set(parent, (names.get(parent) ?? 0) + 8 + Math.ceil(name / 4) * 4);
    }
    if (entry.link === undefined) {
      const data = Math.ceil((entry.sizeBytes ?? 0) / BLOCK);
      // An extent reaches over 2^15 blocks at most; four of them fit into the inode.
      blocks += data + (data > BLOCKS_PER_GROUP ? 2 + Math.ceil(data / BLOCKS_PER_GROUP / 340) : 0);
    }
    if (entry.type === "symlink" && (entry.target ?? "").length >= 60) blocks += 1;
    if (entry.xattrs) blocks += 1;
    if (entry.type === "directory") blocks += 1;
  }
  // A block of a directory is never quite full.
  for (const bytes of names.values()) blocks += Math.ceil((bytes * 1.1) / BLOCK);
  const inodes = entries.length + 64;
  blocks += Math.ceil((inodes * INODE) / BLOCK);
  const groups = Math.ceil(blocks / BLOCKS_PER_GROUP) + 1;
  // Per group: two bitmaps, a few blocks of rounding of its inode table, copies of the descriptors.
  blocks += groups * (4 + 2 * Math.ceil((groups * 64) / BLOCK));
  blocks = Math.ceil(blocks * 1.005) + 64;
  const perMib = MIB / BLOCK;
  return { blocks: Math.ceil(blocks / perMib) * perMib, inodes };
}

export interface HashTree {
  readonly rootHash: string;
  readonly salt: string;
  readonly dataBlocks: number;
  readonly hashOffsetBytes: number;
}

/**
 * Appends the block-hash tree behind the file system, without veritysetup's superblock: its numbers
 * stand in golden.json, and the first hash block is `hashOffsetBytes / 4096`, as the kernel's table
 * wants it. Leaves the image a whole number of MiB long.
 */
export async function addHashTree(
  image: string,
  dataBytes: number,
  salt: string,
): Promise<HashTree> {
  const dataBlocks = dataBytes / BLOCK;
  const said = await output([
    ...["veritysetup", "format", ...verityOptions(dataBlocks, dataBytes, salt)],
    ...[image, image],
  ]);
  const rootHash = /Root hash:\s*([0-9a-f]{64})/.exec(said)?.[1];
  if (rootHash === undefined) throw new Error(`veritysetup printed no root hash:\n${said}`);
  const tree = { rootHash, salt, dataBlocks, hashOffsetBytes: dataBytes };
  await checkHashTree(image, tree);
  await truncate(image, Math.ceil(Bun.file(image).size / MIB) * MIB);
  return tree;
}

/** @throws CommandError if a block of the image does not match the tree. */
export async function checkHashTree(image: string, tree: HashTree): Promise<void> {
  const { dataBlocks, hashOffsetBytes, salt, rootHash } = tree;
  await run([
    ...["veritysetup", "verify", ...verityOptions(dataBlocks, hashOffsetBytes, salt)],
    ...[image, image, rootHash],
  ]);
}

function verityOptions(dataBlocks: number, hashOffset: number, salt: string): string[] {
  return [
    ...["--no-superblock", "--format=1", "--hash=sha256", `--salt=${salt}`],
    ...[`--data-block-size=${BLOCK}`, `--hash-block-size=${BLOCK}`],
    ...[`--data-blocks=${dataBlocks}`, `--hash-offset=${hashOffset}`],
  ];
}

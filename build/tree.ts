/*
 * Directory trees as the build handles them: packed, unpacked, and with times that do not depend on
 * when they were made. Owns: the tar and find command lines for that.
 */
import { mkdir } from "node:fs/promises";
import { run } from "./command.ts";

/** Every entry newer than `epoch` gets that time, symbolic links too. */
export async function clampTimes(directory: string, epoch: number): Promise<void> {
  await run([
    ...["find", directory, "-xdev", "-newermt", `@${epoch}`],
    ...["-exec", "touch", "--no-dereference", `--date=@${epoch}`, "{}", "+"],
  ]);
}

/** A tar of the tree with owners, hard links, extended attributes and ACLs. */
export async function packTree(directory: string, archive: string): Promise<void> {
  await run([
    ...["tar", "--create", "--sort=name", "--format=posix", "--numeric-owner", "--one-file-system"],
    ...["--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime"],
    ...["--xattrs", "--xattrs-include=*", "--acls", "--sparse"],
    ...["--use-compress-program=zstd --threads=0 -3", "--file", archive],
    ...["--directory", directory, "."],
  ]);
}

export async function unpackTree(archive: string, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await run([
    ...["tar", "--extract", "--numeric-owner", "--preserve-permissions", "--same-owner"],
    ...["--xattrs", "--xattrs-include=*", "--acls", "--use-compress-program=zstd"],
    ...["--file", archive, "--directory", directory],
  ]);
}

/*
 * The words before a command that is to run inside a root: /proc and /dev are there, the environment
 * is clean, and nothing stays mounted when the command has ended.
 */
import path from "node:path";
import { REPOSITORY } from "./cache.ts";

export function insideRoot(root: string): string[] {
  return ["unshare", "--mount", "sh", path.join(REPOSITORY, "build/chroot.sh"), root];
}

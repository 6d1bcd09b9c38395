/*
 * A vendor's folder for the tests of mistakes: files laid there, and a command run as its own process, whose last words count.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const MAIN = join(import.meta.dir, "../../src/main.ts");

/** `run`: the words of a command of zshield; `before`: a program that starts it. */
export function vendorIn(folder: string) {
  return {
    at: (...parts: string[]) => join(folder, ...parts),
    put(path: string, content: string | Uint8Array): void {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
    },
    async run(words: readonly string[], before: readonly string[] = []) {
      const child = Bun.spawn([...before, process.execPath, MAIN, ...words], {
        stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, HOME: folder },
      });
      const stderr = await new Response(child.stderr).text();
      return { code: await child.exited, stderr };
    },
  };
}

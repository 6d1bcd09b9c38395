/*
 * QR codes as a phone sees them: what zbarimg reads in a picture of the screen, or of its text.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Light and dark points of half blocks: two rows for each line. The background is dark. */
export function halfBlockPoints(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => [
    [...line].map((cell) => cell === "▀" || cell === "█"),
    [...line].map((cell) => cell === "▄" || cell === "█"),
  ]);
}

/** What zbarimg reads in a picture of these points, `true` light. */
export async function decodePoints(
  points: readonly (readonly boolean[])[],
  scale: number,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "zshield-code-"));
  try {
    const width = Math.max(...points.map((row) => row.length));
    const lines = points.flatMap((row) => {
      const line = Array.from({ length: width }, (_, x) => (row[x] === true ? 255 : 0));
      const wide = line.flatMap((value) => Array.from({ length: scale }, () => value));
      return Array.from({ length: scale }, () => wide.join(" "));
    });
    const file = join(folder, "code.pgm");
    writeFileSync(file, `P2 ${width * scale} ${lines.length} 255\n${lines.join("\n")}\n`);
    return await decodePicture(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** "" where there is no code in it. */
export async function decodePicture(file: string): Promise<string> {
  const child = Bun.spawn(["zbarimg", "--quiet", "--raw", file], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  return (await new Response(child.stdout).text()).trim();
}

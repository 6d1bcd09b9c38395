/*
 * The QR code as a phone sees it: read back with zbarimg from what is on the screen, drawn in half blocks and in
 * double cells, at its smallest too.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { draw, type Charset, type Row, type Size } from "../../src/ui/screen/draw.ts";
import type { View } from "../../src/ui/screen/view.ts";
import { inWindow } from "./tmux.ts";

/** Light and dark points of half blocks: two rows for each line. The background is dark. */
function halfBlockPoints(lines: readonly string[]): boolean[][] {
  return lines.flatMap((line) => [
    [...line].map((cell) => cell === "▀" || cell === "█"),
    [...line].map((cell) => cell === "▄" || cell === "█"),
  ]);
}

/** Cells are twice as high as wide. */
function cellPoints(rows: readonly Row[]): boolean[][] {
  return rows.flatMap((row) => {
    const points = row.flatMap(({ text, style }) => [...text].map(() => style === "light"));
    return [points, points];
  });
}

/** What zbarimg reads in a picture of these points, `true` light. */
async function decode(points: readonly (readonly boolean[])[], scale: number): Promise<string> {
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
    const child = Bun.spawn(["zbarimg", "--quiet", "--raw", file], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    return (await new Response(child.stdout).text()).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const LONG = "ZS1 FAILED DEFAULT E4.12 BOX-1 0.1.0+ABC";
const SHORT = "ZS1 F D E4.12 BOX-1 0.1.0";

for (const [charset, size, wanted] of [
  ["blocks", { columns: 80, rows: 24 }, LONG],
  ["ascii", { columns: 80, rows: 50 }, LONG],
  ["ascii", { columns: 80, rows: 24 }, SHORT],
  ["blocks", { columns: 40, rows: 17 }, LONG],
] as const satisfies readonly (readonly [Charset, Size, string])[]) {
  test(`alone on ${size.columns}×${size.rows}, ${charset}`, async () => {
    const view: View = {
      ...{ title: "", body: [{ kind: "text", text: "no room" }], notes: [], keys: "" },
      code: { long: LONG, short: SHORT, alone: true },
    };
    const rows = draw(view, size, charset).slice(0, -1);
    const points =
      charset === "blocks"
        ? halfBlockPoints(rows.map((row) => row.map(({ text }) => text).join("")))
        : cellPoints(rows);
    assert.is(await decode(points, charset === "blocks" ? 6 : 3), wanted);
  });
}

test("control: without one of its corners nothing is read", async () => {
  const view: View = {
    ...{ title: "", body: [], notes: [], keys: "" },
    code: { long: LONG, short: SHORT, alone: true },
  };
  const rows = draw(view, { columns: 80, rows: 24 }, "blocks").slice(0, -1);
  const points = halfBlockPoints(rows.map((row) => row.map(({ text }) => text).join("")));
  const broken = points.map((row, y) => row.map((light, x) => light || (y < 12 && x < 12)));
  assert.is(await decode(broken, 6), "");
});

test("beside the verdict on 80×24, from the screen itself", async () => {
  const args = ["--operation=default", "--machine=blank-virtio", "--speed=200", "--fail-at=finish"];
  const shown = await inWindow({ columns: 80, rows: 24 }, args, (window) =>
    window.shows(/Power off/),
  );
  // Below the big letters and to the right of the words.
  const lines = shown
    .split("\n")
    .slice(6, 23)
    .map((line) => line.slice(47));
  assert.is(await decode(halfBlockPoints(lines), 6), "ZS1 FAILED DEFAULT E4.27 0.1.0+ABC");
});

test.run();

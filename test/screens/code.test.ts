/*
 * The QR code as a phone sees it: read back with zbarimg from what is on the screen, drawn in half blocks and in
 * double cells, at its smallest too.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { draw, type Charset, type Row, type Size } from "../../src/ui/screen/draw.ts";
import type { View } from "../../src/ui/screen/view.ts";
import { decodePoints, halfBlockPoints } from "../lab/qr.ts";
import { inWindow } from "./tmux.ts";

/** Cells are twice as high as wide. */
function cellPoints(rows: readonly Row[]): boolean[][] {
  return rows.flatMap((row) => {
    const points = row.flatMap(({ text, style }) => [...text].map(() => style === "light"));
    return [points, points];
  });
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
    assert.is(await decodePoints(points, charset === "blocks" ? 6 : 3), wanted);
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
  assert.is(await decodePoints(broken, 6), "");
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
  assert.is(await decodePoints(halfBlockPoints(lines), 6), "ZS1 FAILED DEFAULT E4.27 0.1.0+ABC");
});

test.run();

/*
 * What blessed sends with the terminfo entries of the rescue system, read by a terminal: after a series of scenes,
 * of which only the differences are sent, it shows what was drawn.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openCanvas } from "../../src/ui/screen/canvas.ts";
import { draw, type Charset, type Row } from "../../src/ui/screen/draw.ts";
import { hasTerminfo } from "../../src/ui/screen/terminal.ts";
import { view } from "../../src/ui/screen/view.ts";
import { textsOf, type Language } from "../../src/ui/texts.ts";
import { known, SCENES } from "../unit/screen-example.ts";
import { fakeTerminal } from "../unit/terminal-example.ts";
import { inTerminal } from "./tmux.ts";

const SIZE = { columns: 80, rows: 24 };

/** What was sent for these scenes, one after the other, and what each of them should look like. */
function send(term: string, charset: Charset, language: Language) {
  let sent = "";
  const abilities = { term, charset, chinese: language === "zh", colour: term !== "vt100" };
  const terminal = fakeTerminal(abilities, SIZE, (text) => void (sent += text));
  const canvas = openCanvas(terminal);
  const shots = Object.values(SCENES).map((scene) => {
    const rows = draw(view(known(scene), textsOf(language)), SIZE, charset);
    canvas.show(rows);
    return { kind: scene.kind, sent, shows: rows.map(textOf).join("\n").trimEnd() };
  });
  return shots;
}

const textOf = (row: Row) =>
  row
    .map(({ text }) => text)
    .join("")
    .trimEnd();

for (const [term, charset, language] of [
  ["linux", "blocks", "en"],
  ["xterm", "blocks", "zh"],
  ["vt220", "ascii", "en"],
  ["vt100", "ascii", "en"],
] as const) {
  test(`${term}, ${charset}, ${language}`, async () => {
    assert.ok(hasTerminfo(term));
    const folder = mkdtempSync(join(tmpdir(), "zshield-term-"));
    try {
      for (const { kind, sent, shows } of send(term, charset, language)) {
        const file = join(folder, kind);
        writeFileSync(file, sent);
        const shown = await inTerminal(SIZE, `cat ${file}`, (window) => window.shows(/\S/));
        assert.is(shown.trimEnd(), shows, kind);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
}

test("a terminal that nobody describes is known to be none", () => {
  assert.not.ok(hasTerminfo("nonsense"));
});

test.run();

/*
 * What the canvas sends, on a terminal that draws it: every column where `draw` has put it, whatever a label holds.
 */
import { Terminal as Emulator } from "@xterm/headless";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openCanvas } from "../../src/ui/screen/canvas.ts";
import type { Abilities } from "../../src/ui/screen/terminal.ts";
import { fakeTerminal } from "./terminal-example.ts";

const SIZE = { columns: 40, rows: 8 };
const VT: Abilities = { term: "linux", charset: "blocks", chinese: false, colour: true };
const XTERM: Abilities = { ...VT, term: "xterm", chinese: true };

/** The first row, as the terminal has it when it has drawn `texts` one after the other. */
async function shown(abilities: Abilities, ...texts: string[]): Promise<string> {
  let sent = "";
  const terminal = fakeTerminal(abilities, SIZE, (text) => void (sent += text));
  const canvas = openCanvas(terminal);
  for (const text of texts) canvas.show([[{ text, style: "plain" }]]);
  // Both the kernel's console and this one go two columns on for a wide character.
  const drawn = new Emulator({ cols: SIZE.columns, rows: SIZE.rows, allowProposedApi: true });
  await new Promise<void>((resolve) => drawn.write(sent, resolve));
  return drawn.buffer.active.getLine(0)?.translateToString(true) ?? "";
}

test("wide characters move nothing on the kernel's own screen, whose font has none", async () => {
  const label = 'ntfs "新加卷" 20 GiB END|';
  assert.is(await shown(VT, label), 'ntfs "??????" 20 GiB END|');
  assert.is(await shown(VT, label, 'ntfs "新年卷" 30 GiB END|'), 'ntfs "??????" 30 GiB END|');
  assert.is(await shown(XTERM, label), label);
  assert.is(await shown(VT, "😀 END|"), "?? END|");
});

test("a character that takes no column of its own moves nothing", async () => {
  for (const abilities of [VT, XTERM]) {
    assert.is(await shown(abilities, "Donne\u0301es q\u0301 END|"), "Donn\u00e9es q END|");
  }
});

test.run();

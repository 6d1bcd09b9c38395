/*
 * A terminal at the other end of a pseudo terminal: its answers to the probe, whole and in pieces, and what is typed.
 */
import { readlinkSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openTerminal } from "../../src/ui/screen/terminal.ts";

/** Says `pieces` one after the other when it is asked where its cursor is. */
function openPty(pieces: readonly string[], gapMs: number) {
  let asked = "";
  let isAnswered = false;
  const pty = new Bun.Terminal({
    cols: 80,
    rows: 24,
    async data(terminal, bytes) {
      asked += new TextDecoder().decode(bytes);
      if (isAnswered || asked.split("\x1b[6n").length < 3) return;
      isAnswered = true;
      for (const piece of pieces) {
        terminal.write(piece);
        await Bun.sleep(gapMs);
      }
    },
  });
  const holder = Bun.spawn(["sleep", "60"], { terminal: pty });
  return {
    name: readlinkSync(`/proc/${holder.pid}/fd/0`).replace(/^\/dev\//, ""),
    type: (text: string) => void pty.write(text),
    close() {
      holder.kill("SIGKILL");
      pty.close();
    },
  };
}

const ANSWER = "\x1b[50;160R\x1b[1;3R";

for (const [how, pieces, gapMs] of [
  ["whole", [ANSWER], 0],
  ["cut in a number", [ANSWER.slice(0, 5), ANSWER.slice(5)], 20],
  ["byte by byte", [...ANSWER], 5],
  ["with a pause behind an ESC", [ANSWER.slice(0, 1), ANSWER.slice(1)], 200],
] as const) {
  test(`an answer to the probe, ${how}`, async () => {
    const pty = openPty(pieces, gapMs);
    try {
      const terminal = await openTerminal(pty.name);
      const { isAnswered, abilities } = terminal;
      terminal.close();
      assert.ok(isAnswered);
      assert.equal(abilities, { term: "xterm", charset: "blocks", chinese: true, colour: true });
    } finally {
      pty.close();
    }
  });
}

test("what is typed comes whole, in order and soon, also the beginning of an answer that is none", async () => {
  const pty = openPty([ANSWER], 0);
  const terminal = await openTerminal(pty.name);
  try {
    let typed = "";
    let sizes = 0;
    terminal.onData((text) => void (typed += text));
    terminal.onResize(() => void sizes++);
    for (const character of "a\x1b[A\x1b[3") {
      pty.type(character);
      await Bun.sleep(20);
    }
    await Bun.sleep(300);
    assert.is(typed, "a\x1b[A\x1b[3");
    pty.type("\x1b");
    await Bun.sleep(300);
    assert.is(typed, "a\x1b[A\x1b[3\x1b");
    for (const character of "\x1b[30;100Rb") {
      pty.type(character);
      await Bun.sleep(5);
    }
    await Bun.sleep(300);
    assert.is(typed, "a\x1b[A\x1b[3\x1bb");
    assert.is(sizes, 1);
  } finally {
    terminal.close();
    pty.close();
  }
});

test.run();

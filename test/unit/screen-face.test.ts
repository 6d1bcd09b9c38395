/*
 * The face on a terminal that draws what it is sent, with keys that are pressed: the rescue password behind a verdict.
 */
import { Terminal as Emulator } from "@xterm/headless";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeGate } from "../../src/commands/gate.ts";
import type { Verdict } from "../../src/ui/screen/known.ts";
import { screenFace } from "../../src/ui/screen/screen-face.ts";
import { textsOf } from "../../src/ui/texts.ts";
import { known, SCENES, success, testVerdict } from "./screen-example.ts";
import { fakeTerminal } from "./terminal-example.ts";

const SIZE = { columns: 80, rows: 24 };
const PROMPT = /Type the rescue password and press Enter:/;
/** Keys that come sooner do not answer. */
const DEAF_MS = 800;

function openScreen() {
  const drawn = new Emulator({ cols: SIZE.columns, rows: SIZE.rows, allowProposedApi: true });
  let press: (keys: string) => void = () => undefined;
  const abilities = { term: "xterm", charset: "blocks", chinese: true, colour: true } as const;
  const terminal = fakeTerminal(
    abilities,
    SIZE,
    (text) => drawn.write(text),
    (take) => void (press = take),
  );
  const line = (row: number) => drawn.buffer.active.getLine(row);
  const text = () =>
    Array.from({ length: SIZE.rows }, (_, row) => line(row)?.translateToString(true)).join("\n");
  return {
    face: screenFace(terminal, textsOf("en")),
    press: (keys: string) => press(keys),
    text,
    /** Below what is said, beside the code: 1 is red, 2 green. */
    ground: () =>
      line(SIZE.rows - 4)
        ?.getCell(0)
        ?.getBgColor(),
    async until(wanted: RegExp) {
      for (let tries = 0; !wanted.test(text()); tries++) {
        if (tries > 200) throw new Error(`${wanted} did not come:\n${text()}`);
        await Bun.sleep(20);
      }
    },
  };
}

async function behind(
  { result, ...more }: Verdict,
  check: (screen: ReturnType<typeof openScreen>) => void,
) {
  const screen = openScreen();
  const { face } = screen;
  const gate = makeGate(
    "hash",
    { askSecret: face.askSecret, say: face.line },
    { verify: async (password) => password === "right", wait: () => Bun.sleep(1500) },
  );
  face.verdict(result, more);
  const passed = gate().then(() => face.choose("verdict", ["reboot", "poweroff"]));
  try {
    await screen.until(PROMPT);
    check(screen);
    assert.not.match(screen.text(), /Power off/);
    await Bun.sleep(DEAF_MS);
    screen.press("wrong\r");
    await screen.until(/not the rescue password/);
    check(screen);
    await screen.until(PROMPT);
    check(screen);
    // Numbers and Enter choose nothing here.
    await Bun.sleep(DEAF_MS);
    screen.press("1");
    await screen.until(/> \*(?!\*)/);
    check(screen);
    screen.press("\x7fright\r");
    await screen.until(/Power off/);
    assert.not.match(screen.text(), PROMPT);
    await Bun.sleep(DEAF_MS);
    screen.press("2\r");
    assert.is(await passed, "poweroff");
  } finally {
    face.close();
  }
}

test("a FAIL is on the whole screen before, while and after the password is asked for", async () => {
  await behind(testVerdict("memory"), (screen) => {
    assert.match(screen.text(), /memory: memory is not as expected/);
    assert.match(screen.text(), /█/);
    assert.is(screen.ground(), 1);
  });
});

test("so is a recovery that was refused or failed", async () => {
  const { verdict } = known(SCENES.secret);
  if (!verdict) throw new Error("no verdict");
  await behind(verdict, (screen) => assert.match(screen.text(), /there is no disk/));
});

test("before any verdict there is the question alone, and nothing of the machine", async () => {
  const screen = openScreen();
  void screen.face.askSecret("Type the rescue password and press Enter:");
  await screen.until(PROMPT);
  assert.not.match(screen.text(), /disk|serial/);
  assert.not.ok([1, 2].includes(screen.ground() ?? 0));
  screen.face.close();
});

test("what was chosen leaves the verdict behind", async () => {
  const screen = openScreen();
  screen.face.verdict(success, {});
  void screen.face.choose("verdict", ["again", "reboot"]);
  await screen.until(/Reboot/);
  await Bun.sleep(DEAF_MS);
  screen.press("1\r");
  await Bun.sleep(400);
  assert.not.match(screen.text(), /█/);
  screen.face.close();
});

test.run();

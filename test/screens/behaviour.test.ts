/*
 * The demo in a terminal, as people and machines treat it: keys held down, control keys, a resize, something that
 * writes over the screen, wrong answers, a password, a terminal that answers nothing.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openPty } from "./pty.ts";
import { inWindow, PROJECT } from "./tmux.ts";

const USUAL = { columns: 80, rows: 24 };
const DEMO = [process.execPath, join(PROJECT, "test/screens/demo.ts")];
const MENU = /(9|10) {2}Power off/;
const QUESTION = /> ____/;

test("Enter, pressed while it starts and afterwards, starts nothing", async () => {
  await inWindow(USUAL, [], async (window) => {
    await window.press(...Array.from({ length: 10 }, () => "Enter"));
    await window.type(MENU, ...Array.from({ length: 10 }, () => "Enter"));
    assert.match(await window.shows(MENU), /Nothing is started before you choose/);
  });
});

test("Ctrl-C, Ctrl-Z, Ctrl-\\, Ctrl-D and the function keys end nothing and open nothing", async () => {
  await inWindow(USUAL, [], async (window) => {
    await window.type(MENU, "C-c", "C-z", "C-\\", "C-d", "C-]", "F1", "F12", "M-x", "C-s", "C-q");
    await window.press("1", "Enter");
    await window.type(QUESTION, "C-c", "C-z", "C-\\", "C-d");
    await window.shows(QUESTION);
    assert.ok(await window.isAlive());
    await window.press("Escape");
    await window.shows(MENU);
  });
});

test("wrong answers change nothing; the right one starts", async () => {
  await inWindow(USUAL, ["--speed=200"], async (window) => {
    await window.type(MENU, "1", "Enter");
    await window.type(QUESTION, "y", "e", "s", "Enter");
    await window.shows(/not what was asked for\. Nothing has changed/);
    await window.press("0", "0", "0", "1", "Enter");
    await window.shows(/holds version/);
  });
});

test("C cancels while it only looks, and nothing was changed", async () => {
  await inWindow(
    USUAL,
    ["--operation=default", "--machine=blank-virtio", "--pause-at=check-golden", "--speed=50"],
    async (window) => {
      await window.type(/C cancels/, "c");
      assert.match(await window.shows(/7 {2}Power off/), /it was cancelled at the console/);
    },
  );
});

test("a resize is followed, and Ctrl-L repairs what something else wrote over the screen", async () => {
  await inWindow(USUAL, [], async (window) => {
    const before = await window.shows(MENU);
    await window.resize(100, 40);
    await window.shows(/^(?:.*\n){39} Up\/Down/);
    await window.resize(80, 24);
    await window.shows(/^(?:.*\n){23} Up\/Down/);
    writeFileSync(await window.device(), "\r\nkernel: BUG: everything is lost\r\n");
    await window.shows(/everything is lost/);
    await window.press("C-l");
    assert.is(await window.shows(MENU), before);
  });
});

test("a terminal that was reset is whole again after Ctrl-L", async () => {
  await inWindow(USUAL, [], async (window) => {
    const before = await window.shows(MENU);
    writeFileSync(await window.device(), "\x1bc");
    await window.shows(/^\s*$/);
    await window.press("C-l");
    assert.is(await window.shows(MENU), before);
  });
});

test("a password is asked before anything is shown, as often as it takes, and not echoed", async () => {
  await inWindow(USUAL, ["--password=open"], async (window) => {
    await window.type(/Type the rescue password/, "w", "r", "o", "n", "g", "Enter");
    const told = await window.shows(/One moment[^]*That is not the rescue password/m);
    assert.not.match(told, /wrong|ZS-0001|\/dev/);
    await window.type(/Type the rescue password/, "o", "p", "e", "n");
    assert.not.match(await window.shows(/^> \*{4}$/m), /open/);
    await window.press("Enter");
    await window.shows(MENU);
  });
});

test("hostile strings show up as what they are", async () => {
  await inWindow(USUAL, ["--machine=hostile-serial"], async (window) => {
    const shown = await window.shows(MENU);
    assert.match(shown, /\\x1b\[2J\\x1b\[HDISK \\u202egnihton, serial A"B\\C\\x07/);
  });
});

test("a terminal that answers nothing gets ASCII after a moment, and an answer late is no key", async () => {
  const pty = openPty([...DEMO, "--lang=zh"], false);
  try {
    await pty.waitFor(/zshield\.lang=zh: this console cannot show Chinese/);
    await pty.waitFor(MENU);
    const drawn = pty.raw().slice(pty.raw().indexOf("\x1b8") + 2);
    assert.match(drawn, /^[\x00-\x7e]*$/);
    await Bun.sleep(900);
    pty.write("\x1b[24;80R\x1b[1;3R1\r");
    await pty.waitFor(/WILL BE LOST/);
  } finally {
    pty.close();
  }
});

test("the plain lines offer the same choices by number", async () => {
  await inWindow({ columns: 100, rows: 60 }, ["--ui=plain"], async (window) => {
    await window.type(/Type a number and press Enter:/, "1", "Enter");
    await window.shows(/WILL BE LOST/);
    await window.type(/Type the last 4 characters/, "n", "o", "Enter");
    await window.shows(/machine:[^]*machine:[^]*Type a number/);
    await window.type(/Type a number/, "5", "Enter");
    await window.shows(/4 {2}Go back/);
  });
});

test("two consoles: the second one is told where the screen is, has the progress in lines, and can answer too", async () => {
  const other = openPty(["sleep", "60"], false);
  const pty = openPty(
    [
      ...[...DEMO, "--operation=default", "--machine=blank-virtio", "--speed=200"],
      ...["--fail-at=finish", `--other=${other.name()}`],
    ],
    true,
  );
  try {
    await other.waitFor(/the recovery is shown on pts\/\d+; answer there or here/);
    await other.waitFor(/zshield: step 27\/27 finish begins/);
    await other.waitFor(/ZSHIELD-RESULT \{.*"outcome":"failed".*\}\r+\n/);
    await pty.waitFor(/Power off/);
    await other.waitFor(/Type a number and press Enter:/);
    const number = /(\d+) {2}Power off/.exec(other.text())?.[1] ?? "";
    // What is typed in the first moments does not count.
    await Bun.sleep(1000);
    other.write(`${number}\r`);
    await other.waitFor(/switching the power off|poweroff/);
    // The line for scripts is whole on the screen's own console too.
    assert.match(pty.raw(), /ZSHIELD-RESULT \{[^\x1b\r]*"outcome":"failed"[^\x1b\r]*\}\r+\n/);
  } finally {
    pty.close();
    other.close();
  }
});

test("while a bar moves, no more than 400 bytes a second on average", async () => {
  const pty = openPty(
    [...DEMO, "--operation=default", "--machine=blank-virtio", "--speed=1"],
    true,
  );
  try {
    await pty.waitFor(/► /);
    const before = pty.bytes();
    const started = performance.now();
    await Bun.sleep(10_000);
    const seconds = (performance.now() - started) / 1000;
    const rate = (pty.bytes() - before) / seconds;
    assert.ok(rate > 20, `${rate} bytes/s: nothing moves`);
    // The last drawing is paid for after the end of the measurement.
    assert.ok(rate <= 400 + 2000 / seconds, `${rate} bytes/s`);
  } finally {
    pty.close();
  }
});

test.run();

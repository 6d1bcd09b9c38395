/*
 * Keys: what bytes mean, what each key does in each scene, and that nothing starts by accident.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseKeys, press, type Wanted } from "../../src/ui/screen/keys.ts";
import type { Known } from "../../src/ui/screen/known.ts";
import { eventAt, known, SCENES } from "./screen-example.ts";

const SIZE = { columns: 80, rows: 24 };
const names = (typed: string, isEnd = false) =>
  parseKeys(typed, isEnd).keys.map((key) => (key.name === "text" ? key.text : key.name));

/** Presses one key after the other; what was wanted on the way. */
function type(from: Known, typed: string): { known: Known; wanted: Wanted[] } {
  let now = from;
  const wanted: Wanted[] = [];
  for (const key of parseKeys(typed, true).keys) {
    const pressed = press(now, key, SIZE);
    now = pressed.known;
    if (pressed.wanted) wanted.push(pressed.wanted);
  }
  return { known: now, wanted };
}

test("bytes of the terminals there are", () => {
  assert.equal(names("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[1~\x1b[F"), [
    ...["up", "down", "page-up", "page-down", "home", "end"],
  ]);
  assert.equal(names("a\r\nb\n\x7f\x08"), ["a", "enter", "b", "enter", "backspace", "backspace"]);
  assert.equal(names("\x0e\x10\x0c"), ["down", "up", "redraw"]);
  assert.equal(names("序"), ["序"]);
});

test("Esc alone is a key only when nothing follows; a sequence may come in pieces", () => {
  assert.equal(parseKeys("\x1b"), { keys: [], rest: "\x1b" });
  assert.equal(names("\x1b", true), ["escape"]);
  assert.equal(parseKeys("\x1b["), { keys: [], rest: "\x1b[" });
  assert.equal(names("\x1b\x1b[A", true), ["up"]);
});

test("control keys, function keys, Alt and unknown sequences are no keys", () => {
  assert.equal(names("\x03\x1a\x1c\x04\x00\x13\x11"), []);
  assert.equal(names("\x1b[[A\x1b[[E\x1b[15~\x1b[200~\x1bOP\x1b[1;5Cx"), ["x"]);
  assert.equal(names("\x1bx\x9b"), []);
});

test("Enter, ten times, starts nothing in any scene but a text that is read", () => {
  for (const scene of [SCENES.wait, SCENES.menu, SCENES.consent, SCENES.running]) {
    assert.equal(type(known(scene), "\r".repeat(10)).wanted, [], scene.kind);
  }
  assert.equal(type(known({ ...SCENES.verdict, selected: undefined }), "\r".repeat(10)).wanted, []);
});

test("a number or the arrows choose, Enter starts", () => {
  assert.equal(type(known(SCENES.menu), "2\r").wanted, [{ kind: "choice", choice: "latest" }]);
  assert.equal(type(known(SCENES.menu), "\x1b[B\x1b[B\r").wanted[0], {
    kind: "choice",
    choice: "latest",
  });
  assert.equal(type(known(SCENES.menu), "\x1b[A\r").wanted[0], {
    kind: "choice",
    choice: "poweroff",
  });
  assert.equal(type(known(SCENES["which-plan"]), "\x1b").wanted[0], {
    kind: "choice",
    choice: "back",
  });
  assert.equal(type(known(SCENES.menu), "\x1b").wanted, []);
  assert.equal(type(known(SCENES.menu), "0\r").wanted, []);
});

test("two digits choose behind the ninth; a digit that leads to nothing with the last one stands alone", () => {
  const choices = ["default", "latest", "repair", "test", "look", "report", "reboot"] as const;
  const eleven = known({
    ...SCENES.menu,
    choices: [...choices, "plan", "golden", "log", "poweroff"],
  });
  const chosen = (typed: string) =>
    type(eleven, typed).wanted.map((wanted) => (wanted.kind === "choice" ? wanted.choice : ""));
  assert.equal(chosen("11\r"), ["poweroff"]);
  assert.equal(chosen("1\r"), ["default"]);
  assert.equal(chosen("10\r"), ["log"]);
  assert.equal(chosen("0\r"), ["log"]);
  assert.equal(chosen("12\r"), ["latest"]);
  assert.equal(chosen("211\r"), ["poweroff"]);
  assert.equal(chosen("1\x1b[B1\r"), ["default"], "another key between them");
  assert.equal(type(known(SCENES.menu), "11\r").wanted, [{ kind: "choice", choice: "default" }]);
});

test("only the answer that was asked for agrees; a wrong one says so, Esc goes back", () => {
  const consent = known({ ...SCENES.consent, typed: "" });
  assert.equal(type(consent, "0001\r").wanted, [{ kind: "agree", yes: true }]);
  assert.equal(type(consent, "00x\x7f01\r").wanted, [{ kind: "agree", yes: true }]);
  for (const wrong of ["0002\r", "001\r", "00011\r", "yes\r", " 0001\r"]) {
    const { known: after, wanted } = type(consent, wrong);
    assert.equal(wanted, [], wrong);
    assert.equal(after.scene, { ...SCENES.consent, typed: "", wrong: true }, wrong);
  }
  assert.equal(type(consent, "00\x1b").wanted, [{ kind: "agree", yes: false }]);
});

test("C cancels while nothing has been changed, and says why not afterwards", () => {
  const { run } = known(SCENES.running);
  if (!run) throw new Error("no run");
  const event = eventAt("check-golden", { changed: false });
  const early = type(known(SCENES.running, { run: { ...run, event } }), "cc");
  assert.equal(early.wanted, [{ kind: "cancel" }]);
  const late = type(known(SCENES.running), "c");
  assert.equal(late.wanted, []);
  assert.equal(late.known.scene, { kind: "running", told: "too-late" });
  const { event: _none, ...unbegun } = run;
  const resumed = type(known(SCENES.running, { run: { ...unbegun, resumedAt: 3 } }), "c");
  assert.equal(resumed.wanted, []);
});

test("a text moves within its ends", () => {
  const top = (typed: string) => {
    const { scene } = type(known(SCENES.read), typed).known;
    return scene.kind === "read" ? scene.top : -1;
  };
  assert.is(top("\x1b[A"), 0);
  assert.is(top("\x1b[B"), 1);
  assert.is(top(" \x1b[6~"), 40);
  assert.is(top("\x1b[F"), 79);
  assert.is(top("\x1b[F\x1b[H"), 0);
  assert.equal(type(known(SCENES.read), "\x1b").wanted, [{ kind: "on" }]);
});

test("the QR code and the details come and go where they were asked for", () => {
  for (const [scene, key] of [
    [SCENES.verdict, "q"],
    [SCENES.finished, "Q"],
    [SCENES.menu, "d"],
  ] as const) {
    const there = type(known(scene), key).known;
    assert.not.equal(there.scene, scene);
    assert.equal(type(there, "\x1b").known.scene, scene);
  }
});

test("a password: what was typed goes to whoever asked", () => {
  const secret = known({ ...SCENES.secret, typed: "" });
  assert.equal(type(secret, "p\x7fx y\r").wanted, [{ kind: "secret", text: "x y" }]);
  assert.equal(type(secret, "\x1b\x03").wanted, []);
});

test("no key in no scene wants anything but what the flow knows", () => {
  const KINDS = ["choice", "agree", "secret", "cancel", "on", "redraw"];
  for (let code = 0; code < 256; code++) {
    for (const scene of Object.values(SCENES)) {
      for (const prefix of ["", "\x1b", "\x1b[", "\x1bO", "\x1b[1;5"]) {
        const { wanted } = type(known(scene), prefix + String.fromCharCode(code));
        for (const { kind } of wanted) assert.ok(KINDS.includes(kind));
      }
    }
  }
});

test.run();

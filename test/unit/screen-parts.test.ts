/*
 * The small parts of the screens: pace, progress, QR code, languages, abilities of terminals, which console.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Asked, Face } from "../../src/ui/face.ts";
import { chooseTerminal, joined } from "../../src/ui/faces.ts";
import { bigWord } from "../../src/ui/screen/big.ts";
import { afterDrawing, BYTES_PER_SECOND, FRESH, waitFor } from "../../src/ui/screen/pace.ts";
import { stepProgress, wholeProgress } from "../../src/ui/screen/progress.ts";
import { codeModules, codeText } from "../../src/ui/screen/qr.ts";
import {
  abilitiesOf,
  isVt,
  sizeOf,
  splitPositions,
  type Terminal,
} from "../../src/ui/screen/terminal.ts";
import { EN, printSpan } from "../../src/ui/texts-en.ts";
import { ZH } from "../../src/ui/texts-zh.ts";
import { eventAt, plan, refused, success } from "./screen-example.ts";

test("pace: however large the drawings are, the bar has no more bytes a second than its share", () => {
  for (const bytes of [20, 350, 2000, 9000]) {
    let pace = FRESH;
    let now = 1000;
    let sent = 0;
    for (let drawing = 0; drawing < 200; drawing++) {
      now += waitFor(pace, now);
      sent += bytes;
      pace = afterDrawing(pace, now, bytes);
    }
    now += waitFor(pace, now);
    assert.ok((sent * 1000) / (now - 1000) <= BYTES_PER_SECOND + 1, `${bytes}: ${sent} bytes`);
  }
});

test("pace: what a key asks for holds the bar up for a second at most", () => {
  let pace = FRESH;
  for (let key = 0; key < 20; key++) pace = afterDrawing(pace, 0, 4000, true);
  assert.is(waitFor(pace, 0), 1000);
});

test("progress: a step without bytes has none; no rest is guessed from the first moments", () => {
  assert.is(stepProgress(eventAt("open-esp")), undefined);
  assert.equal(
    stepProgress({ ...eventAt("copy-tree"), bytes: 1, seconds: 1 })?.secondsLeft,
    undefined,
  );
  assert.equal(stepProgress(eventAt("copy-tree")), { share: 0.5, secondsLeft: 10 });
});

test("progress: the whole grows with every step, from nothing to all", () => {
  assert.equal(wholeProgress(plan, undefined, { begunAt: 0, seconds: 0 }), { share: 0 });
  let last = -1;
  for (const [index, step] of plan.steps.entries()) {
    const event = { ...eventAt("copy-tree"), index, step, kind: "done" as const };
    const { share } = wholeProgress(plan, event, { begunAt: 0, seconds: 10 });
    assert.ok(share > last, step.kind);
    last = share;
  }
  assert.is(last, 1);
});

test("progress: what was done before this boot takes none of this boot's time", () => {
  const event = eventAt("verify-tree", { kind: "done" });
  const fresh = wholeProgress(plan, event, { begunAt: 0, seconds: 100 });
  const resumed = wholeProgress(plan, event, { begunAt: 10, seconds: 100 });
  assert.is(fresh.share, resumed.share);
  assert.ok((resumed.secondsLeft ?? 0) > (fresh.secondsLeft ?? 0));
});

test("time left", () => {
  assert.equal([-1, 0.2, 59, 60, 61, 3599, 3600, 3905].map(printSpan), [
    ...["0 s", "1 s", "59 s", "1:00", "1:01", "59:59", "1:00:00", "1:05:05"],
  ]);
});

test("QR code: the words fit into their size, whatever the machine calls itself", () => {
  assert.is(codeText(success, "BOX-1", 2), "ZS1 OK DEFAULT E0 BOX-1 0.1.0+ABC");
  const failed = {
    ...refused,
    outcome: "failed" as const,
    error: { message: "step 12 of 26, copy: no", hint: "" },
  };
  assert.is(codeText(failed, "BOX-1", 2), "ZS1 FAILED DEFAULT E4.12 BOX-1 0.1.0+ABC");
  assert.is(codeText(failed, "SERIAL-0000123456", 1), "ZS1 F D E4.12 123456 0.1.");
  for (const serial of ["", "a".repeat(200), "\x1b[2J序列", "x y_z"]) {
    for (const size of [1, 2] as const) {
      const text = codeText(refused, serial, size);
      assert.match(text, /^[0-9A-Z $%*+\-./:]+$/);
      assert.is(codeModules(text, size).length, { 1: 29, 2: 33 }[size]);
    }
  }
});

test("QR code: light all around", () => {
  const modules = codeModules("ZS1", 1);
  const edge = modules.flatMap((row, y) =>
    row.filter((_, x) => y < 4 || x < 4 || y >= 25 || x >= 25),
  );
  assert.is(edge.length, 29 * 29 - 21 * 21);
  assert.not.ok(edge.some(Boolean));
  assert.ok(modules.flat().some(Boolean));
});

test("every verdict has big letters", () => {
  for (const word of Object.values(EN.verdicts)) {
    for (const width of [80, 160]) {
      const rows = bigWord(word, width);
      assert.is(rows.length, 5);
      for (const row of rows) assert.ok(row.length <= width && row.includes("#"));
    }
  }
  assert.throws(() => bigWord("Z", 80), /no big letter Z/);
});

/** Every text that needs no argument, by its place; for functions their number of parameters. */
function leaves(value: unknown, path = ""): [string, string][] {
  if (typeof value === "string") return [[path, value]];
  if (typeof value === "function") return [[path, "function"]];
  return Object.entries(value as object).flatMap(([key, inner]) => leaves(inner, `${path}.${key}`));
}

test("both languages have every text, and no Chinese text is the English one", () => {
  const english = leaves(EN);
  const chinese = new Map(leaves(ZH));
  assert.ok(english.length > 60);
  assert.equal(
    english.map(([path]) => path),
    [...chinese.keys()],
  );
  for (const [path, text] of english) {
    const other = chinese.get(path) ?? "";
    assert.ok(other.trim() !== "", path);
    // The verdict is in letters that can be read from afar; what this console cannot show is in English.
    if (path.startsWith(".verdicts") || path === ".noChinese" || text === "function") continue;
    assert.match(other, /[\u4e00-\u9fff\uff00-\uffef]/, path);
    assert.not.equal(other, text, path);
  }
});

test("terminals: what they answer decides what they are given", () => {
  const size = { columns: 132, rows: 43 };
  assert.equal(abilitiesOf({ utf8: true }, undefined), {
    ...{ term: "linux", charset: "blocks", chinese: false, colour: true },
  });
  assert.is(abilitiesOf({ utf8: false }, undefined).charset, "ascii");
  assert.equal(abilitiesOf(undefined, undefined), {
    ...{ term: "vt220", charset: "ascii", chinese: false, colour: false },
  });
  assert.is(abilitiesOf(undefined, { size, cells: 2 }).chinese, true);
  assert.is(abilitiesOf(undefined, { size, cells: 1 }).chinese, false);
  assert.is(abilitiesOf(undefined, { size, cells: 1 }).charset, "blocks");
  assert.is(abilitiesOf(undefined, { size, cells: 3 }).charset, "ascii");
});

test("terminals: positions are taken out of what is typed; nonsense sizes are not believed", () => {
  assert.equal(splitPositions("a\x1b[24;80Rb\x1b[1;3R\x1b[A"), {
    positions: [
      { rows: 24, columns: 80 },
      { rows: 1, columns: 3 },
    ],
    rest: "ab\x1b[A",
    begun: "",
  });
  for (const begun of ["\x1b", "\x1b[", "\x1b[24", "\x1b[24;", "\x1b[24;8"]) {
    assert.equal(splitPositions(`a${begun}`), { positions: [], rest: "a", begun });
  }
  for (const rest of ["\x1bO", "\x1b[;", "\x1b[12345", "\x1b[1;5C"]) {
    assert.equal(splitPositions(rest), { positions: [], rest, begun: "" });
  }
  assert.equal(sizeOf({ columns: 0, rows: 0 }, { columns: 100, rows: 30 }), {
    columns: 100,
    rows: 30,
  });
  assert.equal(sizeOf({ columns: 0, rows: 0 }, undefined), { columns: 80, rows: 24 });
  assert.equal(sizeOf({ columns: 9999, rows: 9999 }), { columns: 250, rows: 100 });
});

test("which console gets the screen: the last terminal, a serial line only where one answers", async () => {
  const closed: string[] = [];
  const on = async (names: readonly string[], ui: "auto" | "screen" | "plain", answering = "") => {
    closed.length = 0;
    const open = async (name: string) =>
      name === "ttyS9"
        ? undefined
        : ({
            ...{ name, isAnswered: isVt(name) || name === answering },
            close: () => void closed.push(name),
          } as Terminal);
    return (await chooseTerminal(names, ui, open))?.name;
  };
  assert.is(await on(["ttyS0", "tty0"], "auto"), "tty0");
  assert.is(await on(["tty0", "ttyS0"], "auto", "ttyS0"), "ttyS0");
  assert.is(await on(["tty0", "ttyS0"], "auto"), "tty0");
  assert.equal(closed, ["ttyS0"]);
  assert.is(await on(["tty0", "ttyS0"], "screen"), "ttyS0");
  assert.is(await on(["tty0", "ttyS9"], "screen"), "tty0");
  assert.is(await on(["ttyS0"], "auto"), undefined);
  assert.is(await on(["ttyS0", "tty0"], "plain"), undefined);
  assert.is(await on([], "screen"), undefined);
  assert.ok(isVt("tty0") && isVt("tty12") && !isVt("ttyS0") && !isVt("pts/1"));
});

test("a question can be answered on any console; the other one is taken back, and a text goes to who asked", async () => {
  const asked: string[] = [];
  const face = (name: string, answersAfter: number | undefined) =>
    ({
      choose: (_question: unknown, choices: readonly string[], { signal } = {} as Asked) =>
        new Promise((resolve, reject) => {
          signal?.addEventListener("abort", () => {
            asked.push(`${name} taken back`);
            reject(signal.reason);
          });
          if (answersAfter !== undefined) setTimeout(() => resolve(choices[0]), answersAfter);
        }),
      read: async (title: string) => void asked.push(`${name} reads ${title}`),
      finished: async (_ending: string, attended: boolean) =>
        void asked.push(`${name} ends, ${attended ? "attended" : "alone"}`),
    }) as unknown as Face;
  for (const [screen, others, asker] of [
    [undefined, 1, "others"],
    [1, undefined, "screen"],
  ] as const) {
    asked.length = 0;
    const both = joined(face("screen", screen), face("others", others));
    assert.is(await both.choose("menu", ["log", "reboot"]), "log");
    await both.read("log", () => []);
    await both.finished("reboot", true);
    const end = `screen ends, ${asker === "screen" ? "attended" : "alone"}`;
    assert.equal(asked.slice(-2), [`${asker} reads log`, end]);
    assert.ok(asked.includes(`${asker === "screen" ? "others" : "screen"} taken back`));
  }
});

test.run();

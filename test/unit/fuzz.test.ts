/*
 * The fuzzer finds what is planted for it, and says so in a form that can be kept.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal, messageOf } from "../../src/errors.ts";
import { asText, fuzz, printInput, type FuzzTarget } from "./fuzz.ts";

// One sequence of inputs, and time enough for a busy machine: each of these ends with what is found.
process.env["ZSHIELD_FUZZ_SEED"] = "1";
process.env["ZSHIELD_FUZZ_SECONDS"] = "60";

async function crashOf(target: FuzzTarget): Promise<string> {
  return fuzz(target).then(() => "", messageOf);
}

/** The input in a crash, as whoever pastes it gets it. */
function pasted(crash: string): Uint8Array {
  const code = /^crashes: \[(.*)\],$/m.exec(crash)?.[1] ?? "";
  const input = new Function(`return ${code}`)() as string | Uint8Array;
  return typeof input === "string" ? Buffer.from(input) : input;
}

const counting = (fault: (text: string, input: Uint8Array) => boolean): FuzzTarget => ({
  name: "planted",
  seeds: ["size=12;name=abc"],
  parse(input) {
    const text = asText(input);
    if (fault(text, input)) throw new TypeError("planted");
    if (!/^size=\d+;name=\w+$/.test(text)) throw new Refusal("malformed");
  },
});

for (const [what, fault] of [
  ["a number that is too large for a double", (text) => /^size=\d*e999;/.test(text)],
  ["a byte that is no UTF-8", (_text, input) => input.includes(0xff)],
  ["a name that is empty", (text) => text.endsWith("name=")],
  ["two keys that changed their places", (text) => /^name=\w*;?size=/.test(text)],
  ["an input above a kibibyte", (text) => text.length > 1024],
] as [string, (text: string, input: Uint8Array) => boolean][]) {
  test(`finds ${what}`, async () => {
    const crash = await crashOf(counting(fault));
    assert.match(crash, /^fuzz planted \(ZSHIELD_FUZZ_SEED=\d+\): TypeError: planted/);
    const input = pasted(crash);
    assert.ok(fault(asText(input), input), crash);
  });
}

test("a crash that was kept is tried before anything else", async () => {
  const target = counting((text) => text === "kept \u{1f4f7}\n");
  const crash = await crashOf({ ...target, crashes: ["kept \u{1f4f7}\n"] });
  assert.match(crash, /^crashes: \["kept \\ud83d\\udcf7\\n"\],$/m);
});

test("a check that fails counts as a crash, also in a promise", async () => {
  const target: FuzzTarget = {
    ...counting(() => false),
    parse: async () => assert.is(await Promise.resolve(1), 2),
  };
  assert.match(await crashOf(target), /Assertion|1.*2/s);
});

test("a parser whose time runs away is a crash", async () => {
  const target: FuzzTarget = { ...counting(() => false), parse: () => Bun.sleepSync(501) };
  assert.match(await crashOf(target), /took \d{3,} ms\ncrashes: \["size=12;name=abc"\],$/m);
});

test("text is printed as text, other bytes as base64", () => {
  assert.is(printInput(Buffer.from('a"\\\u0000')), String.raw`"a\"\\\u0000"`);
  assert.is(printInput(Uint8Array.of(0x61, 0xff)), 'Buffer.from("Yf8=", "base64")');
});

for (const [how, parse] of [
  ["never ends", "() => { for (;;); }"],
  ["waits for ever", "() => new Promise(() => {})"],
]) {
  test(`a parser that ${how} is ended, and its input printed`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "zshield-fuzz-"));
    const file = join(folder, "hang.ts");
    const helper = new URL("./fuzz.ts", import.meta.url).pathname;
    writeFileSync(
      file,
      `import { fuzz } from ${JSON.stringify(helper)};
       await fuzz({ name: "hang", seeds: ["looped"], parse: ${parse} });
       console.log("came to an end");`,
    );
    const child = Bun.spawn([process.execPath, file], {
      stdout: "pipe",
      stderr: "pipe",
      env: { ...process.env, ZSHIELD_FUZZ_LIMIT_SECONDS: "1" },
    });
    const [stdout, stderr, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    rmSync(folder, { recursive: true });
    assert.is(stdout, "");
    assert.is(stderr.replaceAll(/\d+/g, "_").split("\n")[1], 'crashes: ["looped"],');
    assert.match(stderr, /fuzz hang \(ZSHIELD_FUZZ_SEED=\d+\): not done within \d+ s/);
    assert.is.not(code, 0);
  });
}

test.run();

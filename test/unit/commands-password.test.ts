/*
 * `zshield password`: a line for zshield.toml, and nothing of the password on the terminal.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseConfig } from "../../src/host/config-file.ts";

const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;

async function fromLine(line: string) {
  const child = Bun.spawn([process.execPath, MAIN, "password"], {
    stdin: new Blob([line]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

/** Answers each prompt on a terminal of its own. */
async function onTerminal(answers: readonly string[]) {
  let shown = "";
  const terminal = new Bun.Terminal({
    data: (_terminal, bytes) => void (shown += new TextDecoder().decode(bytes)),
  });
  const child = Bun.spawn([process.execPath, MAIN, "password"], { terminal });
  for (const [index, answer] of answers.entries()) {
    for (let tries = 0; shown.split(": ").length < index + 2; tries++) {
      if (tries > 400) throw new Error(`no prompt ${index}; shown: ${JSON.stringify(shown)}`);
      await Bun.sleep(25);
    }
    terminal.write(`${answer}\r`);
  }
  const code = await child.exited;
  await Bun.sleep(50);
  terminal.close();
  return { shown, code };
}

test("one line of standard input: the hash, fit for a zshield.toml", async () => {
  const { stdout, stderr, code } = await fromLine("correct horse\n");
  assert.is(code, 0);
  assert.is(stderr, "");
  const hash = parseConfig(`[rescue]\n${stdout}`).rescue["password-hash"];
  assert.is(await Bun.password.verify("correct horse", hash), true);
});

test("a password that is too short, and none at all, are refused", async () => {
  for (const [line, wanted] of [
    ["short\n", /shorter than 8 characters/],
    ["", /no password was given/],
  ] as const) {
    const { stdout, stderr, code } = await fromLine(line);
    assert.is(code, 3);
    assert.is(stdout, "");
    assert.match(stderr, wanted);
  }
});

test("on a terminal it is asked for twice and never shown", async () => {
  const { shown, code } = await onTerminal(["correct horse", "correct horse"]);
  assert.is(code, 0);
  assert.match(shown, /New rescue password: \r\nThe same again: \r\npassword-hash = "\$argon2id\$/);
});

test("two that differ are refused", async () => {
  const { shown, code } = await onTerminal(["correct horse", "correct house"]);
  assert.is(code, 3);
  assert.match(shown, /the two are not the same/);
  assert.not.match(shown, /correct|argon2id/);
});

test.run();

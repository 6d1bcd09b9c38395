/*
 * The two doors: exit codes, time-outs, signals, what a program may see of us, and lines of progress.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CommandError, type CommandOutcome } from "../../src/errors.ts";
import { findTool, makeLines, query, quote, run, stream } from "../../src/host/command.ts";

const sh = (script: string) => ["sh", "-c", script];

async function failureOf(promise: Promise<unknown>): Promise<CommandError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, CommandError);
  return error as CommandError;
}

const outcomeOf = async (promise: Promise<unknown>): Promise<CommandOutcome> =>
  (await failureOf(promise)).outcome;

test("query returns what was printed", async () => {
  assert.is(await query(["printf", "%s", "a  'b'\n"]), "a  'b'\n");
});

test("query: an exit code, with the end of stderr", async () => {
  const error = await failureOf(query(sh("echo why >&2; exit 5")));
  assert.equal(error.outcome, { kind: "exit", code: 5 });
  assert.is(error.stderrTail, "why\n");
  assert.is(await query(sh("echo out; exit 5"), { okCodes: [0, 5] }), "out\n");
});

test("query: only the last 4 KiB of stderr are kept", async () => {
  const { stderrTail } = await failureOf(query(sh("seq 1 20000 >&2; exit 1")));
  assert.is(stderrTail.length, 4096);
  assert.ok(stderrTail.endsWith("20000\n"));
});

test("query: a program that is not there, by name and by path", async () => {
  assert.equal(await outcomeOf(query(["zs-no-such-tool"])), { kind: "not-found" });
  assert.equal(await outcomeOf(query(["/zs/no/such/tool"])), { kind: "not-found" });
});

test("query: a program that was killed", async () => {
  assert.equal(await outcomeOf(query(sh("kill -TERM $$"))), { kind: "signal", signal: "SIGTERM" });
});

test("query: a time-out reaches the program's children too", async () => {
  const begin = Date.now();
  const outcome = await outcomeOf(query(sh("sleep 60 & sleep 60"), { timeoutMs: 200 }));
  assert.equal(outcome, { kind: "timed-out", timeoutMs: 200 });
  assert.ok(Date.now() - begin < 3000);
});

test("query: a daemon that keeps the pipes open is not waited for", async () => {
  const begin = Date.now();
  const pid = (await query(sh("sleep 60 & echo $!"))).trim();
  assert.ok(Date.now() - begin < 5000);
  process.kill(Number(pid), "SIGKILL");
});

test("query: a program that prints without end is stopped", async () => {
  const error = await query(["yes"]).catch((reason: unknown) => reason);
  assert.match(String(error), /printed more than/);
});

test("stream: from where a file stands; ended early is no failure, everything else is", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zs-command-"));
  writeFileSync(join(folder, "file"), "0123456789");
  const file = openSync(join(folder, "file"), "r");
  const options = { timeoutMs: 30_000, stdin: file };
  readSync(file, new Uint8Array(4), 0, 4, null);
  let text = "";
  const take = (piece: Uint8Array) => {
    text += new TextDecoder().decode(piece);
    return true;
  };
  await stream(["cat"], take, options);
  assert.is(text, "456789");
  let pieces = 0;
  await stream(["yes"], () => (pieces += 1) < 3, options);
  assert.is(pieces, 3);
  const failed = await outcomeOf(stream(sh("echo x; exit 5"), take, options));
  assert.equal(failed, { kind: "exit", code: 5 });
  const fails = () => {
    throw new Error("damaged");
  };
  const error = await stream(["yes"], fails, options).catch((reason: unknown) => reason);
  assert.match(String(error), /damaged/);
  closeSync(file);
  rmSync(folder, { recursive: true });
});

test("the environment is made anew", async () => {
  process.env["LVM_SYSTEM_DIR"] = "/evil";
  process.env["LANG"] = "de_DE.UTF-8";
  const lines = (await query(["env"])).trim().split("\n").sort();
  assert.equal(lines, [
    "HOME=/",
    "LC_ALL=C",
    "LVM_SUPPRESS_FD_WARNINGS=1",
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  ]);
});

test("stdin is closed unless given", async () => {
  assert.is(await query(["cat"]), "");
  assert.is(await query(["cat"], { stdin: "a\0b" }), "a\0b");
  const large = new Uint8Array(3_000_000).fill(65);
  assert.is((await query(["wc", "-c"], { stdin: large })).trim(), "3000000");
  assert.is(await query(["true"], { stdin: large }), "", "a program that does not read it");
});

test("run: lines of both streams, progress lines are not logged", async () => {
  const lines: string[] = [];
  const logged: string[] = [];
  const result = await run(sh(String.raw`printf 'a\r b\r c\nlast'; echo warn >&2`), {
    onLine: (line, stream) => lines.push(`${stream}:${line}`),
    log: (line) => logged.push(line),
  });
  assert.equal(
    lines.filter((line) => line.startsWith("stdout")).join(),
    "stdout:a,stdout: b,stdout: c,stdout:last",
  );
  assert.ok(lines.includes("stderr:warn"));
  assert.match(logged[0] ?? "", /^\+ sh -c /);
  assert.equal(logged.slice(1).sort(), [" c", "last", "warn"]);
  assert.is(result.stderrTail, "warn\n");
  assert.is(result.code, 0);
});

test("run: a listener that fails ends the program and is heard", async () => {
  const begin = Date.now();
  const listener = () => {
    throw new Error("full");
  };
  const error = await run(sh("echo x; sleep 60"), { onLine: listener }).catch(
    (reason: unknown) => reason,
  );
  assert.match(String(error), /full/);
  assert.ok(Date.now() - begin < 5000);
});

test("run: a failure carries the command", async () => {
  const error = await failureOf(run(sh("exit 3")));
  assert.equal(error.argv, sh("exit 3"));
  assert.is(error.message, "sh ended with exit code 3");
});

test("lines: line ends of every kind, also where a piece ends between the two", () => {
  const lines: string[] = [];
  const splitter = makeLines((line, isProgress) => lines.push(`${isProgress ? "~" : ""}${line}`));
  for (const piece of ["one\r", "\ntwo\r", "three\n", "€".slice(0, 1), "\n\n", "end\r"]) {
    splitter.add(new TextEncoder().encode(piece));
  }
  splitter.end();
  assert.equal(lines, ["one", "~two", "three", "€", "", "~end"]);
});

test("lines: a character that is cut in two, and a line without end", () => {
  const lines: string[] = [];
  const splitter = makeLines((line) => lines.push(line));
  const euro = new TextEncoder().encode("€\n");
  splitter.add(euro.subarray(0, 1));
  splitter.add(euro.subarray(1));
  for (let count = 0; count < 5; count++) splitter.add(new Uint8Array(30_000).fill(65));
  splitter.end();
  assert.is(lines[0], "€");
  assert.is(lines.slice(1).join("").length, 150_000);
  assert.ok(lines.every((line) => line.length <= 65_536));
});

test("quote prints what can be pasted", async () => {
  assert.is(quote(["lvm", "lvs", "--units=b", "/dev/sda1"]), "lvm lvs --units=b /dev/sda1");
  assert.is(quote(["echo", "a b", "", "it's"]), `echo 'a b' '' 'it'\\''s'`);
  assert.is(quote(["echo", "a\x1b[31m\n"]), String.raw`echo $'a\x1b[31m\x0a'`);
  for (const word of ["a b", "it's", "$(id)", "\\", "tab\t", "\u202eé'\\", "*"]) {
    assert.is(await query(["bash", "-c", `printf %s ${quote([word])}`]), word);
  }
});

test("tools are found on our PATH only", () => {
  process.env["PATH"] = "/nowhere";
  assert.match(findTool("sh") ?? "", /\/sh$/);
  assert.is(findTool("zs-no-such-tool"), undefined);
});

test.run();

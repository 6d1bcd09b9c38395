/*
 * Questions on a real terminal (a pseudo terminal of the kernel): what is typed as a secret is not shown,
 * and a terminal shows what is typed again afterwards, also when the process is ended. A terminal that takes nothing
 * holds nobody up.
 */
import { readlinkSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openConsoles } from "../../src/ui/consoles.ts";

/** A terminal of its own; `shown` is all that a person would have seen on it. */
async function openTerminal() {
  let shown = "";
  const terminal = new Bun.Terminal({
    data: (_terminal, bytes) => void (shown += new TextDecoder().decode(bytes)),
  });
  const holder = Bun.spawn(["sleep", "60"], { terminal });
  const path = readlinkSync(`/proc/${holder.pid}/fd/0`);
  const until = async (wanted: RegExp) => {
    for (let tries = 0; !wanted.test(shown); tries++) {
      if (tries > 400) throw new Error(`${wanted} did not come; shown: ${JSON.stringify(shown)}`);
      await Bun.sleep(25);
    }
  };
  return {
    path,
    name: path.replace(/^\/dev\//, ""),
    until,
    shown: () => shown,
    /** Behind the time in which nothing counts. */
    async type(text: string) {
      await Bun.sleep(900);
      terminal.write(text);
    },
    async hasEcho() {
      return !/ -echo[ ;]/.test(await settings(path));
    },
    /** As Ctrl-S does, or noise on the line, on a terminal that heeds it. */
    async stop() {
      await Bun.spawn(["stty", "-F", path, "ixon"]).exited;
      terminal.write("\x13");
      await Bun.sleep(100);
    },
    goOn: () => void terminal.write("\x11"),
    close() {
      holder.kill("SIGKILL");
      terminal.close();
    },
  };
}

async function settings(path: string): Promise<string> {
  const stty = Bun.spawn(["stty", "-F", path, "-a"], { stdout: "pipe" });
  return new Response(stty.stdout).text();
}

test("a secret is not shown, the next answer is", async () => {
  const terminal = await openTerminal();
  try {
    const consoles = openConsoles([terminal.name]);
    const secret = consoles.askSecret("password?");
    await terminal.until(/password\?/);
    assert.is(await terminal.hasEcho(), false);
    await terminal.type("hidden words\r");
    assert.is(await secret, "hidden words");
    assert.is(await terminal.hasEcho(), false);

    const open = consoles.ask("number?");
    await terminal.until(/number\?/);
    assert.is(await terminal.hasEcho(), true);
    await terminal.type("17\r");
    assert.is(await open, "17");
    await terminal.until(/17/);
    assert.not.match(terminal.shown(), /hidden|words/);
  } finally {
    terminal.close();
  }
});

test("a process that is ended while it asks leaves a terminal that shows what is typed", async () => {
  const terminal = await openTerminal();
  try {
    const source = new URL("../../src/ui/consoles.ts", import.meta.url).pathname;
    const program = `import { openConsoles } from ${JSON.stringify(source)};
      await openConsoles([${JSON.stringify(terminal.name)}]).askSecret("password?");`;
    const child = Bun.spawn([process.execPath, "-e", program], {
      stdio: ["ignore", "ignore", "inherit"],
    });
    await terminal.until(/password\?/);
    assert.is(await terminal.hasEcho(), false);
    child.kill("SIGTERM");
    await child.exited;
    assert.is(child.signalCode, "SIGTERM");
    assert.is(await terminal.hasEcho(), true);
  } finally {
    terminal.close();
  }
});

test("a stopped terminal holds nobody up, and has every line when it goes on", async () => {
  const [stopped, other] = [await openTerminal(), await openTerminal()];
  try {
    const consoles = openConsoles([stopped.name, other.name]);
    // What openConsoles sets up by itself is over.
    await Bun.sleep(500);
    await stopped.stop();
    let turns = 0;
    const turn = setInterval(() => turns++, 100);
    const begun = performance.now();
    for (let line = 1; line <= 12; line++) {
      consoles.line(`line ${line} of the plan`);
      await Bun.sleep(50);
    }
    const tookMs = performance.now() - begun;
    clearInterval(turn);
    assert.ok(tookMs < 3000, `12 lines took ${tookMs} ms`);
    assert.ok(turns >= 3, `${turns} turns in ${tookMs} ms`);
    await other.until(/line 12 of the plan/);
    assert.not.match(stopped.shown(), /line 1 of/);
    stopped.goOn();
    await stopped.until(/line 1 of [^]*line 2 of [^]*line 12 of the plan/);
  } finally {
    stopped.close();
    other.close();
  }
});

test("a question is asked while a terminal is stopped, and answered on another", async () => {
  const [stopped, other] = [await openTerminal(), await openTerminal()];
  try {
    const consoles = openConsoles([stopped.name, other.name]);
    await Bun.sleep(500);
    await stopped.stop();
    const answer = consoles.ask("number?");
    await other.until(/number\?/);
    await Bun.sleep(3000);
    await other.type("4\r");
    assert.is(await answer, "4");
  } finally {
    stopped.close();
    other.close();
  }
});

test("a plain console does not heed a Ctrl-S", async () => {
  const terminal = await openTerminal();
  try {
    const consoles = openConsoles([terminal.name]);
    for (let tries = 0; !/ -ixon[ ;]/.test(await settings(terminal.path)); tries++) {
      if (tries > 100) throw new Error(await settings(terminal.path));
      await Bun.sleep(50);
    }
    await terminal.type("\x13");
    consoles.line("it goes on");
    await terminal.until(/it goes on/);
  } finally {
    terminal.close();
  }
});

test.run();

/*
 * Questions on a real terminal (a pseudo terminal of the kernel): what is typed as a secret is not shown,
 * and a terminal shows what is typed again afterwards, also when the process is ended.
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
      const stty = Bun.spawn(["stty", "-F", path, "-a"], { stdout: "pipe" });
      return !/ -echo[ ;]/.test(await new Response(stty.stdout).text());
    },
    close() {
      holder.kill("SIGKILL");
      terminal.close();
    },
  };
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

test.run();

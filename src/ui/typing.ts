/*
 * How a terminal takes what is typed: whether it can be seen there, and whether a Ctrl-S stops the output. stty does
 * it: there is no other way to a terminal's settings without code of our own for the kernel's structures.
 */

/** A terminal that does not answer must not keep the others waiting. */
const LONGEST_MS = 10_000;

/**
 * Resolves when the terminal has sent all that it was given and has the setting. A terminal that fails,
 * such as a console without hardware behind it, is left as it is.
 */
export async function setEcho(path: string, isOn: boolean): Promise<void> {
  await set(words(path, isOn));
}

/**
 * A Ctrl-S, which noise on a line is too, does not stop the output, and what it has stopped goes on: for that it
 * is not waited until the output has been sent.
 */
export async function ignoreStops(path: string): Promise<void> {
  await set(["stty", "-F", path, "-drain", "-ixon"]);
}

async function set(argv: string[]): Promise<void> {
  const stty = Bun.spawn(argv, { stdio: ["ignore", "ignore", "ignore"] });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => (timer = setTimeout(resolve, LONGEST_MS)));
  await Promise.race([stty.exited, late]);
  clearTimeout(timer);
  stty.kill("SIGKILL");
}

/** The same for a process that ends now and cannot wait for promises. */
export function showTypingNow(paths: readonly string[]): void {
  for (const path of paths) {
    Bun.spawnSync(words(path, true), {
      stdio: ["ignore", "ignore", "ignore"],
      timeout: LONGEST_MS,
      killSignal: "SIGKILL",
    });
  }
}

function words(path: string, isOn: boolean): string[] {
  return ["stty", "-F", path, isOn ? "echo" : "-echo"];
}

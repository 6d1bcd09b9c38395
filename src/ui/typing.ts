/*
 * Whether what is typed on a terminal can be seen there. stty does it: there is no other way to a
 * terminal's settings without code of our own for the kernel's structures.
 */

/** A terminal that does not answer must not keep the others waiting. */
const LONGEST_MS = 10_000;

/**
 * Resolves when the terminal has sent all that it was given and has the setting. A terminal that fails,
 * such as a console without hardware behind it, is left as it is.
 */
export async function setEcho(path: string, isOn: boolean): Promise<void> {
  const stty = Bun.spawn(words(path, isOn), { stdio: ["ignore", "ignore", "ignore"] });
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

/*
 * Programs that the build calls: argv arrays, LC_ALL=C, no standard input, and a failure that shows
 * the command and the end of what it printed. Its output is quiet unless it fails.
 * Owns: starting and judging a program at build time (the agent has src/host for that).
 */
import { CommandError, EXIT, Refusal } from "../src/errors.ts";

export interface CommandOptions {
  readonly cwd?: string;
  /** Added to the environment; `undefined` takes a variable away. */
  readonly env?: Record<string, string | undefined>;
  readonly input?: string | Uint8Array<ArrayBuffer>;
}

/** Standard output as text. @throws CommandError if the program does not end with 0. */
export async function output(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  const child = Bun.spawn([...argv], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...process.env, LC_ALL: "C", LANG: undefined, ...options.env },
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0) {
    const said = (stderr.trim() === "" ? stdout : stderr).trim().split("\n").slice(-30).join("\n");
    const outcome =
      child.signalCode === null
        ? ({ kind: "exit", code } as const)
        : ({ kind: "signal", signal: String(child.signalCode) } as const);
    const error = new CommandError(argv, outcome, said);
    error.message = `${argv.slice(0, 12).join(" ")} …: ${error.message}\n${said}`;
    throw error;
  }
  return stdout;
}

/** For its effect only. @throws CommandError if the program does not end with 0. */
export async function run(argv: readonly string[], options: CommandOptions = {}): Promise<void> {
  await output(argv, options);
}

/** One line on standard error saying what is being done, with the seconds it took. */
export async function told<T>(what: string, work: () => Promise<T>): Promise<T> {
  const start = performance.now();
  console.error(`build: ${what} …`);
  const result = await work();
  console.error(`build: ${what}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

/** For build programs: a refusal is told with its hint, a failed command with what it said. */
export async function asProgram(main: () => Promise<void>): Promise<void> {
  try {
    await main();
  } catch (error) {
    if (error instanceof Refusal) {
      console.error(`build: ${error.message}${error.hint === "" ? "" : `\n  ${error.hint}`}`);
      process.exit(EXIT.refused);
    }
    if (!(error instanceof CommandError)) throw error;
    console.error(`build: ${error.message}`);
    process.exit(EXIT.failed);
  }
}

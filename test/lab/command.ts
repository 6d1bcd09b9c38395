/*
 * Calling the host's own tools (qemu-img, sfdisk, mkfs.ext4, …) from the tests: argv arrays, LC_ALL=C,
 * standard input closed unless given, a non-zero exit is an error with the end of stderr.
 * Owns: one function. Must not know what the tools are for.
 */

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Exit codes that are no failure. */
  readonly accept?: readonly number[];
}

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

/** @throws Error naming the command, its exit code and the end of its stderr. */
export async function command(
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutput> {
  const child = Bun.spawn([...argv], {
    stdin: options.input === undefined ? "ignore" : Buffer.from(options.input),
    stdout: "pipe",
    stderr: "pipe",
    env: {
      ...process.env,
      LC_ALL: "C",
      PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin`,
      ...options.environment,
    },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (code !== 0 && !(options.accept ?? []).includes(code)) {
    throw new Error(`${argv.join(" ")}\nended with ${code}: ${(stderr || stdout).slice(-2000)}`);
  }
  return { stdout, stderr, code };
}

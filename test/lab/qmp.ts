/*
 * QEMU's machine protocol: one JSON object a line over a unix socket.
 * Owns: connecting, one command at a time with its answer. Events are dropped.
 */
import { connect, type Socket } from "node:net";

export interface Qmp {
  execute(name: string, parameters?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** A line of the human monitor (`savevm before-copy`), and its answer. */
  monitor(line: string): Promise<string>;
  close(): void;
}

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
  readonly event?: string;
  readonly QMP?: unknown;
}

/** Tries until QEMU has made its socket. @throws Error after 20 seconds. */
export async function openQmp(path: string): Promise<Qmp> {
  const socket = await connectSoon(path, Date.now() + 20_000);
  const waiting: ((answer: Answer) => void)[] = [];
  let rest = "";
  socket.on("data", (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const answer = JSON.parse(line) as Answer;
      if (answer.event === undefined && answer.QMP === undefined) waiting.shift()?.(answer);
    }
  });
  socket.on("error", () => socket.destroy());
  socket.on("close", () => {
    for (const done of waiting.splice(0)) done({ error: { desc: "QEMU has ended" } });
  });

  async function execute(
    name: string,
    parameters: Readonly<Record<string, unknown>> = {},
  ): Promise<unknown> {
    if (socket.destroyed) throw new Error(`QMP ${name}: QEMU has ended`);
    const { promise, resolve } = Promise.withResolvers<Answer>();
    waiting.push(resolve);
    socket.write(JSON.stringify({ execute: name, arguments: parameters }) + "\n");
    const answer = await promise;
    if (answer.error) throw new Error(`QMP ${name}: ${answer.error.desc}`);
    return answer.return;
  }

  await execute("qmp_capabilities");
  return {
    execute,
    monitor: async (line) =>
      String(await execute("human-monitor-command", { "command-line": line })),
    close: () => socket.destroy(),
  };
}

async function connectSoon(path: string, until: number): Promise<Socket> {
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = connect({ path });
    socket.once("connect", () => resolve(socket));
    socket.once("error", reject);
    try {
      return await promise;
    } catch (error) {
      socket.destroy();
      if (Date.now() > until) throw error;
      await Bun.sleep(50);
    }
  }
}

/*
 * A terminal at the end of a virtual machine's serial line: one in software that shows what a person would see,
 * answers when it is asked where its cursor is, and counts the bytes that came.
 * Owns: the terminal; its machine is started by the scenario.
 */
import { Terminal } from "@xterm/headless";
import type { Machine } from "./machine.ts";
import type { Key, Screen } from "./screen.ts";

const SEQUENCES: Readonly<Record<Key, string>> = {
  ...{ enter: "\r", escape: "\x1b", up: "\x1b[A", down: "\x1b[B", tab: "\t" },
  ...{ "page-up": "\x1b[5~", "page-down": "\x1b[6~" },
};

export interface SerialTerminal {
  /** For MachineOptions.onOutput. */
  readonly onOutput: (chunk: Uint8Array) => void;
  /** Bytes that came so far. */
  bytes(): number;
  /** Turned off and on again: an empty screen in its first state. */
  reset(): void;
  /** Connects it. */
  screen(machine: Machine): Screen;
}

export function serialTerminal(columns = 80, rows = 25): SerialTerminal {
  const terminal = new Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 0 });
  let bytes = 0;
  let answer: (text: string) => void = () => undefined;
  terminal.onData((text) => answer(text));
  return {
    onOutput(chunk) {
      bytes += chunk.length;
      terminal.write(chunk);
    },
    bytes: () => bytes,
    reset: () => terminal.reset(),
    screen(machine) {
      answer = machine.send;
      const read = async () => {
        // What was written before is on the screen when this has been written.
        await new Promise<void>((resolve) => terminal.write("", resolve));
        const { active } = terminal.buffer;
        return Array.from({ length: rows }, (_, row) =>
          (active.getLine(active.baseY + row)?.translateToString(true) ?? "").trimEnd(),
        );
      };
      return {
        read,
        press: async (key) => machine.send(SEQUENCES[key]),
        type: async (text) => machine.send(text),
      };
    },
  };
}

/*
 * A terminal that keeps its size and answers nothing: what is sent to it goes to `write`.
 */
import type { Abilities, Terminal } from "../../src/ui/screen/terminal.ts";

interface Size {
  readonly columns: number;
  readonly rows: number;
}

export function fakeTerminal(
  abilities: Abilities,
  size: Size,
  write: (text: string) => void,
  onData: Terminal["onData"] = () => undefined,
): Terminal {
  return {
    ...{ name: "file", abilities, isAnswered: true, write, onData },
    size: () => size,
    pending: () => 0,
    onResize: () => undefined,
    askSize: () => undefined,
    drain: async () => undefined,
    close: () => undefined,
  };
}

/*
 * What a person can choose at the console. Owns: the words, their order on the screen.
 */
import type { Operation } from "../model/operation.ts";

export type Choice =
  | Operation
  | "again"
  | "anew"
  | "test-again"
  | "menu"
  | "golden"
  | "plan"
  | "log"
  | "report"
  | "look"
  | "reboot"
  | "poweroff"
  | "back";

const ORDER: readonly Choice[] = [
  ...([
    "again",
    "anew",
    "test-again",
    "menu",
    "default",
    "latest",
    "repair",
    "test",
    "golden",
  ] as const),
  ...(["plan", "log", "report", "look", "reboot", "poweroff", "back"] as const),
];

/** As they stand on every console, and are numbered from 1. */
export function ordered<C extends Choice>(choices: readonly C[]): C[] {
  return choices.toSorted((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
}

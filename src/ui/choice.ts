/*
 * What a person can choose at the console. Owns: the words, their order on the screen.
 */
import type { Operation } from "../model/operation.ts";

export type Choice =
  | Operation
  | "again"
  | "anew"
  | "menu"
  | "plan"
  | "log"
  | "report"
  | "look"
  | "reboot"
  | "poweroff"
  | "back";

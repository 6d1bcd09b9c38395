/*
 * The words that terminal, CSV and page share: spans, moments, counts. Total: any number that a report may hold
 * has a word. Pure.
 */
import { isMoment } from "../model/text.ts";

/** `45 s`, `3 min 20 s`, `1 h 02 min`. */
export function printSpan(seconds: number): string {
  const whole = Math.round(seconds);
  if (!(whole >= 0 && whole < 1e9)) return "no sensible time";
  if (whole < 60) return `${whole} s`;
  const two = (number: number) => String(number).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}

/** `2026-11-25 03:00`, UTC; "" where no clock can have said so. */
export function printMoment(seconds: number): string {
  return isMoment(seconds) ? isoMoment(seconds).slice(0, 16).replace("T", " ") : "";
}

/** `2026-11-25T03:00:00Z`, or "". */
export function isoMoment(seconds: number): string {
  return isMoment(seconds) ? `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z` : "";
}

/** `1 box`, `3 boxes`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

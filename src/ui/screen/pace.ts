/*
 * How often the screen may be drawn while a recovery goes on: a line of 9600 baud carries 960 bytes a second, and
 * the moving bar gets 400 of them on average. What a key asks for is drawn at once. Pure.
 */

export const BYTES_PER_SECOND = 300;
/** More often than this no eye needs. */
const LEAST_MS = 500;

const MOST_ASKED_MS = 1000;

export interface Pace {
  /** Before this time, in milliseconds of any clock, nothing is drawn that nobody asked for. */
  readonly freeAt: number;
}

export const FRESH: Pace = { freeAt: 0 };

/**
 * After a drawing of so many bytes. `asked`: for a key or a new scene; a person who looks through the screens
 * must not wait for the bar afterwards.
 */
export function afterDrawing(pace: Pace, now: number, bytes: number, asked = false): Pace {
  const cost = Math.max(LEAST_MS, (bytes * 1000) / BYTES_PER_SECOND);
  if (asked) return { freeAt: Math.max(pace.freeAt, now + Math.min(cost, MOST_ASKED_MS)) };
  return { freeAt: Math.max(now, pace.freeAt) + cost };
}

/** Milliseconds to wait; 0: now. */
export function waitFor(pace: Pace, now: number): number {
  return Math.max(0, Math.ceil(pace.freeAt - now));
}

/*
 * rsync's progress line (`--info=progress2`), and nothing else of rsync.
 */

/** Bytes so far from a line like `  123,456,789  45%  10.00MB/s  0:00:05`, or undefined. */
export function parseRsyncProgress(line: string): number | undefined {
  const match = /^\s*([\d,]+)\s+\d+%\s/.exec(line);
  return match?.[1] === undefined ? undefined : Number(match[1].replaceAll(",", ""));
}

/*
 * What only root can try. A test that passes without having looked is none.
 */

/** @throws Error for anybody else, so that no test of the file passes. */
export function needRoot(): void {
  if (process.getuid?.() !== 0) throw new Error("these tests need root: sudo npm run test:host");
}

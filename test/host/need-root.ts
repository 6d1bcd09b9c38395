/*
 * For files of tests that only root can run, called before the first of them: a test that passes without having looked is
 * none. uvu tells nothing of what a hook throws, so it is no hook.
 */

/** @throws Error */
export function needRoot(): void {
  if (process.getuid?.() !== 0) throw new Error("these tests need root: sudo npm run test:host");
}

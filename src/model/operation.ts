/*
 * What a recovery does. Owns: the words, as they stand behind `zshield_recovery=`, in state/ and in plans.
 */

/**
 * `default`: a new root from golden. `latest`: the last backup is put back. `repair`: what a power cut in
 * the running system may have left (volumes being changed, the boot loader) is put in order; loses nothing.
 * `test`: the factory tests; what is installed stays as it is.
 */
export const OPERATIONS = ["default", "latest", "repair", "test"] as const;
export type Operation = (typeof OPERATIONS)[number];

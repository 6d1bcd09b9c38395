/*
 * The names of our volumes. One home for each.
 */

export const ROOT = "lv-root";
export const NEW_ROOT = "lv-root-new";
export const OLD_ROOT = "lv-root-old";
export const USER = "lv-user";
export const AUDIT = "lv-audit";
export const BACKUP = "snap0";
/** A backup that is being taken while the last one is still there; then it gets its name. */
export const NEW_BACKUP = "snap0-new";

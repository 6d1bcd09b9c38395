/*
 * Where a recovery mounts what it works with, and what it leaves for others. One home for each path.
 */
export const AT = {
  golden: "/run/zshield/golden",
  card: "/run/zshield/card",
  esp: "/run/zshield/esp",
  root: "/run/zshield/root",
  /** While the factory tests run; the audit volume for the report of every recovery. */
  user: "/run/zshield/user",
  audit: "/run/zshield/audit",
  stick: "/run/zshield/stick",
  /** The description of the card that is in the machine. */
  cardDescription: "/run/zshield/card/zshield/card.json",
  groupCopy: "/run/zshield/esp/state/group",
  /** What begins so is mounted for one look only. */
  look: "/run/zshield/look-",
  goldenDevice: "/dev/mapper/zshield-golden",
} as const;

/** Below a root: the vendor's factory tests. */
export const VENDOR_TESTS = "usr/lib/zshield/factory-tests.d";

/** The ZSHIELD-RESULT line of the last recovery in this boot; dracut/50zshield/stopped.sh reads it too. */
export const RESULT_FILE = "/run/zshield/result";

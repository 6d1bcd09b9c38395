/*
 * Entries in the journal of the running system, through logger(1). Never throws: a full or dead journal is
 * no reason to leave the backup undone.
 */
import { query } from "./command.ts";

/** The syslog level of systemd's journal. */
export const LEVEL = { critical: "2", warning: "4", notice: "5", info: "6" } as const;

export const IDENTIFIER = "zshield-backup";

/** One entry; what is not a field of the journal's own must be in capitals. */
export async function writeJournal(fields: Readonly<Record<string, string>>): Promise<void> {
  // A line break would begin a new field.
  const lines = Object.entries(fields).map(
    ([name, value]) => `${name}=${value.replaceAll(/[\r\n]+/g, " ")}`,
  );
  await query(["logger", "--journald"], {
    stdin: `${lines.join("\n")}\n`,
    timeoutMs: 10_000,
  }).catch(() => "");
}

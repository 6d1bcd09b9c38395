/*
 * An apt that knows nothing of this machine's: one suite of Debian with its updates, no package installed. Owns: its
 * directories, sources and lists.
 */
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { keepFile } from "./cache.ts";
import { run } from "./command.ts";
import { type Mirrors, readMirrors } from "./debian-mirror.ts";

export interface Choice {
  readonly suite: string;
  /** `main`, or more of them. */
  readonly components: string;
}

/** Lines of a sources.list. */
export function sourcesOf({ keyring, uri }: Mirrors, { suite, components }: Choice): string[] {
  return [
    [uri.debian, suite],
    [uri.debian, `${suite}-updates`],
    [uri["debian-security"], `${suite}-security`],
  ].map(([from, name]) => `deb [arch=amd64 signed-by=${keyring}] ${from} ${name} ${components}`);
}

/** With lists of the day. Returns the file for APT_CONFIG, which is there only once the lists are. */
export async function makeOwnApt(directory: string, choice: Choice): Promise<string> {
  for (const made of [
    "state/lists/partial",
    "cache/archives/partial",
    "etc/apt.conf.d",
    "etc/preferences.d",
  ]) {
    await mkdir(path.join(directory, made), { recursive: true });
  }
  const lines = sourcesOf(await readMirrors(), choice);
  await writeFile(path.join(directory, "etc/sources.list"), `${lines.join("\n")}\n`);
  await writeFile(path.join(directory, "state/status"), "");
  const file = path.join(directory, "apt.conf");
  const making = `${file}.part`;
  await writeFile(
    making,
    [
      `Dir "${directory}";`,
      'Dir::State "state";',
      `Dir::State::status "${directory}/state/status";`,
      'Dir::Cache "cache";',
      'Dir::Etc "etc";',
      'APT::Architecture "amd64";',
      'APT::Architectures { "amd64"; };',
      'APT::Install-Recommends "false";',
      'APT::Sandbox::User "root";',
      'Acquire::Languages "none";',
      'Acquire::GzipIndexes "false";',
      "",
    ].join("\n"),
  );
  await run(["apt-get", "--quiet", "update", "--error-on=any"], { env: { APT_CONFIG: making } });
  await keepFile(making, file);
  return file;
}

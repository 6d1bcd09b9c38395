/*
 * The Debian mirror that this machine uses, and fetching locked packages from it through apt's own
 * downloader (so apt's proxies and certificates apply). Owns: the cache of .deb files. No mirror's
 * name stands in the sources: they come from the machine's apt, from ZSHIELD_DEBIAN_MIRROR and
 * ZSHIELD_SECURITY_MIRROR, or from what mmdebstrap itself takes where neither says anything.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import { Refusal } from "../src/errors.ts";
import { keepFile } from "./cache.ts";
import { output } from "./command.ts";
import type { LockedPackage } from "./debian-lock.ts";

export type Archive = "debian" | "debian-security";

export interface Mirrors {
  /** Without a slash at the end. */
  readonly uri: Readonly<Record<Archive, string>>;
  readonly keyring: string;
}

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

export async function readMirrors(): Promise<Mirrors> {
  const format = "$(REPO_URI) $(ORIGIN) $(CODENAME)";
  const targets = await output([
    "apt-get",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const lines = targets.split("\n").map((line) => line.split(" "));
  const ofMachine = (pattern: RegExp) =>
    lines.find(([, origin, codename]) => origin === "Debian" && pattern.test(codename ?? ""))?.[0];
  const mmdebstrap = existsSync("/usr/bin/mmdebstrap")
    ? await Bun.file("/usr/bin/mmdebstrap").text()
    : "";
  const uri = {
    debian:
      process.env.ZSHIELD_DEBIAN_MIRROR ??
      ofMachine(/^[a-z]+$/) ??
      /https?:\/\/[a-z0-9.]+\/debian(?=["'])/.exec(mmdebstrap)?.[0],
    "debian-security":
      process.env.ZSHIELD_SECURITY_MIRROR ??
      ofMachine(/^[a-z]+-security$/) ??
      /https?:\/\/[a-z0-9.]+\/debian-security(?=["'])/.exec(mmdebstrap)?.[0],
  };
  if (!uri.debian || !uri["debian-security"]) {
    throw new Refusal(
      "this machine's apt knows no Debian mirror",
      "name one: ZSHIELD_DEBIAN_MIRROR=http://…/debian ZSHIELD_SECURITY_MIRROR=http://…/debian-security",
    );
  }
  const bare = (address: string) => address.replace(/\/+$/, "");
  return {
    uri: { debian: bare(uri.debian), "debian-security": bare(uri["debian-security"]) },
    keyring: KEYRING,
  };
}

export function debPath(cache: string, entry: LockedPackage): string {
  return path.join(cache, `${entry.name}_${entry.sha256.slice(0, 16)}.deb`);
}

/** Fetches what the cache lacks. Returns the packages that the mirror no longer has. */
export async function fetchPackages(
  packages: readonly LockedPackage[],
  cache: string,
): Promise<LockedPackage[]> {
  await mkdir(cache, { recursive: true });
  const missing = packages.filter((entry) => !existsSync(debPath(cache, entry)));
  if (missing.length === 0) return [];
  const mirrors = await readMirrors();
  const megabytes = missing.reduce((sum, entry) => sum + entry.sizeBytes, 0) / 1e6;
  console.error(`build: fetching ${missing.length} Debian packages, ${megabytes.toFixed(0)} MB`);
  for (let at = 0; at < missing.length; at += 50) {
    const batch = missing.slice(at, at + 50);
    const argv = ["/usr/lib/apt/apt-helper", "download-file"];
    for (const entry of batch) {
      const address = `${mirrors.uri[entry.archive]}/${encodeURI(entry.path)}`;
      argv.push(address, partial(cache, entry), `SHA256:${entry.sha256}`);
    }
    // A batch with a file that is gone fails as a whole; what came is judged below, file by file.
    await output(argv).catch(() => undefined);
    for (const entry of batch) await keep(cache, entry);
  }
  return missing.filter((entry) => !existsSync(debPath(cache, entry)));
}

function partial(cache: string, entry: LockedPackage): string {
  return `${debPath(cache, entry)}.${process.pid}.part`;
}

async function keep(cache: string, entry: LockedPackage): Promise<void> {
  const from = partial(cache, entry);
  if (!existsSync(from)) return;
  const right =
    (await stat(from)).size === entry.sizeBytes &&
    new Bun.CryptoHasher("sha256").update(await Bun.file(from).bytes()).digest("hex") ===
      entry.sha256;
  if (!right) return rm(from, { force: true });
  await chmod(from, 0o644);
  await keepFile(from, debPath(cache, entry));
}

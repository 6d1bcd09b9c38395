/*
 * What a device does at each start for its packages, done once in a new root, by this machine's own programs; nothing that a
 * package holds is run. A package's links could lead these programs out of the root: systemd-sysusers joins paths as text. So it is
 * told the users, and where it writes lies no link (reserved.ts); ldconfig changes its root before it looks.
 * Owns: these programs, and that nothing but their result stays.
 */
import { readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname } from "node:path";
import { messageOf, Refusal } from "../errors.ts";
import { findTool, query, run } from "../host/command.ts";
import { readSmallFile } from "../host/new-file.ts";
import type { Laid } from "./layers.ts";
import { CACHE_FILE, USER_FILES } from "./reserved.ts";

type Places = ReadonlyMap<string, Laid>;

const MADE = [...USER_FILES, CACHE_FILE];

/** Of a root that holds `places` and nothing else. Returns what was done. @throws Refusal */
export async function settle(root: string, places: Places, epoch: number): Promise<string[]> {
  const done = [...(await makeUsers(root, places, epoch)), ...(await makeCache(root, places))];
  // Copies of what was there before, locks, and a cache that tells of this machine's inodes.
  dropOthers(root, "", new Set([...places.keys(), ...MADE]));
  return done;
}

async function makeUsers(root: string, places: Places, epoch: number): Promise<string[]> {
  const files = sysusersFiles(places);
  const read = files.filter(({ entry }) => entry.type === "file");
  const others = files.filter(({ entry }) => entry.type !== "file" && entry.target !== "/dev/null");
  const told = others.map(({ path, entry }) => `${path} is a ${entry.type} and not read`);
  if (read.length === 0) return told;
  if (!findTool("systemd-sysusers")) {
    throw new Refusal(
      "the packages name users, and this machine has no systemd-sysusers that makes them",
      "install systemd, or systemd-standalone-sysusers",
    );
  }
  const texts = await Promise.all(read.map(({ path }) => readSmallFile(root + path)));
  const program = "systemd-sysusers";
  const argv = ["env", `SOURCE_DATE_EPOCH=${epoch}`, program, `--root=${root}`, "-"];
  await settled(program, argv, `see what stands in ${read.map(({ path }) => path).join(", ")}`, {
    stdin: texts.map((text) => `${text}\n`).join(""),
  });
  return [...told, "users and groups: systemd-sysusers"];
}

const SYSUSERS = ["/etc", "/run", "/usr/local/lib", "/usr/lib"].map((path) => `${path}/sysusers.d`);

/** As systemd takes them: of one name that in the first directory, in the order of the names. */
function sysusersFiles(places: Places): Laid[] {
  const found = new Map<string, Laid>();
  for (const directory of SYSUSERS) {
    for (const laid of places.values()) {
      const name = basename(laid.path);
      if (dirname(laid.path) !== directory || !name.endsWith(".conf") || found.has(name)) continue;
      found.set(name, laid);
    }
  }
  return [...found.keys()].sort().flatMap((name) => found.get(name) ?? []);
}

/** A package's own cache gives way only to one that holds something. */
async function makeCache(root: string, places: Places): Promise<string[]> {
  if (!places.has("/etc/ld.so.conf")) return [];
  const made = `${CACHE_FILE}.zshield`;
  // -X: no links, as systemd's ldconfig.service does it.
  await settled(
    "ldconfig",
    ["ldconfig", "-X", "-C", made, "-r", root],
    "see what the packages hold",
  );
  // It passes over the libraries of another architecture, and ends with 0.
  if (/^0 libs? found/.test(await query(["ldconfig", "-p", "-C", root + made]))) {
    return ["NO cache of the loader: this machine's ldconfig finds no library of its own kind"];
  }
  renameSync(root + made, root + CACHE_FILE);
  return ["cache of the loader: ldconfig"];
}

/** @throws Refusal with what the program said */
async function settled(
  program: string,
  argv: readonly string[],
  hint: string,
  options: { readonly stdin?: string } = {},
): Promise<void> {
  await run(argv, options).catch((error: unknown) => {
    const said = (error as { stderrTail?: string }).stderrTail?.trim() ?? "";
    throw new Refusal(`${program} in the new root: ${said === "" ? messageOf(error) : said}`, hint);
  });
}

/** Goes through directories only, never through a link. */
function dropOthers(root: string, directory: string, kept: ReadonlySet<string>): void {
  for (const entry of readdirSync(root + directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (!kept.has(path)) rmSync(root + path, { recursive: true });
    else if (entry.isDirectory()) dropOthers(root, path, kept);
  }
}

/*
 * zshield.toml: the one description of the disk layout, baked into the card.
 * Owns: schema, defaults, and the checks that need no machine (does the layout fit the smallest disk?).
 * No I/O: the text comes in as an argument.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { parseDiskSelector } from "./cmdline.ts";
import { parseDocument } from "./document.ts";
import { faultOfGrubHash, faultOfHash } from "./password.ts";
import { KIB, MIB, parseSize, printSize, sizeOn, type Size } from "./size.ts";

/** Where the volume group begins: behind the BIOS boot partition and the ESP. */
export const GROUP_START_BYTES = 514 * MIB;
export const EXTENT_BYTES = 4 * MIB;
/** LVM's metadata at the start and GPT's backup at the end of the disk. */
export const GROUP_OVERHEAD_BYTES = 2 * EXTENT_BYTES;

const DEFAULT_CHUNK = "64 KiB";

const SizeText = v.pipe(
  v.string('must be a text like "100 GiB" or "20 %"'),
  v.rawTransform<string, Size>(({ dataset, addIssue, NEVER }) => {
    const size = parseSize(dataset.value);
    if (typeof size !== "string") return size;
    addIssue({ message: size });
    return NEVER;
  }),
);

/** What LVM takes as a snapshot's chunk. */
const ChunkText = v.pipe(
  v.string('must be a text like "64 KiB"'),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const size = parseSize(dataset.value);
    const bytes = typeof size !== "string" && "bytes" in size ? size.bytes : 0;
    const isPower = Number.isInteger(Math.log2(bytes / KIB));
    if (isPower && bytes >= 4 * KIB && bytes <= 512 * KIB) return bytes;
    addIssue({ message: `"${dataset.value}" must be 4, 8, 16, 32, 64, 128, 256 or 512 KiB` });
    return NEVER;
  }),
);

const HoursText = v.pipe(
  v.string('must be a text like "36 h"'),
  v.regex(/^[1-9]\d{0,3} h$/, 'must be whole hours, like "36 h"'),
  v.transform((text) => Number(text.slice(0, -2)) * 3600),
);

/** A number of bytes; shares have no whole here. */
const BytesText = v.pipe(
  v.string('must be a text like "2 GiB"'),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const size = parseSize(dataset.value);
    if (typeof size !== "string" && "bytes" in size) return size.bytes;
    addIssue({ message: typeof size === "string" ? size : "must be a size in bytes, not a share" });
    return NEVER;
  }),
);

/** A day, as the second since 1970 that it begins with. */
const DayText = v.pipe(
  v.string('must be a day in quotes, like "2026-01-01"'),
  v.rawTransform<string, number>(({ dataset, addIssue, NEVER }) => {
    const time = Date.parse(`${dataset.value}T00:00:00Z`);
    const isDay = !Number.isNaN(time) && new Date(time).toISOString().startsWith(dataset.value);
    if (isDay && time >= 0 && dataset.value.length === 10) return time / 1000;
    addIssue({ message: 'must be a day like "2026-01-01"' });
    return NEVER;
  }),
);

const whole = (least: number, most: number) =>
  v.pipe(
    v.number("must be a number"),
    v.integer("must be a whole number"),
    v.minValue(least, `must be ${least} to ${most}`),
    v.maxValue(most, `must be ${least} to ${most}`),
  );

const VolumeName = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9_-]{0,63}$/, "must be small letters, digits, - and _, a letter first"),
  v.check(
    (name) => !/^snap|_(tdata|tmeta|mimage|rimage)|-new$|-old$/.test(name),
    "is kept for zshield or LVM itself",
  ),
);

const MountPoint = v.pipe(
  v.string(),
  v.regex(
    /^\/[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/,
    "must be an absolute path of plain characters",
  ),
  v.check(
    (path) => !path.split("/").some((part) => part === "." || part === ".."),
    "must not hold . or ..",
  ),
  v.check(
    (path) => !/^\/(bin|boot|dev|etc|lib|lib64|proc|run|sbin|sys|usr)(\/|$)/.test(path),
    "would hide a part of the system",
  ),
);

/** A hash that `faultOf` takes, or "" for none. No message repeats what was given: it may be a password. */
const hash = (faultOf: (text: string) => string | undefined) =>
  v.optional(
    v.pipe(
      v.string("must be a hash in quotes"),
      v.rawCheck(({ dataset, addIssue }) => {
        if (!dataset.typed || dataset.value === "") return;
        const fault = faultOf(dataset.value);
        if (fault !== undefined) addIssue({ message: fault });
      }),
    ),
    "",
  );

const volume = (size: string, mount: string) =>
  v.optional(
    v.strictObject({
      size: v.optional(SizeText, size),
      "at-most": v.optional(SizeText, "100 %"),
      mount: v.optional(MountPoint, mount),
      "file-system": v.optional(v.literal("ext4"), "ext4"),
    }),
    {},
  );

const ConfigSchema = v.strictObject({
  disk: v.optional(
    v.strictObject({
      /** Which disk, as `zshield.disk=`; empty: the only one that fits. */
      select: v.optional(
        v.pipe(
          v.string(),
          v.rawCheck(({ dataset, addIssue }) => {
            if (!dataset.typed || dataset.value === "") return;
            const selector = parseDiskSelector(dataset.value);
            if (typeof selector === "string") addIssue({ message: selector });
          }),
        ),
        "",
      ),
      /** Smaller disks are no candidates. */
      smallest: v.optional(SizeText, "16 GiB"),
    }),
    {},
  ),
  group: v.optional(v.strictObject({ name: v.optional(VolumeName, "vgroup") }), {}),
  volume: v.optional(
    v.strictObject({
      root: v.optional(
        v.strictObject({
          size: v.optional(SizeText, "100 GiB"),
          "at-most": v.optional(SizeText, "20 %"),
          "file-system": v.optional(v.literal("ext4"), "ext4"),
        }),
        {},
      ),
      user: volume("20 %", "/user"),
      audit: volume("10 %", "/audit"),
    }),
    {},
  ),
  backup: v.optional(
    v.strictObject({
      /** Of root, where a backup as large as root does not fit. */
      share: v.optional(SizeText, "20 %"),
      /** Bytes. */
      chunk: v.optional(ChunkText, DEFAULT_CHUNK),
      /** Seconds. */
      "alarm-after": v.optional(HoursText, "36 h"),
      "hook-seconds": v.optional(
        v.pipe(
          v.number("must be a number of seconds"),
          v.integer("must be whole seconds"),
          v.minValue(1, "must be 1 to 3600"),
          v.maxValue(3600, "must be 1 to 3600"),
        ),
        60,
      ),
      "before-upgrades": v.optional(v.boolean("must be true or false"), true),
      "upgrades-need-backup": v.optional(v.boolean("must be true or false"), true),
    }),
    {},
  ),
  recovery: v.optional(
    v.strictObject({
      /** What follows a recovery where the command line does not say. */
      then: v.optional(v.picklist(["reboot", "poweroff", "halt"]), "reboot"),
    }),
    {},
  ),
  /** Without this table no factory tests are run; what a key expects, it requires. */
  factory: v.optional(
    v.strictObject({
      /** What follows a PASS where the command line does not say. */
      then: v.optional(v.picklist(["poweroff", "reboot", "halt"]), "poweroff"),
      /** Bytes, at least. */
      memory: v.optional(BytesText),
      processors: v.optional(whole(1, 4096)),
      "processor-flags": v.optional(
        v.array(
          v.pipe(v.string(), v.regex(/^[a-z0-9_]+$/, "must be flags as /proc/cpuinfo has them")),
        ),
        [],
      ),
      "network-ports": v.optional(whole(0, 256)),
      "network-links": v.optional(whole(0, 256)),
      "disk-model": v.optional(v.pipe(v.string(), v.nonEmpty("must not be empty"))),
      /** Bytes, at least. */
      "disk-size": v.optional(BytesText),
      smart: v.optional(v.boolean("must be true or false"), false),
      /** Bytes a second, at least. */
      "read-rate": v.optional(BytesText),
      "write-rate": v.optional(BytesText),
      /** Seconds since 1970. */
      "clock-after": v.optional(DayText),
      watchdog: v.optional(v.boolean("must be true or false"), false),
      sensors: v.optional(
        v.array(
          v.pipe(
            v.strictObject({
              name: v.pipe(v.string(), v.nonEmpty("must not be empty")),
              least: v.number("must be a number"),
              most: v.number("must be a number"),
            }),
            v.check(({ least, most }) => least <= most, "least is more than most"),
          ),
        ),
        [],
      ),
      /** Time limit of each test of the vendor's. */
      "test-seconds": v.optional(whole(1, 86_400), 300),
    }),
  ),
  rescue: v.optional(
    v.strictObject({
      /** Of the password that the rescue system asks a person for; "": it asks for none. */
      "password-hash": hash(faultOfHash),
      /** GRUB's name for who may edit its entries, and the hash of their password; "": everybody may. */
      "grub-user": v.optional(
        v.pipe(
          v.string(),
          v.regex(
            /^[A-Za-z][A-Za-z0-9_-]{0,31}$/,
            "must be letters, digits, - and _, a letter first",
          ),
        ),
        "technician",
      ),
      "grub-password-hash": hash(faultOfGrubHash),
    }),
    {},
  ),
});

export type Config = v.InferOutput<typeof ConfigSchema>;
export type FactoryConfig = NonNullable<Config["factory"]>;

const NAME = "zshield.toml";

/** @throws Refusal with every fault and its path. Parsing of TOML is the caller's. */
export function checkConfig(value: unknown): Config {
  const config = parseDocument(
    ConfigSchema,
    value,
    NAME,
    "nothing was changed; correct the file and make the card anew",
  );
  const { smallest } = config.disk;
  if (!("bytes" in smallest)) {
    throw new Refusal(`${NAME}: disk.smallest: must be a size in bytes, not a share`);
  }
  const { "network-ports": ports, "network-links": links } = config.factory ?? {};
  if (links !== undefined && ports !== undefined && links > ports) {
    throw new Refusal(`${NAME}: factory.network-links: ${links} links on ${ports} ports`);
  }
  const faults = faultsOfLayout(config, smallest.bytes);
  if (faults.length > 0) {
    throw new Refusal(
      faults.map((fault) => `${NAME}: ${fault}`).join("\n"),
      `the smallest disk it allows has ${printSize(smallest.bytes)} (disk.smallest)`,
    );
  }
  return config;
}

/** Volume sizes in bytes, whole extents, on a disk of this size. */
export function volumeSizes(
  config: Config,
  diskBytes: number,
): { root: number; user: number; audit: number } {
  const size = ({ size, "at-most": most }: { size: Size; "at-most": Size }) =>
    Math.min(sizeOn(size, diskBytes, EXTENT_BYTES), sizeOn(most, diskBytes, EXTENT_BYTES));
  const { root, user, audit } = config.volume;
  return { root: size(root), user: size(user), audit: size(audit) };
}

/** Room for volumes on a disk of this size, in bytes. */
export function groupBytes(diskBytes: number): number {
  const bytes = diskBytes - GROUP_START_BYTES - GROUP_OVERHEAD_BYTES;
  return Math.max(0, Math.floor(bytes / EXTENT_BYTES) * EXTENT_BYTES);
}

/** Why the layout does not fit a disk of this size; no entries if it does. */
export function faultsOfLayout(config: Config, diskBytes: number): string[] {
  const sizes = volumeSizes(config, diskBytes);
  const faults: string[] = [];
  for (const [name, bytes] of Object.entries(sizes)) {
    if (bytes < 16 * MIB) {
      faults.push(
        `volume.${name}: is only ${printSize(bytes)} on a disk of ${printSize(diskBytes)}`,
      );
    }
  }
  const sum = sizes.root + sizes.user + sizes.audit;
  const room = groupBytes(diskBytes);
  // The first backup needs some room of its own, or the appliance starts life without one.
  const backup = Math.min(sizes.root, Math.max(64 * MIB, sizes.root / 10));
  if (sum + backup > room) {
    faults.push(
      `volume: root ${printSize(sizes.root)}, user ${printSize(sizes.user)} and audit ` +
        `${printSize(sizes.audit)} need ${printSize(sum)}, and the backup at least ` +
        `${printSize(backup)}; a disk of ${printSize(diskBytes)} has room for ${printSize(room)}`,
    );
  }
  const mounts = [config.volume.user.mount, config.volume.audit.mount];
  const [user = "", audit = ""] = mounts;
  if (user === audit || user.startsWith(`${audit}/`) || audit.startsWith(`${user}/`)) {
    faults.push(`volume: user and audit are mounted at ${user} and ${audit}, one inside the other`);
  }
  return faults;
}

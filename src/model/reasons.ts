/*
 * Why a factory test of ours has failed, in English: so it is recorded, reported and printed. Every parameter is a text, so that
 * ui/reasons-zh.ts can find out of which of these a recorded one is made, and say it in Chinese.
 * Owns: the texts, and how one is told from the others. No I/O.
 */

/** In the place of a parameter, where it is not known yet; so are both its ends. */
const UNKNOWN = "\u0001";
/** The `s` that only one of something lacks. */
const MAYBE_S = "\u0002";

function s(number: string): string {
  if (number === UNKNOWN) return MAYBE_S;
  return number === "1" ? "" : "s";
}

/** By the test that it belongs to: `rate` are both rates, `any` is every test, `vendor` what the vendor's share. */
export const REASONS = {
  // What has others in it is looked for first.
  "any.also-unkept": (what: string, trouble: string): string =>
    `${what} (what it printed could not be kept: ${trouble})`,
  "any.expected": (what: string): string => `${what}, and it is expected`,

  "memory.untold": (): string => "the kernel does not tell its memory",
  "memory.installed": (installed: string, wanted: string): string =>
    `${installed} of memory, not ${wanted}`,
  "memory.usable": (usable: string, wanted: string): string =>
    `${usable} of memory for the kernel, too little for ${wanted}`,
  "memory.lost": (installed: string, usable: string, wanted: string): string =>
    `${installed} installed, the kernel has ${usable}: too little for ${wanted}`,

  "processors.untold": (): string => "the kernel does not tell its processors",
  "processors.count": (found: string, wanted: string): string =>
    `${found} processor${s(found)}, not ${wanted}`,
  "processors.flags": (found: string, flags: string): string =>
    `${found} processor${s(found)} without ${flags}`,

  "network.none": (): string => "there are no network ports",
  "network.driverless": (what: string, cards: string): string =>
    `${what} (no driver in the rescue system for ${cards})`,
  "network.dark": (what: string, ports: string): string => `${what} (none at ${ports})`,
  "network.ports": (found: string, wanted: string): string =>
    `${found} network port${s(found)}, not ${wanted}`,
  "network.links": (linked: string, found: string, wanted: string): string =>
    `${linked} of ${found} network ports have a link, not ${wanted}`,

  "disk.model": (disk: string, wanted: string): string => `${disk}, not ${wanted}`,
  "disk.size": (disk: string, least: string): string => `${disk}, smaller than ${least}`,

  "smart.no-tool": (): string => "there is no smartctl to ask the disk with",
  "smart.untold": (): string => "the disk has no SMART health to tell",
  "smart.failing": (): string => "the disk says of itself that it is failing (SMART)",

  "rate.slow-read": (bytes: string, rate: string, least: string): string =>
    `${bytes} read at ${rate} a second, slower than ${least} a second`,
  "rate.slow-write": (bytes: string, rate: string, least: string): string =>
    `${bytes} written at ${rate} a second, slower than ${least} a second`,
  "rate.no-room": (): string => "there is no room on the user volume to write",
  "rate.silent": (seconds: string): string =>
    `the disk does not answer: it took more than ${seconds} s`,
  "rate.nothing": (): string => "not one byte came through",

  "clock.none": (): string => "there is no hardware clock",
  "clock.untold": (): string =>
    "the hardware clock tells no time: it was not set, or its battery is empty",
  "clock.falls-silent": (time: string): string =>
    `the hardware clock says ${time}, and no time a second later`,
  "clock.stands": (time: string): string => `the hardware clock says ${time}, and stands still`,
  "clock.jumps": (time: string, later: string): string =>
    `the hardware clock says ${time}, and ${later} a second later`,
  "clock.behind": (time: string, after: string): string =>
    `the hardware clock says ${time}, which is before ${after}: it was not set, or its battery is empty`,

  "watchdog.none": (): string => "there is no hardware watchdog",

  "sensors.several": (one: string, rest: string): string => `${one}; ${rest}`,
  "sensors.none": (): string => "there are no sensors",
  "sensors.missing": (name: string): string => `there is no sensor ${name}`,
  "sensors.range": (sensor: string, least: string, most: string): string =>
    `${sensor}, not ${least} to ${most}`,

  "root.no-manifest": (): string => "golden's manifest is not there: is the card in?",
  "root.bad-manifest": (): string => "golden's manifest on the card does not have its digest",
  "root.differs": (differences: string): string =>
    `the new root is not what golden is: ${differences}`,

  "boot-loader.untold": (): string => "nothing on the disk says what boots it",
  "boot-loader.other-card": (): string =>
    "the card's description on the ESP is not the one that was installed from",
  "boot-loader.no-core": (disk: string): string =>
    `the boot sector of ${disk} does not name GRUB's core`,
  "boot-loader.other-sector": (disk: string): string => `the boot sector of ${disk} is not GRUB's`,
  "boot-loader.other-core": (disk: string): string =>
    `GRUB's core on ${disk} is not what was installed`,
  "boot-loader.no-description": (): string => "the card's description is not JSON",
  "boot-loader.file": (path: string, why: string): string => `${path} ${why}`,

  "any.none": (): string => "no test was run",
  "any.unkept": (trouble: string): string => `what it printed could not be kept: ${trouble}`,
  "any.given-up": (times: string): string =>
    `it was begun ${times} times and never ended: the power failed in it, it stops the machine, or its outcome could not be kept`,

  /** `last`: the vendor's own words. */
  "vendor.last": (what: string, last: string): string => `${what}: ${last}`,
  "vendor.no-directory": (path: string): string => `${path} in the installed root is no directory`,
  "vendor.odd-name": (name: string): string => `${name} is no name for a factory test`,
  "vendor.too-many": (found: string, most: string): string =>
    `${found} factory tests are more than ${most}`,
  "vendor.link-to-nothing": (path: string): string => `${path} is a link to nothing`,
  "vendor.link-out": (path: string): string =>
    `${path} is a link that leads out of the installed root`,
  "vendor.link-circle": (path: string): string => `${path} is a link in a circle`,
  "vendor.not-run": (trouble: string): string => `it could not be run: ${trouble}`,
  "vendor.left-busy": (paths: string): string => `it left something behind that uses ${paths}`,
  "vendor.left-running": (): string => "it left something running that cannot be ended",
  "vendor.late": (seconds: string): string => `it did not end within ${seconds} s`,
  "vendor.killed": (signal: string): string => `it was killed by ${signal}`,
  "vendor.exit": (code: string): string => `it ended with exit code ${code}`,
  "vendor.bailed-out": (): string => "it bailed out",
  "vendor.two-plans": (): string => "it has more than one plan",
  "vendor.odd-number": (found: string, due: string): string =>
    `test ${found} came where test ${due} was due`,
  "vendor.no-plan": (points: string): string =>
    `it ended without a plan (TAP), after ${points} test${s(points)}`,
  "vendor.other-sum": (planned: string, ran: string): string =>
    `it planned ${planned} test${s(planned)} and ran ${ran}`,
};

export type Reasons = typeof REASONS;
export type ReasonKey = keyof Reasons;

export function because<K extends ReasonKey>(key: K, ...params: Parameters<Reasons[K]>): string {
  const make = REASONS[key] as (...params: readonly string[]) => string;
  return make(...params);
}

/** The texts that this one was made of by `key`, in their order; undefined where it was made by another. */
export function paramsOf(key: ReasonKey, text: string): string[] | undefined {
  const make = REASONS[key] as (...params: readonly string[]) => string;
  const shape = make(...Array.from({ length: make.length }, () => UNKNOWN))
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replaceAll(UNKNOWN, "(.+?)")
    .replaceAll(MAYBE_S, "s?");
  return new RegExp(`^${shape}$`, "s").exec(text)?.slice(1);
}

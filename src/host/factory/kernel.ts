/*
 * What the kernel and the firmware say of the box: memory, processors, clock, watchdog, sensors.
 * Owns: reading /proc and /sys, below `top` so that tests can lay out their own. Parsing and judging are pure.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { SensorRange } from "../../model/factory.ts";
import { because } from "../../model/reasons.ts";
import { printSize } from "../../model/size.ts";
import { printTime } from "../../model/text.ts";
import { parseMemory } from "../firmware.ts";
import { count, failed, nothing, passed, type Finding } from "./box.ts";

export interface MemoryFacts {
  /** What the kernel has. */
  readonly usableBytes: number;
  /** What the firmware says is plugged in; undefined where it does not say. */
  readonly installedBytes?: number;
}

/**
 * Of what is plugged in, firmware, graphics and the kernel itself keep a part: 3 to 6 % without graphics, up to a
 * fifth with it. A module less in the commonest layouts (two or four) is a quarter or more.
 */
const LEAST_USABLE = 0.75;

/** A module that the firmware lists but does not use is missing from what the kernel has. */
export function judgeMemory(
  { usableBytes, installedBytes }: MemoryFacts,
  leastBytes: number | undefined,
): Finding {
  if (usableBytes === 0) {
    return nothing(because("memory.untold"), leastBytes !== undefined);
  }
  const usable = `the kernel has ${printSize(usableBytes)}`;
  const told =
    installedBytes === undefined ? usable : `${printSize(installedBytes)} installed, ${usable}`;
  if (leastBytes === undefined) return passed(told);
  const wanted = printSize(leastBytes);
  if (installedBytes !== undefined && installedBytes < leastBytes) {
    return failed(because("memory.installed", printSize(installedBytes), wanted));
  }
  if (usableBytes < leastBytes * LEAST_USABLE) {
    const here = printSize(usableBytes);
    return failed(
      installedBytes === undefined
        ? because("memory.usable", here, wanted)
        : because("memory.lost", printSize(installedBytes), here, wanted),
    );
  }
  return passed(told);
}

const MEMORY_DEVICE = 17;
const END_OF_TABLE = 127;
/** Of memory devices: ROM, flash, EEPROM, FEPROM, EPROM. Some boards list the firmware's own chip. */
const NO_RAM = [8, 9, 10, 11, 12];

/**
 * Sum of the memory devices in an SMBIOS table (DSP0134, 7.18); undefined where there is none or one has an
 * unknown size.
 */
export function parseInstalledMemory(table: Uint8Array): number | undefined {
  const view = new DataView(table.buffer, table.byteOffset, table.byteLength);
  let sum = 0;
  for (let at = 0; at + 4 <= table.length;) {
    const type = view.getUint8(at);
    const length = view.getUint8(at + 1);
    if (type === END_OF_TABLE || length < 4 || at + length > table.length) break;
    if (type === MEMORY_DEVICE && length >= 0x13 && !NO_RAM.includes(view.getUint8(at + 0x12))) {
      const size = sizeOfDevice(view, at, length);
      if (size === undefined) return undefined;
      sum += size;
    }
    at = afterStrings(table, at + length);
  }
  return sum > 0 ? sum : undefined;
}

function sizeOfDevice(view: DataView, at: number, length: number): number | undefined {
  const size = view.getUint16(at + 0x0c, true);
  if (size === 0xffff) return undefined;
  if (size === 0x7fff) {
    return length >= 0x20
      ? (view.getUint32(at + 0x1c, true) & 0x7fffffff) * 1024 * 1024
      : undefined;
  }
  return (size & 0x7fff) * ((size & 0x8000) === 0 ? 1024 * 1024 : 1024);
}

/** Behind the strings of a structure, which end with two zero bytes. */
function afterStrings(table: Uint8Array, from: number): number {
  let at = from;
  while (at + 1 < table.length && (table[at] !== 0 || table[at + 1] !== 0)) at++;
  return at + 2;
}

export async function readMemory(top = "/"): Promise<MemoryFacts> {
  const usableBytes = parseMemory(await read(top, "proc/meminfo"));
  const table = await readFile(join(top, "sys/firmware/dmi/tables/DMI")).catch(() => undefined);
  const installedBytes = table && parseInstalledMemory(table);
  return { usableBytes, ...(installedBytes === undefined ? {} : { installedBytes }) };
}

export interface ProcessorFacts {
  readonly count: number;
  /** That every one of them has. */
  readonly flags: readonly string[];
}

export function parseProcessors(cpuinfo: string): ProcessorFacts {
  const number = [...cpuinfo.matchAll(/^processor\s*:/gm)].length;
  const lists = [...cpuinfo.matchAll(/^flags\s*:(.*)$/gm)].map(([, list = ""]) => list);
  const [first = "", ...rest] = [...new Set(lists)];
  const others = rest.map((list) => new Set(words(list)));
  return {
    count: number,
    flags: words(first).filter((flag) => others.every((list) => list.has(flag))),
  };
}

export function judgeProcessors(
  found: ProcessorFacts,
  wanted: { readonly count?: number | undefined; readonly flags: readonly string[] },
): Finding {
  if (found.count === 0) {
    const isExpected = wanted.count !== undefined || wanted.flags.length > 0;
    return nothing(because("processors.untold"), isExpected);
  }
  const told = count(found.count, "processor");
  const here = String(found.count);
  if (wanted.count !== undefined && found.count !== wanted.count) {
    return failed(because("processors.count", here, String(wanted.count)));
  }
  const missing = wanted.flags.filter((flag) => !found.flags.includes(flag));
  if (missing.length > 0) return failed(because("processors.flags", here, missing.join(", ")));
  return passed(wanted.flags.length === 0 ? told : `${told} with ${wanted.flags.join(", ")}`);
}

export async function readProcessors(top = "/"): Promise<ProcessorFacts> {
  return parseProcessors(await read(top, "proc/cpuinfo"));
}

/** Of the clock with the battery: seconds since 1970, twice; undefined where it told none. */
export interface ClockFacts {
  readonly isThere: boolean;
  readonly first: number | undefined;
  /** A little more than a second later. */
  readonly second: number | undefined;
}

/** What a clock that goes on may have gained meanwhile, on a busy machine. */
const MOST_GAINED_SECONDS = 60;

export function judgeClock(
  { isThere, first, second }: ClockFacts,
  after: number | undefined,
): Finding {
  if (!isThere) return nothing(because("clock.none"), after !== undefined);
  // The kernel hides a time that the clock itself calls invalid.
  if (first === undefined) {
    return failed(because("clock.untold"));
  }
  const time = printTime(first);
  if (second === undefined) return failed(because("clock.falls-silent", time));
  if (second === first) return failed(because("clock.stands", time));
  if (second < first || second - first >= MOST_GAINED_SECONDS) {
    return failed(because("clock.jumps", time, printTime(second)));
  }
  if (after !== undefined && first < after) {
    return failed(because("clock.behind", time, printTime(after)));
  }
  return passed(`the hardware clock says ${time}`);
}

/** A little more than the second that the hardware clock counts in. */
const TICK_MS = 1200;

/**
 * systemd sets a kernel's clock that is far behind to its own date of build, so the hardware clock is asked
 * itself.
 */
export async function readClock(top = "/", waitMs = TICK_MS): Promise<ClockFacts> {
  const tell = async () => {
    const text = await read(top, "sys/class/rtc/rtc0/since_epoch");
    return /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const isThere = (await list(top, "sys/class/rtc")).includes("rtc0");
  const first = await tell();
  if (first === undefined) return { isThere, first, second: undefined };
  await Bun.sleep(waitMs);
  return { isThere, first, second: await tell() };
}

/** softdog, which resets nothing when the kernel stands. */
const NO_HARDWARE = "Software Watchdog";

/** `identities`: of each, as the driver names it. */
export function judgeWatchdog(identities: readonly string[], required: boolean): Finding {
  const hardware = identities.filter((identity) => identity !== NO_HARDWARE);
  if (hardware.length === 0) return nothing(because("watchdog.none"), required);
  return passed(hardware.join(", "));
}

/** From sysfs: the device itself is held open by the agent. */
export async function readWatchdogs(top = "/"): Promise<string[]> {
  const names = await list(top, "sys/class/watchdog");
  const identities = names.map((name) => read(top, `sys/class/watchdog/${name}/identity`));
  return (await Promise.all(identities)).map((identity) => identity || "a watchdog without a name");
}

export interface Sensor {
  /** `coretemp/temp1`; the second chip of one name is `coretemp-2`. */
  readonly name: string;
  /** Degrees Celsius, volts, revolutions a minute. */
  readonly value: number;
}

const KINDS = [
  { pattern: /^(temp\d+)_input$/, scale: 1000, unit: "°C" },
  { pattern: /^(in\d+)_input$/, scale: 1000, unit: "V" },
  { pattern: /^(fan\d+)_input$/, scale: 1, unit: "rpm" },
] as const;

export function judgeSensors(found: readonly Sensor[], ranges: readonly SensorRange[]): Finding {
  if (found.length === 0) return nothing(because("sensors.none"), ranges.length > 0);
  const faults = ranges.flatMap(({ name, least, most }) => {
    const sensor = found.find((candidate) => candidate.name === name);
    if (!sensor) return [because("sensors.missing", name)];
    if (sensor.value >= least && sensor.value <= most) return [];
    return [because("sensors.range", print(sensor), String(least), String(most))];
  });
  if (faults.length > 0)
    return failed(faults.reduceRight((rest, fault) => because("sensors.several", fault, rest)));
  const told =
    ranges.length === 0
      ? found
      : found.filter(({ name }) => ranges.some((range) => range.name === name));
  return passed(told.map(print).join(", "));
}

function print({ name, value }: Sensor): string {
  const file = `${name.slice(name.lastIndexOf("/") + 1)}_input`;
  return `${name} ${value} ${KINDS.find(({ pattern }) => pattern.test(file))?.unit ?? ""}`.trim();
}

/** One that is listed but cannot be read is not there. */
export async function readSensors(top = "/"): Promise<Sensor[]> {
  const directory = "sys/class/hwmon";
  const chips = (await list(top, directory)).sort(byNumber);
  const seen = new Map<string, number>();
  const sensors: Sensor[] = [];
  for (const chip of chips) {
    const name = (await read(top, `${directory}/${chip}/name`)) || chip;
    const nth = (seen.get(name) ?? 0) + 1;
    seen.set(name, nth);
    for (const file of (await list(top, `${directory}/${chip}`)).sort(byNumber)) {
      const kind = KINDS.find(({ pattern }) => pattern.test(file));
      if (!kind) continue;
      const text = await read(top, `${directory}/${chip}/${file}`);
      if (!/^-?\d+$/.test(text)) continue;
      const sensor = kind.pattern.exec(file)?.[1] ?? file;
      sensors.push({
        name: `${nth === 1 ? name : `${name}-${nth}`}/${sensor}`,
        value: Number(text) / kind.scale,
      });
    }
  }
  return sensors;
}

const byNumber = (one: string, other: string) => one.localeCompare(other, "en", { numeric: true });

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}

async function read(top: string, path: string): Promise<string> {
  return (await readFile(join(top, path), "utf8").catch(() => "")).trim();
}

async function list(top: string, path: string): Promise<string[]> {
  return readdir(join(top, path)).catch(() => []);
}

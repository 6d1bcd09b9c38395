/*
 * The built-in factory tests: what is read in /proc and /sys (samples of a virtual machine and of boards), and how
 * it is judged against what is expected.
 */
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { run } from "../../src/host/command.ts";
import {
  count,
  cut,
  failed,
  nothing,
  outcomeOf,
  passed,
  shortReason,
  type Finding,
} from "../../src/host/factory/box.ts";
import {
  judgeDisk,
  judgeHealth,
  judgeRate,
  measureReading,
  measureWriting,
  startOfReading,
} from "../../src/host/factory/disk.ts";
import * as kernel from "../../src/host/factory/kernel.ts";
import { judgeNetwork, readNetwork, type Port } from "../../src/host/factory/network.ts";
import { runFactoryTest } from "../../src/host/factory-tests.ts";
import { MOST_REASON } from "../../src/model/factory.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { disk, machine } from "./example.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-factory-"));
let trees = 0;

/** A directory with these files; a value that begins with `→` is a link. */
function tree(files: Readonly<Record<string, string | Uint8Array>>): string {
  const top = join(folder, String(trees++));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(top, path)), { recursive: true });
    if (typeof content === "string" && content.startsWith("→")) {
      symlinkSync(content.slice(1), join(top, path));
    } else writeFileSync(join(top, path), content);
  }
  return top;
}

function is(finding: Finding, outcome: Finding["outcome"], reason: RegExp): void {
  assert.is(finding.outcome, outcome, finding.reason);
  assert.match(finding.reason, reason);
}

/** A structure of an SMBIOS table, with one string behind it. */
function structure(
  type: number,
  length: number,
  fields: Readonly<Record<number, number>>,
): number[] {
  const bytes: number[] = Array.from({ length }, () => 0);
  bytes[0] = type;
  bytes[1] = length;
  for (const [at, value] of Object.entries(fields)) {
    bytes[Number(at)] = value & 0xff;
    bytes[Number(at) + 1] = (value >> 8) & 0xff;
  }
  return [...bytes, ...new TextEncoder().encode("DIMM A"), 0, 0];
}

const DRAM = 0x1a;
const module = (size: number, kind = DRAM) => structure(17, 40, { 0x0c: size, 0x12: kind });
const smbios = (...structures: number[][]) =>
  Uint8Array.from([...structure(0, 24, {}), ...structures.flat(), ...structure(127, 4, {})]);

for (const [title, table, bytes] of [
  [
    "two modules of 4 GiB, and a slot that is empty",
    smbios(module(4096), module(4096), module(0)),
    8 * GIB,
  ],
  ["kibibytes", smbios(module(0x8000 | 512)), MIB / 2],
  [
    "the firmware's own flash is no memory",
    smbios(module(2048), module(0x8000 | 16_384, 9)),
    2 * GIB,
  ],
  ["a size that is not known", smbios(module(2048), module(0xffff)), undefined],
  ["nothing but empty slots", smbios(module(0)), undefined],
  ["no table", new Uint8Array(), undefined],
  ["a table that is cut off", smbios(module(2048), module(2048)).subarray(0, 90), 2 * GIB],
  [
    "what lies behind the end does not count",
    Uint8Array.from([...smbios(module(1024)), ...module(1024)]),
    GIB,
  ],
] as const) {
  test(`installed memory: ${title}`, () => assert.is(kernel.parseInstalledMemory(table), bytes));
}

test("installed memory: a module of 64 GiB has its size in another field", () => {
  const large = structure(17, 40, { 0x0c: 0x7fff, 0x12: DRAM, 0x1c: 0, 0x1e: 1 });
  assert.is(kernel.parseInstalledMemory(smbios(large)), 64 * GIB);
});

test("installed memory: no bytes of any kind make the reading fail or go on for ever", () => {
  for (let round = 0; round < 300; round++) {
    const bytes = crypto.getRandomValues(new Uint8Array(round));
    if (round > 4) bytes.set([17, round & 0x3f], 0);
    kernel.parseInstalledMemory(bytes);
  }
});

/** MemTotal as recorded: QEMU with 1, 2 and 4 GiB, Linux 6.1; a laptop of 8 GiB with graphics. */
const MIB_OF = { one: 965, two: 1973, four: 3914, laptop: 7568 };
for (const [title, usable, installed, least, outcome, reason] of [
  ["2 GiB that the firmware tells", MIB_OF.two, 2, 2, "pass", /2 GiB installed/],
  ["2 GiB without the firmware", MIB_OF.two, undefined, 2, "pass", /the kernel has 1\.9 GiB/],
  ["1 GiB is not 2", MIB_OF.one, 1, 2, "fail", /1 GiB of memory, not 2 GiB/],
  [
    "1 GiB is not 2, without the firmware",
    MIB_OF.one,
    undefined,
    2,
    "fail",
    /too little for 2 GiB/,
  ],
  ["3 GiB are not 4, without the firmware", 2950, undefined, 4, "fail", /too little/],
  ["graphics keep a part", MIB_OF.laptop, 8, 8, "pass", /8 GiB installed/],
  [
    "a module that is listed and not used",
    MIB_OF.four,
    8,
    8,
    "fail",
    /8 GiB installed.*too little/,
  ],
  ["more than expected", MIB_OF.four, 4, 2, "pass", /4 GiB/],
  ["nothing is expected", MIB_OF.one, 1, undefined, "pass", /1 GiB installed/],
  ["not told, nothing expected", 0, undefined, undefined, "skip", /does not tell/],
  ["not told, and expected", 0, undefined, 2, "fail", /does not tell.*expected/],
] as const) {
  test(`memory: ${title}`, () => {
    const facts = {
      usableBytes: usable * MIB,
      ...(installed === undefined ? {} : { installedBytes: installed * GIB }),
    };
    is(kernel.judgeMemory(facts, least && least * GIB), outcome, reason);
  });
}

test("memory: read from /proc/meminfo and the firmware's table", async () => {
  const top = tree({
    "proc/meminfo": "MemTotal:        2020264 kB\nMemFree:  1 kB\n",
    "sys/firmware/dmi/tables/DMI": smbios(module(2048)),
  });
  assert.equal(await kernel.readMemory(top), {
    usableBytes: 2_020_264 * 1024,
    installedBytes: 2 * GIB,
  });
  assert.equal(await kernel.readMemory(tree({ x: "" })), { usableBytes: 0 });
});

const cpuinfo = (...flags: string[]) =>
  flags
    .map((list, index) => `processor\t: ${index}\nvendor_id\t: X\nflags\t\t: ${list}\n`)
    .join("\n");

test("processors: how many, and what every one of them can do", async () => {
  const top = tree({ "proc/cpuinfo": cpuinfo("fpu aes avx2", "fpu aes") });
  const found = await kernel.readProcessors(top);
  assert.equal(found, { count: 2, flags: ["fpu", "aes"] });
  is(
    kernel.judgeProcessors(found, { count: 2, flags: ["aes"] }),
    "pass",
    /^2 processors with aes$/,
  );
  is(kernel.judgeProcessors(found, { flags: [] }), "pass", /^2 processors$/);
  is(kernel.judgeProcessors(found, { count: 4, flags: [] }), "fail", /^2 processors, not 4$/);
  is(kernel.judgeProcessors(found, { flags: ["aes", "avx2", "sha"] }), "fail", /without avx2, sha/);
  const none = await kernel.readProcessors(tree({ x: "" }));
  is(kernel.judgeProcessors(none, { flags: [] }), "skip", /does not tell/);
  is(kernel.judgeProcessors(none, { count: 1, flags: [] }), "fail", /does not tell/);
});

const port = (name: string, link: boolean | undefined): Port => ({ name, link });
for (const [title, found, wanted, outcome, reason] of [
  [
    "as wanted",
    [port("eth0", true), port("eth1", false)],
    { ports: 2, links: 1 },
    "pass",
    /2 network ports, 1 with a link/,
  ],
  ["one too few", [port("eth0", true)], { ports: 2 }, "fail", /1 network port, not 2/],
  [
    "one too many",
    [port("eth0", true), port("eth1", true)],
    { ports: 1 },
    "fail",
    /2 network ports, not 1/,
  ],
  ["none, and wanted", [], { ports: 1 }, "fail", /0 network ports, not 1/],
  ["none, and none wanted", [], { ports: 0 }, "pass", /0 network ports/],
  ["none, and nothing expected", [], {}, "skip", /no network ports/],
  ["none, and a link wanted", [], { links: 1 }, "fail", /no network ports/],
  [
    "no cable",
    [port("eth0", false)],
    { links: 1 },
    "fail",
    /0 of 1 network ports have a link, not 1 \(none at eth0\)/,
  ],
  [
    "counted without a driver",
    [port("0000:01:00.0", undefined)],
    { ports: 1 },
    "pass",
    /no driver.*0000:01:00\.0/,
  ],
  [
    "no link without a driver",
    [port("0000:01:00.0", undefined)],
    { links: 1 },
    "fail",
    /no driver/,
  ],
] as const) {
  test(`network: ${title}`, () => is(judgeNetwork(found, wanted), outcome, reason));
}

/** e1000e, a virtio card whose interface lies one level below, wireless, and a card that nothing drives. */
const cards = (changes: Readonly<Record<string, string>> = {}) => {
  const pci = "sys/devices/pci0";
  return tree({
    "sys/class/net/lo/flags": "0x9",
    "sys/class/net/eth0/flags": "0x1002",
    "sys/class/net/eth0/carrier": "1\n",
    "sys/class/net/eth0/device": `→../../../devices/pci0/0000:00:03.0`,
    "sys/class/net/eth1/flags": "0x1003",
    "sys/class/net/eth1/carrier": "0\n",
    "sys/class/net/eth1/device": `→../../../devices/pci0/0000:00:04.0/virtio0`,
    "sys/class/net/wlan0/flags": "0x1002",
    "sys/class/net/wlan0/wireless/x": "",
    "sys/class/net/wlan0/device": `→../../../devices/pci0/0000:00:05.0`,
    "proc/sys/net/ipv6/conf/eth0/disable_ipv6": "0",
    "proc/sys/net/ipv6/conf/eth1/disable_ipv6": "0",
    [`${pci}/0000:00:03.0/class`]: "0x020000\n",
    [`${pci}/0000:00:04.0/class`]: "0x020000\n",
    [`${pci}/0000:00:04.0/virtio0/x`]: "",
    [`${pci}/0000:00:05.0/class`]: "0x028000\n",
    [`${pci}/0000:00:06.0/class`]: "0x020000\n",
    [`${pci}/0000:00:06.0/modalias`]: "pci:v00001D6A\n",
    [`${pci}/0000:00:07.0/class`]: "0x010601\n",
    ...Object.fromEntries(
      ["3", "4", "5", "6", "7"].map((slot) => [
        `sys/bus/pci/devices/0000:00:0${slot}.0`,
        `→../../../devices/pci0/0000:00:0${slot}.0`,
      ]),
    ),
    ...changes,
  });
};

test("network: ports are counted by interface, and by card where no driver has made one", async () => {
  const top = cards();
  const asked: string[] = [];
  const load = async (modalias: string) => {
    asked.push(modalias);
    throw new Error("no such driver");
  };
  const ports = await readNetwork({}, { top, waitMs: 0, load });
  assert.equal(ports, [port("eth0", true), port("eth1", false), port("0000:00:06.0", undefined)]);
  assert.equal(asked, ["pci:v00001D6A"]);
});

test("network: a driver that is loaded makes the card's interface", async () => {
  const top = cards();
  const load = async () => {
    mkdirSync(join(top, "sys/class/net/eth2"));
    symlinkSync("../../../devices/pci0/0000:00:06.0", join(top, "sys/class/net/eth2/device"));
    writeFileSync(join(top, "sys/class/net/eth2/carrier"), "1");
  };
  const ports = await readNetwork({}, { top, waitMs: 0, load });
  assert.equal(
    ports.map(({ name }) => name),
    ["eth0", "eth1", "eth2"],
  );
});

test("network: a port is set up without a word of IPv6, waited for, and set down again", async () => {
  const top = cards();
  const flags = join(top, "sys/class/net/eth0/flags");
  const carrier = join(top, "sys/class/net/eth0/carrier");
  writeFileSync(carrier, "0");
  const seen: string[] = [];
  const timer = setTimeout(() => {
    seen.push(readFileSync(flags, "utf8"));
    writeFileSync(carrier, "1");
  }, 100);
  const ports = await readNetwork({ links: 1 }, { top, waitMs: 5000, load: async () => undefined });
  clearTimeout(timer);
  assert.equal(seen, ["0x1003"]);
  assert.is(ports[0]?.link, true);
  assert.is(readFileSync(flags, "utf8"), "0x1002");
  const ipv6 = (name: string) =>
    readFileSync(join(top, `proc/sys/net/ipv6/conf/${name}/disable_ipv6`), "utf8");
  assert.is(ipv6("eth0"), "1");
  assert.is(ipv6("eth1"), "0", "a port that somebody else set up stays as it is");
});

test("disk: model and size", () => {
  const found = { model: "ACME SSD", sizeBytes: 32 * GIB };
  is(judgeDisk(found, {}), "pass", /^ACME SSD, 32 GiB$/);
  is(judgeDisk(found, { model: "ACME SSD", leastBytes: 32 * GIB }), "pass", /./);
  is(judgeDisk(found, { model: "ACME HDD" }), "fail", /ACME SSD, 32 GiB, not ACME HDD/);
  is(judgeDisk(found, { leastBytes: 64 * GIB }), "fail", /smaller than 64 GiB/);
  is(judgeDisk({ model: "", sizeBytes: GIB }, {}), "pass", /without a model name/);
});

test("SMART: well, failing, not told, and nobody to ask", () => {
  const ask = { hasTool: true, required: false };
  is(judgeHealth("good", ask), "pass", /well/);
  is(judgeHealth("failing", ask), "fail", /failing/);
  is(judgeHealth("not told", ask), "skip", /no SMART/);
  is(judgeHealth("not told", { ...ask, required: true }), "fail", /no SMART/);
  is(judgeHealth("not told", { hasTool: false, required: false }), "skip", /no smartctl/);
  is(judgeHealth("not told", { hasTool: false, required: true }), "fail", /no smartctl/);
});

test("rates: against a floor, and only told without one", () => {
  const rate = { bytes: 100 * MIB, seconds: 2 };
  is(judgeRate(rate, "read", undefined), "pass", /100 MiB read at 50 MiB a second/);
  is(judgeRate(rate, "read", 50 * MIB), "pass", /50 MiB/);
  is(judgeRate(rate, "written", 50 * MIB + 1), "fail", /written at 50 MiB a second, slower than/);
});

test("rates: where reading begins", () => {
  assert.is(startOfReading(GIB), 514 * MIB);
  assert.is(startOfReading(700 * MIB), 0);
});

test("rates: a file is read past the cache up to its end, and one is written and removed", async () => {
  // Not below /tmp, which may be memory: direct I/O wants a disk.
  const here = mkdtempSync(join(import.meta.dirname, "../../.zs-rate-"));
  try {
    writeFileSync(join(here, "disk"), new Uint8Array(3 * MIB));
    const read = await measureReading(join(here, "disk"), 3 * MIB);
    assert.is(read.bytes, 3 * MIB);
    assert.is((await measureReading(join(here, "disk"), 3 * MIB, 2 * MIB)).bytes, 2 * MIB);
    rmSync(join(here, "disk"));
    const written = await measureWriting(here, 2 * MIB);
    assert.is(written?.bytes, 2 * MIB);
    assert.ok(read.seconds > 0 && (written?.seconds ?? 0) > 0);
    assert.equal(readdirSync(here), []);
    writeFileSync(join(here, ".zshield-write-rate"), "a power cut left it");
    assert.is(await measureWriting(here, 2 ** 60), undefined, "no room");
    assert.equal(readdirSync(here), []);
    writeFileSync(join(here, ".zshield-write-rate"), "a power cut left it");
    assert.is((await measureWriting(here, MIB))?.bytes, MIB);
    assert.equal(readdirSync(here), []);
    const gone = await measureReading(join(here, "gone"), MIB).catch((error: unknown) => error);
    assert.match(String(gone), /ENOENT/);
  } finally {
    rmSync(here, { recursive: true });
  }
});

test("rates: a disk that does not answer is not waited for without end", async () => {
  const here = mkdtempSync(join(tmpdir(), "zs-silent-"));
  // Whoever opens it to read waits for a writer.
  const path = join(here, "disk");
  await run(["mkfifo", path]);
  try {
    const told = measureReading(path, GIB, MIB, 200).then(() => "it answered", String);
    const waited = Bun.sleep(5_000).then(() => "still waiting");
    assert.is(
      await Promise.race([told, waited]),
      "Error: the disk does not answer: it took more than 0.2 s",
    );
  } finally {
    closeSync(openSync(path, constants.O_RDWR));
    rmSync(here, { recursive: true });
  }
});

const YEAR_2026 = 1_767_225_600;
test("clock: set, behind, without a battery, standing still, jumping, gone, none at all", async () => {
  const facts = { isThere: true, first: YEAR_2026 + 5, second: YEAR_2026 + 6 };
  is(kernel.judgeClock(facts, YEAR_2026), "pass", /the hardware clock says 2026-01-01 00:00 UTC/);
  is(kernel.judgeClock(facts, undefined), "pass", /2026/);
  is(kernel.judgeClock(facts, YEAR_2026 + 6), "fail", /before 2026-01-01.*battery/);
  is(kernel.judgeClock({ ...facts, second: facts.first }, undefined), "fail", /stands still/);
  for (const second of [YEAR_2026 + 4, YEAR_2026 + 5 + 60, 946_684_800]) {
    is(kernel.judgeClock({ ...facts, second }, undefined), "fail", /a second later/);
  }
  const lost = { ...facts, second: 946_684_800 };
  is(kernel.judgeClock(lost, YEAR_2026), "fail", /2000-01-01 00:00 UTC a second later/);
  is(kernel.judgeClock({ ...facts, second: undefined }, undefined), "fail", /no time a second/);
  const untold = { isThere: true, first: undefined, second: undefined };
  is(kernel.judgeClock(untold, undefined), "fail", /tells no time.*battery/);
  const none = { isThere: false, first: undefined, second: undefined };
  is(kernel.judgeClock(none, YEAR_2026), "fail", /there is no hardware clock/);
  is(kernel.judgeClock(none, undefined), "skip", /there is no hardware clock/);
});

test("clock: read twice, a little more than a second apart", async () => {
  const file = "sys/class/rtc/rtc0/since_epoch";
  const top = tree({ [file]: "1000000000\n" });
  assert.equal(await kernel.readClock(top, 1), { isThere: true, first: 1e9, second: 1e9 });
  const ticking = kernel.readClock(top, 300);
  await Bun.sleep(100);
  writeFileSync(join(top, file), "1000000001\n");
  assert.equal(await ticking, { isThere: true, first: 1e9, second: 1e9 + 1 });
  const going = kernel.readClock(top, 300);
  await Bun.sleep(100);
  rmSync(join(top, file));
  assert.equal(await going, { isThere: true, first: 1e9 + 1, second: undefined });
  const untold = { isThere: true, first: undefined, second: undefined };
  assert.equal(await kernel.readClock(top, 1), untold);
  const none = { isThere: false, first: undefined, second: undefined };
  assert.equal(await kernel.readClock(tree({ x: "" }), 1), none);
});

test("watchdog: hardware counts, the kernel's own imitation does not", async () => {
  const directory = "sys/class/watchdog";
  const both = tree({
    [`${directory}/watchdog0/identity`]: "Software Watchdog\n",
    [`${directory}/watchdog1/identity`]: "i6300ESB timer\n",
  });
  is(kernel.judgeWatchdog(await kernel.readWatchdogs(both), true), "pass", /^i6300ESB timer$/);
  const soft = tree({ [`${directory}/watchdog0/identity`]: "Software Watchdog\n" });
  is(kernel.judgeWatchdog(await kernel.readWatchdogs(soft), true), "fail", /no hardware watchdog/);
  is(kernel.judgeWatchdog(await kernel.readWatchdogs(tree({ x: "" })), false), "skip", /no/);
  const nameless = tree({ [`${directory}/watchdog0/state`]: "active" });
  is(kernel.judgeWatchdog(await kernel.readWatchdogs(nameless), true), "pass", /without a name/);
});

test("sensors: names, units, a second chip of one name, and what cannot be read", async () => {
  const top = tree({
    "sys/class/hwmon/hwmon0/name": "coretemp\n",
    "sys/class/hwmon/hwmon0/temp1_input": "45500\n",
    "sys/class/hwmon/hwmon0/temp1_crit": "100000\n",
    "sys/class/hwmon/hwmon0/temp2_input": "",
    "sys/class/hwmon/hwmon1/name": "nct6775\n",
    "sys/class/hwmon/hwmon1/in0_input": "1032\n",
    "sys/class/hwmon/hwmon1/fan2_input": "1200\n",
    "sys/class/hwmon/hwmon1/temp10_input": "-5000\n",
    "sys/class/hwmon/hwmon10/name": "coretemp\n",
    "sys/class/hwmon/hwmon10/temp1_input": "47000\n",
  });
  const found = await kernel.readSensors(top);
  assert.equal(found, [
    { name: "coretemp/temp1", value: 45.5 },
    { name: "nct6775/fan2", value: 1200 },
    { name: "nct6775/in0", value: 1.032 },
    { name: "nct6775/temp10", value: -5 },
    { name: "coretemp-2/temp1", value: 47 },
  ]);
  is(
    kernel.judgeSensors(found, []),
    "pass",
    /coretemp\/temp1 45\.5 °C, nct6775\/fan2 1200 rpm, nct6775\/in0 1\.032 V/,
  );
  const range = (name: string, least: number, most: number) => ({ name, least, most });
  is(
    kernel.judgeSensors(found, [range("coretemp/temp1", 45.5, 45.5)]),
    "pass",
    /^coretemp\/temp1 45\.5 °C$/,
  );
  is(kernel.judgeSensors(found, [range("coretemp/temp1", 0, 45)]), "fail", /45\.5 °C, not 0 to 45/);
  is(kernel.judgeSensors(found, [range("nct6775/fan2", 1201, 9000)]), "fail", /1200 rpm/);
  is(
    kernel.judgeSensors(found, [range("coretemp/temp2", 0, 90)]),
    "fail",
    /no sensor coretemp\/temp2/,
  );
  is(kernel.judgeSensors([], []), "skip", /no sensors/);
  is(kernel.judgeSensors([], [range("a/temp1", 0, 1)]), "fail", /no sensors/);
});

test("an outcome: what is thrown fails, texts are visible and short, seconds are counted", async () => {
  const of = { name: "x", origin: "built-in" } as const;
  const thrown = await outcomeOf(of, async () => Promise.reject(new Error("bang\u001b[2J")));
  assert.equal(thrown, { ...of, outcome: "fail", reason: "bang\\x1b[2J", seconds: 0 });
  const slow = await outcomeOf(of, () => Bun.sleep(260).then(() => passed("é".repeat(1000))));
  assert.ok(slow.seconds >= 0.2 && slow.seconds < 2);
  assert.is(slow.reason.length, MOST_REASON);
  assert.is(shortReason(`${"a".repeat(MOST_REASON - 2)}😀😀`).isWellFormed(), true);
  assert.is(cut("a😀", 2), "a");
  assert.is(cut("a😀", 3), "a😀");
  assert.is(count(1, "port"), "1 port");
  assert.equal(nothing("n", true).outcome, "fail");
  assert.equal(failed("f").outcome, "fail");
});

test("a built-in test on this machine tells what it found, and one that cannot be done fails", async () => {
  const log = () => undefined;
  const plan = { steps: [] } as never;
  const at = { root: "/nowhere", scratch: "/nowhere", esp: "/nowhere" };
  const box = { machine: machine(), disk: disk({ path: "/nowhere" }), plan, ...at, log };
  const memory = await runFactoryTest({ name: "memory" }, box);
  assert.is(memory.outcome, "pass", memory.reason);
  assert.is(memory.name, "memory");
  const processors = await runFactoryTest({ name: "processors", count: 100_000, flags: [] }, box);
  assert.match(processors.reason, /^\d+ processors?, not 100000$/);
  for (const name of ["read-rate", "write-rate", "boot-loader"] as const) {
    const outcome = await runFactoryTest({ name }, box);
    assert.is(outcome.outcome, "fail", name);
    assert.is(outcome.origin, "built-in");
    assert.ok(outcome.reason !== "", name);
  }
  assert.not(existsSync("/nowhere"));
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

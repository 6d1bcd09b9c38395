/*
 * What GRUB chooses by itself, on the card and on the disk, with BIOS and with UEFI: boots a card
 * beside disks whose record says this or that, reads GRUB's line on the serial port, and ends the
 * machine there. Seconds a case, and no kernel of ours runs.
 * As a program: npx bun test/lab/grub-choice.ts CARD.IMG [WORDS OF A CASE'S NAME]
 */
import { copyFile, mkdtemp, open, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { run, output } from "../../build/command.ts";
import {
  CORE_OFFSETS_BYTES,
  patchBootImage,
  patchCoreImage,
  SECTOR_BYTES,
} from "../../src/model/boot-sector.ts";
import { DISK_LABEL } from "../../src/model/card.ts";
import { KIB, MIB } from "../../src/model/size.ts";
import {
  printState,
  printStateSum,
  STATE_COPIES,
  type StateCopy,
  type StateRecord,
} from "../../src/model/state.ts";
import { ESP_BYTES, ESP_START_BYTES, planPartitions, tableScript } from "../../src/plan/layout.ts";

export interface Verdict {
  readonly name: string;
  /** Texts that have to appear on the serial console, with ` … ` between them. */
  readonly wanted: string;
  /** The same, or the last of GRUB's lines that were there instead. */
  readonly got: string;
  readonly seconds: number;
}

type Firmware = "bios" | "uefi";

interface Case {
  readonly name: string;
  /** What the machine has: the card beside a disk, or the disk alone. */
  readonly boots: "card" | "disk";
  /** Sequence and phase of each copy; a copy that is not named is not there. */
  readonly state?: Partial<Record<StateCopy, Copy>>;
  readonly damage?: (esp: Esp) => Promise<void>;
  /** What GRUB says, in this order; the machine is ended at the last. */
  readonly wanted: string | readonly string[];
}

interface Copy {
  readonly sequence: number;
  readonly phase: StateRecord["phase"];
  readonly operation?: StateRecord["operation"];
  /** GRUB's name of root; by default the volume that the disk has. */
  readonly root?: string;
}

const FACTORY = "zshield: starting: Recover to factory default";
const LATEST = "zshield: starting: Recover to latest backup";
const INSTALLED = "zshield: starting: Boot the installed system";
const REPAIR = "zshield: starting: Repair the installed system";
const MENU = "zshield: starting: Recovery menu";
const TESTS = "zshield: starting: Run the factory tests";
/** Printed by the configuration inside the test disk's root. */
const INSIDE_ROOT = "zshield-test: this is root's own configuration";
const TIMEOUT_MS = 90_000;

const installed = (sequence: number): Copy => ({ sequence, phase: "installed" });
const recovering = (sequence: number, operation: StateRecord["operation"] = "default"): Copy => ({
  sequence,
  phase: "recovering",
  operation,
});

const CASES: readonly Case[] = [
  { name: "card, blank disk", boots: "card", wanted: FACTORY },
  {
    name: "card, factory recovery interrupted",
    boots: "card",
    state: { a: recovering(1) },
    wanted: FACTORY,
  },
  {
    name: "card, restoring the backup interrupted",
    boots: "card",
    state: { a: installed(7), b: recovering(8, "latest") },
    wanted: LATEST,
  },
  {
    name: "card, installed: root's own configuration is read from its volume",
    boots: "card",
    state: { a: installed(3), b: recovering(2) },
    wanted: INSIDE_ROOT,
  },
  {
    name: "card, an installation asked for the factory tests",
    boots: "card",
    state: { a: { sequence: 2, phase: "requested", operation: "test" }, b: recovering(1) },
    wanted: TESTS,
  },
  {
    name: "card, the factory tests failed",
    boots: "card",
    state: { a: recovering(1, "test"), b: { sequence: 2, phase: "failed", operation: "test" } },
    wanted: ["this box failed its factory tests", MENU],
  },
  {
    name: "card, copy a damaged",
    boots: "card",
    state: { a: installed(5), b: recovering(4, "latest") },
    damage: (esp) => esp.flip("/state/a.env"),
    wanted: LATEST,
  },
  {
    name: "card, copy b damaged",
    boots: "card",
    state: { a: installed(4), b: recovering(5, "latest") },
    damage: (esp) => esp.flip("/state/b.env"),
    wanted: INSTALLED,
  },
  {
    name: "card, both copies damaged",
    boots: "card",
    state: { a: installed(4), b: installed(5) },
    damage: async (esp) => {
      await esp.flip("/state/a.env");
      await esp.flip("/state/b.env");
    },
    wanted: ["both copies of its record are damaged", FACTORY],
  },
  {
    name: "card, newest copy cut short",
    boots: "card",
    state: { a: installed(4), b: recovering(5, "latest") },
    damage: (esp) => esp.cut("/state/b.env", 60 * KIB),
    wanted: INSTALLED,
  },
  {
    name: "card, newest copy's digest file empty",
    boots: "card",
    state: { a: installed(4), b: recovering(5, "latest") },
    damage: (esp) => esp.cut("/state/b.sum", 0),
    wanted: INSTALLED,
  },
  {
    name: "card, installed but root is gone",
    boots: "card",
    state: { a: { ...installed(1), root: "lvmid/nothing/there" } },
    wanted: "zshield: the installed system cannot be read",
  },
  {
    name: "disk alone, installed",
    boots: "disk",
    state: { a: installed(1), b: installed(2) },
    wanted: INSIDE_ROOT,
  },
  {
    name: "disk alone, recovery interrupted",
    boots: "disk",
    state: { a: installed(1), b: recovering(2, "latest") },
    wanted: LATEST,
  },
  {
    name: "disk alone, the running system asked for its backup",
    boots: "disk",
    state: { a: { sequence: 2, phase: "requested", operation: "latest" }, b: installed(1) },
    wanted: LATEST,
  },
  {
    name: "disk alone, cut while the running system changed its volumes",
    boots: "disk",
    state: { a: installed(1), b: { sequence: 2, phase: "changing", operation: "repair" } },
    wanted: REPAIR,
  },
  {
    name: "disk alone, cut in the factory tests",
    boots: "disk",
    state: { a: recovering(2, "test"), b: { sequence: 1, phase: "requested", operation: "test" } },
    wanted: TESTS,
  },
  {
    name: "disk alone, the factory tests failed",
    boots: "disk",
    state: { a: { sequence: 2, phase: "failed", operation: "test" }, b: recovering(1, "test") },
    wanted: ["this box failed its factory tests", MENU],
  },
  {
    name: "disk alone, both copies damaged",
    boots: "disk",
    state: { a: installed(1), b: installed(2) },
    damage: async (esp) => {
      await esp.flip("/state/a.env");
      await esp.flip("/state/b.env");
    },
    wanted: ["both copies of this disk's record are damaged", MENU],
  },
  {
    name: "disk alone, root is gone",
    boots: "disk",
    state: { a: { ...installed(1), root: "lvmid/nothing/there" } },
    wanted: "zshield: choose a recovery from the menu",
  },
  {
    name: "disk alone, rescue system damaged",
    boots: "disk",
    state: { a: recovering(1, "latest") },
    damage: (esp) => esp.flip(`/zshield/${esp.rescue}/initramfs.img`),
    wanted: "it does not match its digest",
  },
];

/** Every case whose name holds `only`, with BIOS and with UEFI, one after the other. */
export async function checkGrubChoices(
  card: string,
  only = "",
  tell: (verdict: Verdict) => void = () => undefined,
): Promise<Verdict[]> {
  const folder = await mkdtemp(path.join(tmpdir(), "grub-choice-"));
  const verdicts: Verdict[] = [];
  try {
    const volume = await makeRootVolume(folder);
    for (const firmware of ["bios", "uefi"] as const) {
      for (const one of CASES) {
        const name = `${firmware}: ${one.name}`;
        if (!name.includes(only)) continue;
        const start = performance.now();
        const disk = path.join(folder, "disk.img");
        await makeDisk(disk, card, one, volume, folder);
        const wanted = [one.wanted].flat();
        const serial = await bootUntil(wanted, { firmware, card, disk, boots: one.boots, folder });
        const words = wanted.join(" … ");
        const verdict = {
          name,
          wanted: words,
          got: hasInOrder(serial, wanted) ? words : lastLines(serial),
          seconds: Math.round((performance.now() - start) / 100) / 10,
        };
        tell(verdict);
        verdicts.push(verdict);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return verdicts;
}

function hasInOrder(text: string, wanted: readonly string[]): boolean {
  let from = 0;
  for (const part of wanted) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return true;
}

function lastLines(serial: string): string {
  const lines = serial.split(/[\r\n]+/).filter((line) => /zshield|error/i.test(line));
  return lines.length > 0
    ? lines.slice(-3).join(" / ")
    : `nothing from GRUB: ${serial.slice(-200)}`;
}

// ---------------------------------------------------------------------------------------------
// The disk

const ROOT_BYTES = 32 * MIB;
const DISK_BYTES = 640 * MIB;

interface RootVolume {
  /** A physical volume with one linear volume, which holds an ext4 with /boot/grub/grub.cfg. */
  readonly image: string;
  readonly grubName: string;
}

/** Made without device-mapper: LVM writes its metadata only, and root lies at its first extent. */
async function makeRootVolume(folder: string): Promise<RootVolume> {
  const tree = path.join(folder, "root");
  await run(["mkdir", "-p", path.join(tree, "boot/grub")]);
  await writeFile(
    path.join(tree, "boot/grub/grub.cfg"),
    // As the distribution's: it loads modules by $prefix and looks at its environment block.
    `if [ -s $prefix/grubenv ]; then load_env; fi\ninsmod all_video\ninsmod gzio\n` +
      `echo "${INSIDE_ROOT}"\nset timeout=-1\nmenuentry x { true }\n`,
  );
  const root = path.join(folder, "root.ext4");
  await run(["mke2fs", "-q", "-F", "-t", "ext4", "-d", tree, root, `${ROOT_BYTES / KIB}k`]);
  const image = path.join(folder, "pv.img");
  await writeFile(image, "");
  await truncate(image, 64 * MIB);
  const loop = (await output(["losetup", "--find", "--show", image])).trim();
  try {
    const lvm = (...argv: string[]) =>
      output([
        ...["lvm", argv[0] ?? "", "--driverloaded", "n", "--devices", loop],
        ...["--config", "devices/use_devicesfile=0", ...argv.slice(1)],
      ]);
    await lvm("pvcreate", "-y", loop);
    await lvm("vgcreate", "vgroup", loop);
    const flags = ["--activate", "n", "--zero", "n", "--wipesignatures", "n"];
    await lvm("lvcreate", ...flags, "--size", `${ROOT_BYTES}b`, "--name", "lv-root", "vgroup");
    const columns = (options: string) => [
      "--noheadings",
      "--units",
      "b",
      "--nosuffix",
      "--options",
      options,
    ];
    const [group, volume] = (await lvm("lvs", ...columns("vg_uuid,lv_uuid"))).trim().split(/\s+/);
    const start = (await lvm("pvs", ...columns("pe_start"))).trim();
    await run([
      "dd",
      `if=${root}`,
      `of=${loop}`,
      `bs=${start}`,
      "seek=1",
      "conv=fsync",
      "status=none",
    ]);
    return { image, grubName: `lvmid/${group}/${volume}` };
  } finally {
    await run(["losetup", "--detach", loop]);
  }
}

async function makeDisk(
  disk: string,
  card: string,
  one: Case,
  volume: RootVolume,
  folder: string,
): Promise<void> {
  await writeFile(disk, "");
  await truncate(disk, DISK_BYTES);
  if (!one.state) return;
  const partitions = planPartitions(DISK_BYTES, {
    biosBoot: "11111111-1111-4111-8111-111111111111",
    esp: "22222222-2222-4222-8222-222222222222",
    group: "33333333-3333-4333-8333-333333333333",
  });
  const script = tableScript("44444444-4444-4444-8444-444444444444", SECTOR_BYTES, partitions);
  await run(["sfdisk", "--quiet", "--no-reread", "--no-tell-kernel", disk], { input: script });
  await run([
    ...["mkfs.vfat", "-F", "32", "-n", DISK_LABEL, `--offset=${ESP_START_BYTES / SECTOR_BYTES}`],
    ...[disk, String(ESP_BYTES / KIB)],
  ]);
  const esp = openEsp(disk, folder, await nameOnCard(card, "rescue-"));
  const grub = await nameOnCard(card, "grub-");
  await run(["mmd", "-i", esp.volume, "::/EFI", "::/EFI/BOOT", "::/zshield", "::/state"]);
  if (one.boots === "disk") {
    const from = openEsp(card, folder, "").volume;
    const stay = path.join(folder, "from-card");
    await rm(stay, { recursive: true, force: true });
    await run(["mkdir", stay]);
    const parts = [`::/zshield/${grub}`, `::/zshield/${esp.rescue}`, "::/zshield/boot"];
    await run(["mcopy", "-s", "-i", from, ...parts, stay]);
    const own = [path.join(stay, grub), path.join(stay, esp.rescue)];
    await run(["mcopy", "-s", "-i", esp.volume, ...own, "::/zshield/"]);
    await run(["mcopy", "-i", esp.volume, path.join(stay, "boot/BOOTX64.EFI"), "::/EFI/BOOT/"]);
    await installCore(disk, path.join(stay, "boot"));
  }
  for (const copy of STATE_COPIES) {
    const wanted = one.state[copy];
    if (!wanted) continue;
    const block = printState({
      sequence: wanted.sequence,
      phase: wanted.phase,
      operation: wanted.operation ?? "default",
      root: wanted.root ?? volume.grubName,
      grub,
      rescue: esp.rescue,
      document: {
        schema: 1,
        disk: { path: "/dev/vdb", model: "test", serial: "", wwn: "", sizeBytes: DISK_BYTES },
        groupUuid: "",
        version: "",
      },
    });
    await esp.write(`/state/${copy}.env`, block);
    await esp.write(`/state/${copy}.sum`, new TextEncoder().encode(printStateSum(copy, block)));
  }
  await one.damage?.(esp);
  const start = partitions[2]?.startBytes ?? 0;
  await run([
    ...["dd", `if=${volume.image}`, `of=${disk}`, `bs=${MIB}`, `seek=${start / MIB}`],
    ...["conv=notrunc,sparse", "status=none"],
  ]);
}

async function installCore(disk: string, boot: string): Promise<void> {
  // The second half: the card's own core lies in the first.
  const offset = CORE_OFFSETS_BYTES[1];
  const file = await open(disk, "r+");
  try {
    const sector0 = new Uint8Array(SECTOR_BYTES);
    await file.read(sector0, 0, SECTOR_BYTES, 0);
    const lba = offset / SECTOR_BYTES;
    const core = patchCoreImage(new Uint8Array(await readFile(path.join(boot, "core.img"))), lba);
    await file.write(core, 0, core.length, offset);
    const image = new Uint8Array(await readFile(path.join(boot, "boot.img")));
    await file.write(patchBootImage(image, sector0, lba), 0, SECTOR_BYTES, 0);
  } finally {
    await file.close();
  }
}

interface Esp {
  readonly volume: string;
  readonly rescue: string;
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Changes one byte in the middle. */
  flip(name: string): Promise<void>;
  cut(name: string, bytes: number): Promise<void>;
}

function openEsp(image: string, folder: string, rescue: string): Esp {
  const volume = `${image}@@${ESP_START_BYTES}`;
  const local = path.join(folder, "file");
  const write = async (name: string, bytes: Uint8Array) => {
    await writeFile(local, bytes);
    await run(["mcopy", "-o", "-i", volume, local, `::${name}`]);
  };
  const read = async (name: string) => {
    await run(["mcopy", "-n", "-o", "-i", volume, `::${name}`, local]);
    return new Uint8Array(await readFile(local));
  };
  return {
    volume,
    rescue,
    write,
    async flip(name) {
      const bytes = await read(name);
      const middle = bytes.length >> 1;
      bytes[middle] = (bytes[middle] ?? 0) ^ 0x01;
      await write(name, bytes);
    },
    async cut(name, bytes) {
      await write(name, (await read(name)).subarray(0, bytes));
    },
  };
}

async function nameOnCard(card: string, prefix: string): Promise<string> {
  const list = await output(["mdir", "-b", "-i", `${card}@@${ESP_START_BYTES}`, "::/zshield"]);
  const name = list.split("\n").map((line) => line.replace("::/zshield/", "").replace(/\/$/, ""));
  const found = name.find((part) => part.startsWith(prefix));
  if (found === undefined) throw new Error(`${card} has no /zshield/${prefix}… on its ESP`);
  return found;
}

// ---------------------------------------------------------------------------------------------
// The machine

interface Machine {
  readonly firmware: Firmware;
  readonly card: string;
  readonly disk: string;
  readonly boots: "card" | "disk";
  readonly folder: string;
}

/** Boots, and ends the machine as soon as the texts are there. Returns what the serial console said. */
async function bootUntil(wanted: readonly string[], machine: Machine): Promise<string> {
  const argv = [
    ...["timeout", "--signal=KILL", String(TIMEOUT_MS / 1000 + 10), "qemu-system-x86_64"],
    ...[
      "-nodefaults",
      "-no-reboot",
      "-display",
      "none",
      "-vga",
      "std",
      "-m",
      "512",
      "-serial",
      "stdio",
    ],
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-monitor", "none"],
    ...(machine.boots === "card" ? drive("card", machine.card, 1) : []),
    ...drive("disk", machine.disk, 2),
    ...(await firmwareArguments(machine)),
  ];
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const late = setTimeout(() => child.kill("SIGTERM"), TIMEOUT_MS);
  const decoder = new TextDecoder();
  let serial = "";
  for await (const piece of child.stdout) {
    serial += decoder.decode(piece, { stream: true });
    if (hasInOrder(plain(serial), wanted)) break;
  }
  clearTimeout(late);
  child.kill("SIGTERM");
  await child.exited;
  const said = await new Response(child.stderr).text();
  return plain(serial) + (serial === "" ? said : "");
}

function drive(id: string, file: string, bootIndex: number): string[] {
  return [
    ...["-drive", `id=${id},file=${file},format=raw,if=none,snapshot=on`],
    ...["-device", `virtio-blk-pci,drive=${id},bootindex=${bootIndex}`],
  ];
}

async function firmwareArguments({ firmware, folder }: Machine): Promise<string[]> {
  if (firmware === "bios") return [];
  const variables = path.join(folder, "vars.fd");
  await copyFile("/usr/share/OVMF/OVMF_VARS_4M.fd", variables);
  return [
    ...["-drive", "if=pflash,unit=0,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd"],
    ...["-drive", `if=pflash,unit=1,format=raw,file=${variables}`],
  ];
}

/** Without the sequences that move the cursor and set colours. */
function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/\x1b\[[0-9;?=]*[A-Za-z]/g, "");
}

if (import.meta.main) {
  const [card, words] = process.argv.slice(2);
  if (card === undefined) {
    console.error("usage: npx bun test/lab/grub-choice.ts CARD.IMG [WORDS OF A CASE'S NAME]");
    process.exit(2);
  }
  const verdicts = await checkGrubChoices(
    path.resolve(card),
    words,
    ({ name, wanted, got, seconds }) => {
      console.log(`${got === wanted ? "ok  " : "FAIL"} ${seconds.toFixed(1)} s  ${name}`);
      if (got !== wanted) console.log(`       wanted: ${wanted}\n       got:    ${got}`);
    },
  );
  const failed = verdicts.filter(({ wanted, got }) => wanted !== got).length;
  console.log(`${verdicts.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

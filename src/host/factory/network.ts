/*
 * The network ports: how many there are, and which have a link. No packet is sent: IPv6 is switched off on a port
 * before it is set up. The rescue system loads no driver of a network card by itself (dracut/50zshield/network.rules),
 * so that no recovery depends on one; this test does.
 * Owns: reading and setting /sys/class/net and /proc/sys/net, below `top`. `judgeNetwork` is pure.
 */
import { existsSync } from "node:fs";
import { readdir, readFile, realpath, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { because } from "../../model/reasons.ts";
import { run } from "../command.ts";
import { count, failed, nothing, passed, type Finding } from "./box.ts";

export interface Port {
  /** `eth0`, or the PCI address of a card that no driver drives. */
  readonly name: string;
  /** Undefined where no driver can tell. */
  readonly link: boolean | undefined;
}

export interface Wanted {
  readonly ports?: number | undefined;
  readonly links?: number | undefined;
}

export function judgeNetwork(found: readonly Port[], { ports, links }: Wanted): Finding {
  if (found.length === 0 && ports === undefined) {
    return nothing(because("network.none"), (links ?? 0) > 0);
  }
  const linked = found.filter(({ link }) => link === true);
  const driverless = found.filter(({ link }) => link === undefined);
  const told = `${count(found.length, "network port")}, ${linked.length} with a link`;
  const withUnknown = (what: string) =>
    driverless.length === 0
      ? what
      : because("network.driverless", what, driverless.map(({ name }) => name).join(", "));
  if (ports !== undefined && found.length !== ports) {
    const what = because("network.ports", String(found.length), String(ports));
    return failed(withUnknown(what));
  }
  if (links !== undefined && linked.length < links) {
    const without = found.filter(({ link }) => link === false).map(({ name }) => name);
    const what = because(
      "network.links",
      String(linked.length),
      String(found.length),
      String(links),
    );
    return failed(
      withUnknown(without.length === 0 ? what : because("network.dark", what, without.join(", "))),
    );
  }
  return passed(withUnknown(told));
}

/** Speed and duplex are agreed on within four seconds; a switch that looks for loops first shows its link at once. */
const WAIT_MS = 8_000;
/** Where nothing is expected, nobody waits long for a cable that is not there. */
const SHORT_WAIT_MS = 3_000;
const POLL_MS = 200;
const IFF_UP = 1;
const ETHERNET = "0x0200";

export interface Network {
  readonly top: string;
  readonly waitMs?: number;
  /** Loads the driver of a device that has this alias. */
  load(modalias: string): Promise<unknown>;
}

const REAL: Network = {
  top: "/",
  load: (modalias) => run(["modprobe", "--quiet", modalias], { timeoutMs: 30_000 }),
};

/** Sets every port up, waits for links, and sets it down again. */
export async function readNetwork(wanted: Wanted, on: Network = REAL): Promise<Port[]> {
  const before = await readCards(on.top);
  for (const { modalias } of before) await on.load(modalias).catch(() => undefined);
  if (before.length > 0 && on === REAL) {
    await run(["udevadm", "settle", "--timeout=30"], { timeoutMs: 60_000 }).catch(() => undefined);
  }
  const cards = await readCards(on.top);
  const names = await readPorts(on.top);
  const waitMs = on.waitMs ?? (wanted.links === undefined ? SHORT_WAIT_MS : WAIT_MS);
  const linked = await findLinks(names, on.top, waitMs);
  return [
    ...names.map((name) => ({ name, link: linked.has(name) })),
    ...cards.map(({ address }) => ({ name: address, link: undefined })),
  ];
}

async function findLinks(
  names: readonly string[],
  top: string,
  waitMs: number,
): Promise<Set<string>> {
  const flags = new Map<string, string>();
  const linked = new Set<string>();
  try {
    for (const name of names) {
      const before = await read(top, `sys/class/net/${name}/flags`);
      flags.set(name, before);
      if ((Number(before) & IFF_UP) !== 0) continue;
      await write(top, `proc/sys/net/ipv6/conf/${name}/disable_ipv6`, "1");
      await write(
        top,
        `sys/class/net/${name}/flags`,
        `0x${(Number(before) | IFF_UP).toString(16)}`,
      );
    }
    const end = performance.now() + waitMs;
    for (;;) {
      for (const name of names) {
        if ((await read(top, `sys/class/net/${name}/carrier`)) === "1") linked.add(name);
      }
      if (linked.size === names.length || performance.now() >= end) return linked;
      await Bun.sleep(POLL_MS);
    }
  } finally {
    for (const [name, before] of flags) await write(top, `sys/class/net/${name}/flags`, before);
  }
}

/** Interfaces that are hardware and have a socket for a cable. */
async function readPorts(top: string): Promise<string[]> {
  const names = await readdir(join(top, "sys/class/net")).catch(() => []);
  return names
    .filter((name) => {
      const at = join(top, "sys/class/net", name);
      return (
        existsSync(join(at, "device")) &&
        !existsSync(join(at, "wireless")) &&
        !existsSync(join(at, "phy80211"))
      );
    })
    .sort();
}

/** Ethernet cards on PCI that no interface belongs to. */
async function readCards(top: string): Promise<{ address: string; modalias: string }[]> {
  const interfaces = await readdir(join(top, "sys/class/net")).catch(() => []);
  const driven = await Promise.all(
    interfaces.map((name) => realpath(join(top, "sys/class/net", name, "device")).catch(() => "")),
  );
  const cards: { address: string; modalias: string }[] = [];
  const directory = "sys/bus/pci/devices";
  for (const address of (await readdir(join(top, directory)).catch(() => [])).sort()) {
    const at = `${directory}/${address}`;
    if (!(await read(top, `${at}/class`)).startsWith(ETHERNET)) continue;
    const path = await realpath(join(top, at));
    // The interface of a virtio card belongs to a device below the card.
    if (driven.some((device) => device === path || device.startsWith(`${path}/`))) continue;
    cards.push({ address, modalias: await read(top, `${at}/modalias`) });
  }
  return cards;
}

async function read(top: string, path: string): Promise<string> {
  return (await readFile(join(top, path), "utf8").catch(() => "")).trim();
}

async function write(top: string, path: string, text: string): Promise<void> {
  await writeFile(join(top, path), text, { flag: "r+" }).catch(() => undefined);
}

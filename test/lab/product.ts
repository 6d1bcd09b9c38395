/*
 * A vendor's product for the lab: the small golden system as a base package, an extra one that its device takes, and one for
 * other devices. The bundle is made again only when the golden system is another one.
 * Owns: what is in it. build/card.ts makes a card of it.
 */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildBundle } from "../../src/bundle/build.ts";
import { chainOf } from "../../src/model/chain.ts";
import { printPublicKeyFile } from "../../src/model/minisign.ts";
import { signRecord } from "../../src/model/signed-record.ts";
import { keyOf } from "../unit/key-example.ts";
import { command } from "./command.ts";
import { LAB_DIRECTORY } from "./scratch.ts";

export interface Product {
  readonly file: string;
  readonly keys: readonly string[];
  /** Device records: one that takes `greeting`, and one that takes `other` too. */
  readonly devices: { readonly plain: string; readonly both: string };
}

export const PRODUCT = {
  base: "system-1.0.12-1.1-000000",
  greeting: "greeting-1.0.12-7.1-000001",
  other: "other-1.0.12-7.1-000002",
} as const;
const KEY = keyOf(11);
/** To be changed with what is in it. */
const RECIPE = 1;
const UNIT =
  "[Unit]\nDescription=Greeting\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c 'cp /usr/share/greeting /run/greeted'\n";

/** `golden`: a finished tree, which stays as it is. */
export async function makeProduct(golden: string): Promise<Product> {
  const folder = join(LAB_DIRECTORY, "product");
  const stamp = join(folder, "bundle.stamp");
  const wanted = `${RECIPE} ${basename(golden)}`;
  const product: Product = {
    file: join(folder, "product.upt"),
    keys: [join(folder, "vendor.pub")],
    devices: { plain: join(folder, "plain.record"), both: join(folder, "both.record") },
  };
  if (existsSync(product.file) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return product;
  }
  const project = join(folder, "project");
  rmSync(project, { recursive: true, force: true });
  rmSync(stamp, { force: true });
  try {
    await fill(project, golden);
    const { path } = await buildBundle(project, {
      ...{ key: KEY, chain: chainOf(KEY), isRelease: false, out: undefined, ownerRoot: false },
      level: 1,
      say: (line) => console.error(`product: ${line}`),
    });
    renameSync(path, product.file);
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
  writeFileSync(product.keys[0] ?? "", printPublicKeyFile(KEY));
  for (const [name, mask] of [
    ["plain", 1],
    ["both", 3],
  ] as const) {
    const record = { device: `LAB-${name}`, mask, prefix: "", epoch: 1 };
    writeFileSync(product.devices[name], signRecord(record, KEY));
  }
  writeFileSync(stamp, wanted);
  return product;
}

async function fill(project: string, golden: string): Promise<void> {
  const platform = join(project, "platform/x86_64");
  const base = join(platform, "base", PRODUCT.base);
  mkdirSync(dirname(base), { recursive: true });
  await command(["cp", "--archive", "--reflink=auto", golden, base]);
  put(join(base, "__zshield/package.toml"), 'format = 1\nversion = "12"\n');
  mkdirSync(join(platform, "boot"));
  for (const name of readdirSync(join(base, "boot"))) {
    const to = /^vmlinuz-/.test(name) ? "vmlinuz" : /^initrd/.test(name) ? "initrd.img" : undefined;
    if (to !== undefined) renameSync(join(base, "boot", name), join(platform, "boot", to));
  }
  put(
    join(project, "product.toml"),
    'format = 1\nvendor = "lab"\nproduct = "lab"\nmajor = 1\nrelease = 1\n',
  );
  put(join(platform, "mask.txt"), "0 greeting greets\n1 other does other things\n");
  for (const name of [PRODUCT.greeting, PRODUCT.other]) {
    const tree = join(platform, "extra", name);
    put(join(tree, "__zshield/package.toml"), 'format = 1\nversion = "1"\n');
    put(join(tree, "usr/share", name.split("-")[0] ?? ""), `this is ${name}\n`);
  }
  const greeting = join(platform, "extra", PRODUCT.greeting);
  put(join(greeting, "usr/lib/systemd/system/greeting.service"), UNIT);
  const wants = join(greeting, "etc/systemd/system/multi-user.target.wants");
  mkdirSync(wants, { recursive: true });
  symlinkSync("/usr/lib/systemd/system/greeting.service", join(wants, "greeting.service"));
}

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

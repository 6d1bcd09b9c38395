/*
 * The agent with one protection taken out, for controls: a test that cannot see the difference proves
 * nothing. The changed executable is appended to the initramfs, where the later file of a name wins.
 * Owns: making it. The control says what is taken out.
 */
import {
  appendFileSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { packFiles } from "../../build/cpio.ts";
import { build } from "../../build/executable.ts";
import type { CardInUse } from "./card.ts";
import { PROJECT } from "./scratch.ts";

export interface Mutation {
  /** Below src/. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

/** The same card with a rescue system of its own. @throws Error if the text does not stand there once. */
export async function mutate(
  folder: string,
  usual: CardInUse,
  { file, from, to }: Mutation,
): Promise<CardInUse> {
  const source = join(folder, "mutant");
  mkdirSync(source, { recursive: true });
  cpSync(join(PROJECT, "src"), join(source, "src"), { recursive: true });
  copyFileSync(join(PROJECT, "package.json"), join(source, "package.json"));
  symlinkSync(join(PROJECT, "node_modules"), join(source, "node_modules"));
  const path = join(source, "src", file);
  const text = readFileSync(path, "utf8");
  if (text.split(from).length !== 2) throw new Error(`src/${file} does not hold "${from}" once`);
  writeFileSync(
    path,
    text.replace(from, () => to),
  );
  const executable = join(source, "zshield");
  await build(join(source, "src/main.ts"), executable);

  const initramfs = join(folder, "mutant-initramfs.img");
  copyFileSync(usual.card.initramfs, initramfs);
  const bytes = new Uint8Array(readFileSync(executable));
  appendFileSync(initramfs, packFiles({ "/usr/lib/zshield/zshield": { bytes, mode: 0o755 } }));
  return { ...usual, card: { ...usual.card, initramfs } };
}

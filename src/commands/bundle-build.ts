/*
 * `zshield bundle new|build|clean`: a vendor's project, and the bundle that is made of it.
 */
import { relative } from "node:path";
import { buildBundle, cleanProject } from "../bundle/build.ts";
import { makeProject } from "../bundle/project.ts";
import { readSmallFile } from "../host/new-file.ts";
import { chainOf, parseChain } from "../model/chain.ts";
import { checkReleaseKey } from "../model/signature.ts";
import { printSize } from "../model/size.ts";
import { layoutBytes } from "../bundle/oci.ts";
import { unlock } from "./key.ts";

export async function newProject(directory: string): Promise<void> {
  await makeProject(directory);
  console.log(`${directory}: its README.md says what goes where`);
}

export interface BuildWords {
  readonly key: string;
  readonly chain: string | undefined;
  readonly passwordFile: string | undefined;
  readonly isRelease: boolean;
  readonly out: string | undefined;
  readonly ownerRoot: boolean;
}

export async function build(directory: string, words: BuildWords): Promise<void> {
  const text = await readSmallFile(words.key);
  const chainText = words.chain === undefined ? undefined : await readSmallFile(words.chain);
  const { key, password } = await unlock(words.key, text, words.passwordFile);
  if (words.isRelease) checkReleaseKey(key, password);
  const chain =
    chainText === undefined ? chainOf(key) : parseChain(words.chain ?? "the chain", chainText);
  const { path, bundle } = await buildBundle(directory, {
    ...words,
    key,
    chain,
    say: (line) => console.log(line),
  });
  const { manifest, identity, layout, signer } = bundle;
  console.log(`written    ${relative(process.cwd(), path)}, ${printSize(layoutBytes(layout))}`);
  console.log(`release    ${manifest.release}, signed by ${signer.id}`);
  console.log(`identity   ${identity}`);
}

export async function clean(directory: string, released: boolean): Promise<void> {
  const { removed, kept } = await cleanProject(directory, released);
  console.log(
    removed.length > 0
      ? `removed: ${removed.join(", ")}`
      : `there is nothing ${kept.length > 0 ? "else " : ""}to remove`,
  );
  for (const { path, why } of kept) console.log(`kept: ${path}, ${why}`);
  if (kept.length > 0) {
    console.log(
      "devices may have them, and differences are made from them; --released removes them too",
    );
  }
}

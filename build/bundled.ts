/*
 * Golden from a bundle: the root that `zshield bundle root` makes of it for a device, kept as long as nothing that went into
 * it has changed. Owns: that root's place in the cache.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { bundleRoot, type RootWords } from "../src/commands/bundle-root.ts";
import { Refusal } from "../src/errors.ts";
import { cacheDirectory, digestOf, digestOfFile, removeAtOnce } from "./cache.ts";
import { told } from "./command.ts";
import { describeRoot, type Origin } from "./origin.ts";
import { digestOfSources } from "./parts.ts";

export interface BundleWords extends RootWords {
  readonly file: string;
}

/** @throws Refusal if the bundle is not to be trusted, or its root cannot become a golden */
export async function bundledOrigin(bundle: BundleWords): Promise<Origin> {
  const { file, keys, device, platform } = bundle;
  if (keys.length === 0) throw new Refusal("--bundle needs --key FILE.pub", "the vendor's key");
  for (const input of [file, device, ...keys]) {
    if (!existsSync(input)) throw new Refusal(`there is no ${input}`);
  }
  const sources = await digestOfSources(["../src/bundle", "../src/plan/root.ts", "bundled.ts"]);
  const digests = await Promise.all([file, device, ...keys].map((input) => digestOfFile(input)));
  const key = `bundle-${digestOf([sources, digests, platform])}`;
  const tree = path.join(cacheDirectory("bundle"), key);
  if (!existsSync(tree)) {
    // One is enough: they are large.
    await removeAtOnce(path.dirname(tree));
    await mkdir(path.dirname(tree), { recursive: true });
    await told("root of the bundle", () => bundleRoot(file, tree, bundle));
  }
  return { key, tree, epoch: undefined, ...(await describeRoot(tree)) };
}

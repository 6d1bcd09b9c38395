/*
 * `zshield bundle image`: a bootable virtual disk of a card whose golden system is what a device takes of a bundle. A card
 * needs GRUB and a rescue system, which only the builder in zshield's source tree makes; this finds it and runs it.
 */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { CommandError, EXIT, Failure, Refusal } from "../errors.ts";
import { quote, run } from "../host/command.ts";

export interface ImageWords {
  readonly file: string;
  readonly keys: readonly string[];
  readonly device: string;
  readonly platform: string | undefined;
  readonly out: string;
  readonly format: string | undefined;
  /** A zshield.toml. */
  readonly config: string | undefined;
  /** zshield's source tree; undefined: the one that this program lies in. */
  readonly builder: string | undefined;
}

/** @throws Refusal */
export async function bundleImage(words: ImageWords): Promise<void> {
  const wanted = builderWords(words);
  const places =
    words.builder === undefined
      ? [join(dirname(process.execPath), ".."), join(import.meta.dir, "../..")]
      : [resolve(words.builder)];
  const builder = places.find((place) => existsSync(join(place, "build/card.ts")));
  if (builder === undefined) {
    const command = `npm run card -- ${quote(wanted)}`;
    throw words.builder === undefined
      ? new Refusal(
          "a card is made by zshield's builder, and none is here",
          `in zshield's source tree: ${command}; or name the tree with --builder DIR`,
        )
      : new Refusal(`${words.builder} is not zshield's source tree`, "it has no build/card.ts");
  }
  const bun = join(builder, "node_modules/.bin/bun");
  // npm may lie where only the person's own path leads to.
  const path = `PATH=${process.env["PATH"] ?? ""}`;
  for (const argv of [
    ["sh", join(builder, "build/setup.sh"), "card"],
    [bun, join(builder, "build/card.ts"), ...wanted],
  ]) {
    await run(["env", path, ...argv], {
      onLine: (line, stream) => (stream === "stdout" ? console.log(line) : console.error(line)),
    }).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
      const isRefused = error.outcome.kind === "exit" && error.outcome.code === EXIT.refused;
      const why = "the builder says above why";
      if (isRefused) throw new Refusal("no virtual disk was made", why);
      throw new Failure("no virtual disk was made", why, error);
    });
  }
}

/** Whole paths: the builder is started elsewhere. */
function builderWords(words: ImageWords): string[] {
  const { file, keys, device, platform, out, format, config } = words;
  return [
    ...["--bundle", resolve(file), ...keys.flatMap((key) => ["--key", resolve(key)])],
    ...["--device", resolve(device), ...(platform === undefined ? [] : ["--platform", platform])],
    ...["--disk", resolve(out), ...(format === undefined ? [] : ["--format", format])],
    ...(config === undefined ? [] : ["--config", resolve(config)]),
  ];
}

/*
 * zshield.toml from the file system, or the defaults where there is none.
 */
import { existsSync, readFileSync } from "node:fs";
import { Refusal, messageOf } from "../errors.ts";
import { checkConfig, type Config } from "../model/config.ts";

export const CONFIG_FILE = "/etc/zshield/zshield.toml";

/** @throws Refusal with every fault and its path. */
export function loadConfig(path: string = CONFIG_FILE): Config {
  if (!existsSync(path)) {
    if (path === CONFIG_FILE) return checkConfig({});
    throw new Refusal(`${path}: there is no such file`);
  }
  return parseConfig(readFileSync(path, "utf8"), path);
}

/** For what must work with a damaged file too: telling an alarm. */
export function configOrDefaults(path: string = CONFIG_FILE): Config {
  try {
    return loadConfig(path);
  } catch {
    return checkConfig({});
  }
}

/** @throws Refusal, also for what is not TOML. */
export function parseConfig(text: string, name = "zshield.toml"): Config {
  let value: unknown;
  try {
    value = Bun.TOML.parse(text);
  } catch (error) {
    throw new Refusal(
      `${name}: is not TOML: ${messageOf(error)}`,
      "see https://toml.io for the format",
    );
  }
  return checkConfig(value);
}

/*
 * `__zshield/package.toml`: what a package says of itself. Owns: schema, defaults, printing. Parsing of TOML is the
 * caller's. No I/O.
 */
import * as v from "valibot";
import { parseDocument } from "./document.ts";
import { NAME, NAME_EXPECTED } from "./package-name.ts";
import { visible } from "./text.ts";

/** Inside the package's tree. */
export const PACKAGE_FILE = "__zshield/package.toml";

const DEFAULT_SECONDS = 60;
const MOST_SECONDS = 3600;
const MOST_WORDS = 64;
const MOST_WORD_BYTES = 4096;

export const ProgramVersion = v.pipe(
  v.string("must be a text"),
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9.+:~^_-]{0,127}$/,
    "must be 1 to 128 letters, digits and . + : ~ ^ _ -, a letter or digit first",
  ),
);

/** Of packages without versions, each once. */
export const Needs = v.pipe(
  v.array(
    v.pipe(v.string("must be a text"), v.regex(NAME, `must be ${NAME_EXPECTED}`)),
    "must be a list of names",
  ),
  v.check((names) => new Set(names).size === names.length, "must hold each name once"),
);

/** An argv with the program's whole path; empty for none. */
export const Command = v.pipe(
  v.array(
    v.pipe(
      v.string("must be a text"),
      v.check(
        (word) => !word.includes("\0") && word.isWellFormed(),
        "must hold neither NUL nor half a character",
      ),
      v.maxBytes(MOST_WORD_BYTES, `must be at most ${MOST_WORD_BYTES} bytes`),
    ),
    "must be a list of words",
  ),
  v.maxLength(MOST_WORDS, `must be at most ${MOST_WORDS} words`),
  v.check(
    ([program]) => program === undefined || isWholePath(program),
    "must begin with the whole path of a program, without . and ..",
  ),
);

function isWholePath(path: string): boolean {
  const [root, ...parts] = path.split("/");
  return (
    root === "" &&
    parts.length > 0 &&
    parts.every((part) => part !== "" && part !== "." && part !== "..")
  );
}

export const Seconds = v.pipe(
  v.number("must be a number of seconds"),
  v.integer("must be whole seconds"),
  v.minValue(1, `must be 1 to ${MOST_SECONDS}`),
  v.maxValue(MOST_SECONDS, `must be 1 to ${MOST_SECONDS}`),
);

const PackageSchema = v.pipe(
  v.strictObject({
    format: v.literal(1, "must be 1"),
    version: ProgramVersion,
    description: v.optional(
      v.pipe(
        v.string("must be a text"),
        v.maxLength(200, "must be at most 200 characters"),
        v.check((text) => visible(text) === text, "must be one line that one can see"),
      ),
      "",
    ),
    needs: v.optional(Needs, []),
    start: v.optional(Command, []),
    stop: v.optional(Command, []),
    health: v.optional(Command, []),
    "start-seconds": v.optional(Seconds, DEFAULT_SECONDS),
    "stop-seconds": v.optional(Seconds, DEFAULT_SECONDS),
    "health-seconds": v.optional(Seconds, DEFAULT_SECONDS),
  }),
  v.transform(({ version, description, needs, start, stop, health, ...limits }) => ({
    /** Of the program, in full. */
    version,
    description,
    needs,
    /** argv each; empty for none. */
    start,
    stop,
    health,
    seconds: {
      start: limits["start-seconds"],
      stop: limits["stop-seconds"],
      health: limits["health-seconds"],
    },
  })),
);
export type PackageDescription = v.InferOutput<typeof PackageSchema>;

/** `file`: for what is said. @throws Refusal with every fault and its path. */
export function checkPackage(value: unknown, file = PACKAGE_FILE): PackageDescription {
  return parseDocument(PackageSchema, value, file);
}

/** The file's text, without what is as by default. */
export function printPackage(description: PackageDescription): string {
  const { seconds } = description;
  const limits = (["start", "stop", "health"] as const).flatMap((moment) =>
    seconds[moment] === DEFAULT_SECONDS ? [] : [`${moment}-seconds = ${seconds[moment]}`],
  );
  const lists = (["needs", "start", "stop", "health"] as const).flatMap((key) =>
    description[key].length === 0 ? [] : [`${key} = ${tomlText(description[key])}`],
  );
  const lines = [
    "format = 1",
    `version = ${tomlText(description.version)}`,
    ...(description.description === ""
      ? []
      : [`description = ${tomlText(description.description)}`]),
    ...lists,
    ...limits,
  ];
  return lines.map((line) => `${line}\n`).join("");
}

/** JSON's texts and lists are TOML's too, but for DEL, which TOML wants escaped. */
function tomlText(value: string | readonly string[]): string {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

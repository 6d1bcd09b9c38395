/*
 * The Bun runtime that goes into the executable, sealed: Bun reads variables of the environment
 * before our code runs (BUN_BE_BUN makes a plain Bun of the program, BUN_OPTIONS loads other
 * people's code into it, BUN_INSPECT opens a debugger's port). Their names are overwritten in the
 * runtime's bytes with others that nobody sets. Owns: which bytes; fails if they are not as expected.
 */
import { existsSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import path from "node:path";
import { cacheDirectory, digestOf, keepFile, REPOSITORY } from "./cache.ts";

const RUNTIME = path.join(REPOSITORY, "node_modules/@oven/bun-linux-x64-baseline/bin/bun");
const PACKAGE = path.join(REPOSITORY, "node_modules/@oven/bun-linux-x64-baseline/package.json");

/** Each is known to take effect in a program that is compiled with this runtime. */
const MUST_BE_FOUND = [
  ...["BUN_BE_BUN", "BUN_OPTIONS", "BUN_INSPECT", "BUN_INSPECT_CONNECT_TO", "BUN_INSPECT_NOTIFY"],
  ...["BUN_INSPECT_PRELOAD", "BUN_BYTECODE_ORDER_OUT", "NODE_CHANNEL_FD"],
];
/** Valid wherever the name stands: in a table, in JavaScript as a property, in a message. */
const PREFIXES = [
  { name: "BUN_", becomes: "Z0S_", followedBy: /^[A-Z]{2}/ },
  { name: "NODE_CHANNEL_", becomes: "Z0S__CHANNEL_", followedBy: /^(FD|SERIALIZATION_MODE)/ },
] as const;
/** Names that machine code compares or puts together itself; each must stand there exactly once. */
const CODE = [
  // cmpb $'J',4(%r14); jne: the fifth letter of BUN_JSC_…, options of the engine
  { what: "BUN_JSC_…", find: "807e044a75", becomes: "807e040175" },
  // movabs $"mimalloc",%r13: options of the memory allocator
  { what: "mimalloc_…", find: "49bd6d696d616c6c6f63", becomes: "49bd7a30616c6c6f6301" },
] as const;

/** Path of the sealed runtime, made if it is not in the cache. */
export async function sealedRuntime(): Promise<string> {
  const { version } = (await Bun.file(PACKAGE).json()) as { version: string };
  const digest = digestOf([version, PREFIXES.map((p) => [p.name, p.becomes]), CODE]);
  const sealed = path.join(cacheDirectory("runtime"), `bun-${version}-${digest}`);
  if (existsSync(sealed)) return sealed;
  const bytes = Buffer.from(await Bun.file(RUNTIME).arrayBuffer());
  seal(bytes);
  await mkdir(path.dirname(sealed), { recursive: true });
  const partial = `${sealed}.${process.pid}`;
  await Bun.write(partial, bytes);
  await chmod(partial, 0o755);
  await keepFile(partial, sealed);
  return sealed;
}

/** Overwrites in place. @throws Error if a name is not where this runtime is known to have it. */
export function seal(bytes: Buffer): void {
  for (const name of MUST_BE_FOUND) {
    if (!bytes.includes(name)) throw new Error(`this Bun has no ${name}: look at build/runtime.ts`);
  }
  for (const { what, find, becomes } of CODE) {
    const pattern = Buffer.from(find, "hex");
    const at = bytes.indexOf(pattern);
    if (at < 0 || bytes.indexOf(pattern, at + 1) >= 0) {
      throw new Error(`this Bun reads ${what} in another way: look at build/runtime.ts`);
    }
    bytes.write(becomes, at, "hex");
  }
  for (const { name, becomes, followedBy } of PREFIXES) {
    if (name.length !== becomes.length) throw new Error(`${becomes} is not as long as ${name}`);
    for (let at = bytes.indexOf(name); at >= 0; at = bytes.indexOf(name, at + 1)) {
      const rest = bytes.toString("latin1", at + name.length, at + name.length + 20);
      if (followedBy.test(rest)) bytes.write(becomes, at, "latin1");
    }
  }
  for (const name of MUST_BE_FOUND) {
    if (bytes.includes(name)) throw new Error(`${name} is still in the runtime`);
  }
}

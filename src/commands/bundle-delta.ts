/*
 * `zshield bundle delta|apply-delta`: the difference between two bundles, and the way back from it.
 */
import { applyDelta, type ApplyTargets, type How } from "../bundle/delta-apply.ts";
import { makeDelta, type Decision } from "../bundle/delta-make.ts";
import { layoutBytes } from "../bundle/oci.ts";
import { checkFree, NEVER_REPLACED } from "../host/new-file.ts";
import { printSize } from "../model/size.ts";
import { writeJson } from "./write-out.ts";
import { readKeyFiles, signerLine, titleOf } from "./bundle.ts";

const print = (line: string) => console.log(line);

export interface DeltaFiles {
  readonly older: string;
  readonly newer: string;
  readonly out: string;
}

export async function delta(
  { older, newer, out }: DeltaFiles,
  { keys, json }: { readonly keys: readonly string[]; readonly json: boolean },
): Promise<void> {
  checkFree(out, NEVER_REPLACED);
  const say = json ? () => undefined : print;
  const made = await makeDelta(older, newer, out, {
    keys: await knownKeys(keys),
    onStart(before, after) {
      say(`old        ${titleOf(before)}`);
      say(`new        ${titleOf(after)}`);
      say(signerLine(after, keys.length > 0 ? "given" : "old"));
      say(`${"carried".padStart(12)}  ${"whole".padStart(12)}  how        what`);
    },
    onDecision: (decision) => say(decisionLine(decision)),
  });
  const wholeBytes = layoutBytes(made.newer.layout);
  if (json) {
    const ends = { old: made.older, new: made.newer };
    const [old, fresh] = Object.values(ends).map(({ manifest: { label, release }, identity }) => ({
      label,
      release,
      identity,
    }));
    const { decisions, sizeBytes } = made;
    return writeJson({ old, new: fresh, sizeBytes, wholeBytes, decisions });
  }
  const share = ((100 * made.sizeBytes) / wholeBytes).toFixed(1);
  print(
    `${out}: ${printSize(made.sizeBytes)}, ${share} % of the whole bundle's ${printSize(wholeBytes)}`,
  );
}

export async function applyFile(
  older: string,
  file: string,
  targets: ApplyTargets,
  keys: readonly string[],
): Promise<void> {
  if (targets.out !== undefined) checkFree(targets.out, NEVER_REPLACED);
  await applyDelta(older, file, targets, {
    keys: await knownKeys(keys),
    onManifest: (newer) =>
      print(`${file} leads to ${titleOf(newer)}, signed by ${newer.signer.id}`),
    onContent: ({ item: { name } }, how: How) => print(`${how.padEnd(13)}  ${name}`),
  });
  if (targets.images !== undefined) print(`${targets.images}: every image is right`);
  if (targets.out !== undefined) print(`${targets.out}: the new bundle, byte for byte`);
}

/** Without one the old bundle's own last key counts, as it does for a device that has taken it. */
async function knownKeys(files: readonly string[]): Promise<readonly string[] | undefined> {
  return files.length === 0 ? undefined : readKeyFiles(files);
}

function decisionLine({ name, before, method, carriedBytes, wholeBytes }: Decision): string {
  const sizes = [carriedBytes, wholeBytes].map((bytes) => String(bytes).padStart(12));
  const names = before === undefined || before === name ? name : `${before} → ${name}`;
  return `${sizes.join("  ")}  ${method.padEnd(9)}  ${names}`;
}

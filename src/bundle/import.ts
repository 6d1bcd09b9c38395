/*
 * A bundle that has been in a registry, made one file again: the same bytes as before, since all that is not in the
 * signed part or a blob follows from them.
 * Owns: the way back.
 */
import { Refusal } from "../errors.ts";
import { openLayout, readParts } from "./layout.ts";
import { blobName } from "./oci.ts";
import { openSigned, type KnownKeys, type SignedBundle } from "./signed.ts";
import { writeBundle } from "./write.ts";

/** From a directory or a tar. @throws Refusal, and then there is no file */
export async function importBundle(
  from: string,
  out: string,
  keys: KnownKeys,
): Promise<SignedBundle> {
  const layout = openLayout(from);
  const bundle = openSigned(from, await readParts(layout, from), keys);
  for (const { sha256, sizeBytes, what } of bundle.layout.blobs) {
    const found = layout.sizeOf(blobName(sha256));
    if (found === sizeBytes) continue;
    throw new Refusal(
      found === undefined
        ? `${from} has no blob of ${what}, ${sha256}`
        : `${from}: the blob of ${what} has ${found} bytes, not ${sizeBytes}`,
      "skopeo copies all platforms of a bundle with --all",
    );
  }
  await writeBundle(out, bundle.layout, ({ sha256 }) => layout.pieces(blobName(sha256)));
  return bundle;
}

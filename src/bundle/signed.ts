/*
 * The signed part of a bundle: manifest, signature and chain of keys, taken together or not at all.
 * Owns: when a manifest counts, and how one is signed. No I/O.
 */
import { Refusal } from "../errors.ts";
import {
  parseBundleManifest,
  printBundleManifest,
  type BundleManifest,
} from "../model/bundle-manifest.ts";
import { followChain, lastKey, parseChain, printChain, type Chain } from "../model/chain.ts";
import { decodeText } from "../model/document.ts";
import { printPublicKey, vendorOf, type PublicKey, type SecretKey } from "../model/minisign.ts";
import { COMMENT, isSameKey, signMessage, verifySignature } from "../model/signature.ts";
import { planLayout, sha256Of, type BundleLayout, type SignedParts } from "./oci.ts";

/** Larger than any that is one: 64 keys need half of it. */
export const MOST_CHAIN_BYTES = 65_536;
export const MOST_SIGNATURE_BYTES = 4096;

/**
 * Public keys in base64 that are trusted; none, or no list, is refused. `whoever-signed` trusts nobody and takes
 * the chain's own keys: for people who look into a bundle, never for a device.
 */
export type KnownKeys = readonly string[] | undefined | "whoever-signed";

export interface SignedBundle {
  readonly manifest: BundleManifest;
  readonly parts: SignedParts;
  readonly layout: BundleLayout;
  /** The bundle's identity: SHA-256 of the manifest. */
  readonly identity: string;
  readonly chain: Chain;
  /** The last of the chain. */
  readonly signer: PublicKey;
}

/** Nothing of the manifest is looked at before its signature. `name`: of the file. @throws Refusal */
export function openSigned(name: string, parts: SignedParts, known: KnownKeys): SignedBundle {
  if (parts.chain.length > MOST_CHAIN_BYTES)
    throw new Refusal(`the key chain in ${name} is too long`);
  if (parts.signature.length > MOST_SIGNATURE_BYTES) {
    throw new Refusal(`the signature in ${name} is too long`);
  }
  const where = `the key chain in ${name}`;
  const chain = parseChain(where, decodeText(parts.chain, where));
  const signer = followChain(
    chain,
    known === "whoever-signed" ? chain.keys.map(printPublicKey) : known,
  );
  const what = `the signature in ${name}`;
  const { trustedComment } = verifySignature({
    name: what,
    message: parts.manifest,
    signature: decodeText(parts.signature, what),
    keys: [printPublicKey(signer)],
    untrustedComment: COMMENT.bundle,
  });
  const manifest = parseBundleManifest(decodeText(parts.manifest, `the manifest in ${name}`));
  if (trustedComment !== commentOf(manifest)) {
    throw new Refusal(`${what} is for another bundle: "${trustedComment}"`);
  }
  if (manifest.vendor !== vendorOf(chain.keys[0])) {
    throw new Refusal(`the key chain in ${name} does not begin with the manifest's vendor`);
  }
  const layout = planLayout(manifest, parts);
  return { manifest, parts, layout, identity: sha256Of(parts.manifest), chain, signer };
}

/** @throws Refusal if another key than the chain's last one is to sign. */
export function checkSigns(key: SecretKey, chain: Chain): void {
  if (isSameKey(lastKey(chain), key)) return;
  throw new Refusal(
    `the last key of the chain is ${lastKey(chain).id}, not ${key.id}`,
    "the last key signs: name its file with --key",
  );
}

/** `chain` ends with `key`. */
export function signBundle(manifest: BundleManifest, key: SecretKey, chain: Chain): SignedParts {
  checkSigns(key, chain);
  const text = printBundleManifest(manifest);
  const encoder = new TextEncoder();
  const comments = { untrustedComment: COMMENT.bundle, trustedComment: commentOf(manifest) };
  return {
    manifest: encoder.encode(text),
    signature: encoder.encode(signMessage(key, text, comments)),
    chain: encoder.encode(printChain(chain)),
  };
}

function commentOf({ label, release }: BundleManifest): string {
  return `${COMMENT.bundle} ${label} release ${release}`;
}

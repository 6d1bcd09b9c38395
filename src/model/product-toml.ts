/*
 * product.toml in the root of a vendor's project: which product a bundle is of, and which release.
 * Owns: schema, printing. src/bundle/README.md describes it. Parsing of TOML is the caller's. No I/O.
 */
import * as v from "valibot";
import { Refusal } from "../errors.ts";
import { parseDocument } from "./document.ts";
import { MOST_NUMBER, NAME, NAME_EXPECTED, PRODUCT, PRODUCT_EXPECTED } from "./package-name.ts";

export const PRODUCT_FILE = "product.toml";

const whole = (least: number, most: number, range: string) =>
  v.pipe(
    v.number("must be a number"),
    v.integer("must be a whole number"),
    v.minValue(least, `must be ${range}`),
    v.maxValue(most, `must be ${range}`),
  );

export const ProductName = v.pipe(
  v.string("must be a text"),
  v.regex(PRODUCT, `must be ${PRODUCT_EXPECTED}`),
);
export const Major = whole(0, MOST_NUMBER, `0 to ${MOST_NUMBER}`);
export const Release = whole(1, Number.MAX_SAFE_INTEGER, "1 or more, below 2^53");
export const SecurityFloor = whole(0, Number.MAX_SAFE_INTEGER, "0 or more, below 2^53");

const ProductSchema = v.pipe(
  v.strictObject({
    format: v.literal(1, "must be 1"),
    vendor: v.pipe(v.string("must be a text"), v.regex(NAME, `must be ${NAME_EXPECTED}`)),
    product: ProductName,
    major: Major,
    release: Release,
    "security-floor": v.optional(SecurityFloor, 0),
  }),
  v.transform(({ vendor, product, major, release, "security-floor": securityFloor }) => ({
    vendor,
    product,
    major,
    /** Counts up; which of two bundles is newer. */
    release,
    /** Releases below are not taken any more after this one. */
    securityFloor,
  })),
);
export type Product = v.InferOutput<typeof ProductSchema>;

/** `file`: for what is said. @throws Refusal with every fault and its path. */
export function checkProduct(value: unknown, file = PRODUCT_FILE): Product {
  const product = parseDocument(ProductSchema, value, file);
  if (product.securityFloor > product.release) {
    throw new Refusal(
      `${file}: security-floor: is ${product.securityFloor}, above this release itself, ${product.release}`,
    );
  }
  return product;
}

export function printProduct(product: Product): string {
  return [
    "format = 1",
    `vendor = "${product.vendor}"`,
    `product = "${product.product}"`,
    `major = ${product.major}`,
    `release = ${product.release}`,
    `security-floor = ${product.securityFloor}`,
    "",
  ].join("\n");
}

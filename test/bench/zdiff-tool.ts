/*
 * zdiff1 in a process of its own, so that its time and memory are its own: `make OLD NEW FILE` or `apply OLD FILE NEW BYTES`.
 */
import { applyDifference } from "../../src/bundle/zdiff.ts";
import { makeDifference } from "../../src/bundle/zdiff/make.ts";

const [verb, first = "", second = "", third = "", size = ""] = process.argv.slice(2);
if (verb === "make") await makeDifference(first, second, third);
else await applyDifference(first, { path: second }, third, Number(size));

/*
 * Small files: there whole or not at all, and never more of one is read than a small file has.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSmallFile } from "../../src/host/new-file.ts";

test("what has no size and no end is refused", async () => {
  assert.match(await readSmallFile("/dev/zero").catch(String), /\/dev\/zero .*it is too large/);
});

test("what has no size is read up to its end", async () => {
  assert.match(await readSmallFile("/proc/self/status"), /^Name:/);
});

test.run();

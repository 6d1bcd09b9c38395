/*
 * A disk that is pulled out while it is looked at. What the probe finds on real disks is proved by
 * test/lab/probe-on-loops.ts.
 */
import { readdirSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { readDiskInTime } from "../../src/host/probe.ts";
import { checkFound } from "../../src/host/recheck.ts";
import { disk } from "./example.ts";

const usage = { mounts: [], swaps: [] };
const found = (kernelName: string) => ({ ...disk({ path: "/dev/zs-gone" }), kernelName });

test("a disk that has gone is left out, and does not end the look at the others", async () => {
  assert.is(await readDiskInTime(found("zs-gone"), usage), undefined);
});

test("one that is pulled out in the last look before the first write has gone: nothing was written", async () => {
  try {
    await checkFound(disk(), found("zs-gone"));
  } catch (error) {
    assert.instance(error, Refusal);
    assert.match((error as Refusal).message, /has gone$/);
    assert.match((error as Refusal).hint, /nothing was written/);
    return;
  }
  assert.unreachable();
});

const [there] = readdirSync("/sys/block");
if (there !== undefined) {
  test("one that is there and cannot be read stays in the picture, with the reason", async () => {
    const seen = await readDiskInTime(found(there), usage);
    assert.match(String(seen?.disk.blank), /^could not be read: /);
  });
}

test.run();

/*
 * What a killed run left mounted: ours and nothing else, newest first.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { leftDirectories, leftMounts } from "../../src/host/left-over.ts";

test("the mounts of a killed look, verify or change; nobody else's", () => {
  const targets = [
    "/",
    "/run/zshield/esp",
    "/run/zshield/look-Ab3dE9",
    "/run/zshield/look-Ab3dE9",
    "/run/zshield/look-mine/below",
    "/mnt/run/zshield/look-Ab3dE9",
    "/run/zshield/verify",
    "/run/zshield/golden",
  ];
  assert.equal(leftMounts(targets.map((target) => ({ target }))), [
    "/run/zshield/verify",
    "/run/zshield/look-Ab3dE9",
    "/run/zshield/look-Ab3dE9",
    "/run/zshield/esp",
  ]);
});

test("their directories", () => {
  const names = ["alarms.json", "look-Ab3dE9", "look-", "look-Ab3dE9x", "lock"];
  assert.equal(leftDirectories(names), ["look-Ab3dE9"]);
});

test.run();

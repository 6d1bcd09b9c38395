/*
 * The controls of the scenarios take a protection out of the agent: what they take out has to be there, or
 * it shows only at the end of an hour under emulation.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { PROJECT } from "../lab/scratch.ts";

const MUTATION = /file: ("[^"]+"),\s*from: ("(?:[^"\\]|\\.)*"),/g;

test("what a control takes out stands in src/ exactly once", () => {
  const directory = join(PROJECT, "test/qemu");
  let mutants = 0;
  for (const name of readdirSync(directory)) {
    const scenario = readFileSync(join(directory, name), "utf8");
    const found = [...scenario.matchAll(MUTATION)];
    assert.is(found.length, scenario.split("await mutate(").length - 1, `${name}: not understood`);
    for (const [, file = "", from = ""] of found) {
      const source = readFileSync(join(PROJECT, "src", JSON.parse(file)), "utf8");
      assert.is(source.split(JSON.parse(from)).length - 1, 1, `${name}: ${from} in ${file}`);
      mutants += 1;
    }
  }
  assert.ok(mutants > 0);
});

test.run();

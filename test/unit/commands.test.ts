/*
 * The verbs' words: what is refused before anything is looked at.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runCommand, usageOf, VERBS } from "../../src/commands.ts";
import { UsageError } from "../../src/errors.ts";

for (const [words, reason] of [
  ["backup list --force", /knows no --force/],
  ["backup --json", /knows no --json/],
  ["backup verify --yes", /knows no --yes/],
  ["backup hold", /needs a reason/],
  ["backup release now", /what is "now"/],
  ["backup rotate", /no "backup rotate"/],
  ["backup a b c", /takes 0 to 2 words/],
  ["restore", /takes 1 words/],
  ["restore first", /no restore "first"/],
  ["restore latest --force", /--force/],
  ["upgrade-guard begin", /takes 2 words/],
  ["upgrade-guard middle apt", /no moment "middle"/],
  ["check now", /takes 0 words/],
  ["mask list zfs-1.0.8.1-7.2-000000", /no "mask list"/],
  ["report collect", /takes 2 or more words/],
  ["report print x", /no report "print"/],
  ["report collect x --xml y", /--xml/],
  ["card write", /takes 2 or more words/],
  ["card write card.img", /needs a device, or --serial/],
  ["card read card.img /dev/sdb", /no card "read"/],
  ["bundle root a.upt b", /takes one --device/],
  ["bundle image a.upt --key b.pub", /needs --key and --out/],
  ["bundle image a.upt --key b.pub --out c.qcow2", /takes one --device/],
  ["bundle image a.upt --key b.pub --device c --out d.qcow2 --format iso", /no format "iso"/],
  ["plan tomorrow", /no plan "tomorrow"; known: .*backup/],
] as [string, RegExp][]) {
  test(`zshield ${words}`, async () => {
    const error = await runCommand(words.split(" ")).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assert.instance(error, UsageError);
    assert.match(error instanceof Error ? error.message : "", reason);
  });
}

test("help names what it was asked for, in lines that fit", () => {
  for (const { name } of VERBS) {
    for (const line of usageOf(name).split("\n")) assert.ok(line.length <= 100, line);
  }
  const lines = usageOf("bundle", "apply-delta").split("\n");
  assert.is(
    lines[0],
    "usage: zshield bundle apply-delta OLD FILE.upd [--out FILE.upt] [--images DIR]",
  );
  assert.is(lines[1], "           [--key PUB…]");
  assert.is(lines.length, 3);
  assert.match(
    usageOf("bundle", "bogus"),
    /^usage: zshield bundle new DIR\n {7}zshield bundle build DIR --key FILE/,
  );
});

test("each verb says how it is used", () => {
  for (const { name, usage } of VERBS) assert.ok(usage.startsWith(name), name);
});

test.run();

/*
 * What `zshield status` tells, and why it does not count a disk that looks like ours.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Machine } from "../../src/model/machine.ts";
import type { Result } from "../../src/model/result.ts";
import { GIB } from "../../src/model/size.ts";
import type { StateRecord } from "../../src/model/state.ts";
import type { RunningFacts, Status } from "../../src/model/status.ts";
import { statusOf as statusWith } from "../../src/plan/status.ts";
import { statusLines } from "../../src/ui/plain.ts";
import { disk, facts, installed, machine, record, TAKEN_SECONDS } from "./example.ts";

const old = installed(5 * GIB);
const found = {
  disk: old.disk,
  group: {
    ...old.group,
    volumes: old.group.volumes.map((volume) =>
      volume.name === "snap0"
        ? {
            ...volume,
            dataPercent: 12.5,
            tags: [
              ...["zshield", `zshield.time=${TAKEN_SECONDS}`, "zshield.reason=nightly"],
              ...["zshield.version=0.0.9", "zshield.hold=upgrade:apt", "zshield.boot=b00t"],
            ],
          }
        : volume,
    ),
  },
};
const here = machine([found.disk], [found.group]);

function statusOf(of: Machine, more: Partial<RunningFacts> = {}): Status {
  return statusWith(of, { ...facts, ...more });
}

test("an installation with its backup: no trouble", () => {
  const status = statusOf(machine([found.disk], [found.group]));
  assert.is(status.version, "0.0.9");
  assert.equal(status.trouble, []);
  assert.is(status.good, true);
});

test("at a glance: every line that a person wants", () => {
  const status = statusOf(here, {
    snapshot: { chunkBytes: 65_536, monitor: "monitored" },
    disks: [{ path: "/dev/vda", verdict: "good" }],
  });
  assert.equal(statusLines(status), [
    "installed version: 0.0.9",
    "disk: /dev/vda",
    "health of /dev/vda: good",
    "backup: 2026-09-21 14:13 UTC (nightly), 1.0 h old, version 0.0.9",
    "  4 GiB, 12.5 % full, grows while it fills",
    "  on hold: upgrade:apt",
    "last recovery: none recorded",
  ]);
});

test("an alarm that was told keeps it red, with no trouble now", () => {
  const alarms = [{ name: "fill-50", text: "50 % full", timeSeconds: TAKEN_SECONDS }];
  const status = statusOf(here, { alarms });
  assert.equal(status.trouble, []);
  assert.is(status.good, false);
  assert.match(statusLines(status).join("\n"), /alarm of 2026-09-21 14:13 UTC: 50 % full/);
});

test("of several thresholds the highest is told", () => {
  const volumes = found.group.volumes.map((volume) =>
    volume.name === "snap0" ? { ...volume, dataPercent: 85 } : volume,
  );
  const { trouble } = statusOf(machine([found.disk], [{ ...found.group, volumes }]));
  assert.equal(trouble, ["the backup is 85 % full; at 100 % it is lost"]);
});

test("what the next start will do, and when the last recovery was", () => {
  const lastResult: Result = {
    schema: 1,
    operation: "latest",
    outcome: "success",
    changed: true,
    version: "0.0.9",
    steps: [],
    peakMemoryBytes: 1,
  };
  const { document } = record();
  const linesWith = (
    more: Partial<StateRecord["document"]>,
    operation: StateRecord["operation"] = "latest",
  ) => {
    const state = record({
      ...{ phase: "requested", operation },
      document: { ...document, ...more },
    });
    const status = statusOf(machine([{ ...found.disk, state }], [found.group]));
    return statusLines(status).join("\n");
  };
  const lines = linesWith({ lastResult, lastResultSeconds: TAKEN_SECONDS });
  assert.match(lines, /next start: the backup is put back/);
  assert.match(lines, /last recovery: latest, success, version 0\.0\.9, 2026-09-21 14:13 UTC/);
  assert.match(linesWith({}, "test"), /next start: the factory tests/);
  assert.match(linesWith({ lastResult }), /version 0\.0\.9, a time that was not noted/);
});

test("a backup that overflowed, and one that is missing", () => {
  const volumes = found.group.volumes.map((volume) => ({
    ...volume,
    invalid: volume.name === "snap0",
  }));
  const overflowed = statusOf(machine([found.disk], [{ ...found.group, volumes }]));
  assert.match(overflowed.trouble.join(), /it overflowed/);
  const without = found.group.volumes.filter(({ name }) => name !== "snap0");
  const missing = statusOf(machine([found.disk], [{ ...found.group, volumes: without }]));
  assert.match(missing.trouble.join(), /there is no backup/);
});

for (const [title, of, wanted] of [
  ["no disk of ours", machine([disk()]), /^no installation of zshield was found$/],
  ["its group is gone", machine([found.disk]), /its volume group was not found/],
  [
    "its group is partial",
    machine([found.disk], [{ ...found.group, partial: true }]),
    /is not whole or not ours/,
  ],
  [
    "the state of another disk",
    machine([{ ...found.disk, serial: "OTHER" }], [found.group]),
    /written for another disk: its serial number is "OTHER", not "ZS-0001"/,
  ],
  [
    "LVM did not answer",
    { ...machine([found.disk]), groupsTrouble: "LVM could not be asked" },
    /LVM could not be asked/,
  ],
  [
    "damaged state",
    machine([disk({ stateTrouble: "copy a does not match its digest" })]),
    /its state: copy a does not match/,
  ],
] as const) {
  test(`no installation, with the reason: ${title}`, () => {
    assert.match(statusOf(of).trouble.join("; "), wanted);
  });
}

test("an interrupted recovery is trouble", () => {
  const interrupted = record({ phase: "recovering" });
  assert.ok(statusOf(machine([disk({ state: interrupted })])).trouble.length > 0);
});

test.run();

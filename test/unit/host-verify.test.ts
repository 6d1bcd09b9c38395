/*
 * The proof after the copy: every kind of difference is seen, and only what may differ may differ.
 */
import { createHash } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseRsyncProgress } from "../../src/host/rsync.ts";
import { verityTable } from "../../src/host/golden.ts";
import { compareTrees } from "../../src/host/verify.ts";
import type { Entry } from "../../src/model/manifest.ts";
import { description } from "./example.ts";

const file = (path: string, changes: Partial<Entry> = {}): Entry => ({
  path,
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 1,
  sizeBytes: 3,
  sha256: "a".repeat(64),
  ...changes,
});
const golden = [
  file("/bin/sh"),
  file("/etc/fstab"),
  file("/etc/ssh/sshd_config"),
  file("/etc/x_key"),
];
const written = { path: "/etc/fstab", mode: 0o644, text: "none\n" };
const fstab = file("/etc/fstab", {
  sizeBytes: 5,
  sha256: createHash("sha256").update(written.text).digest("hex"),
});
const installed = [
  golden[0] as Entry,
  fstab,
  file("/etc/ssh/key"),
  file("/user", { type: "directory" }),
];
const rules = { files: [written], mayDiffer: ["/etc/ssh/", "/etc/x_*", "/user"] };

test("a right root has no differences", () => {
  assert.equal(compareTrees(golden, installed, rules), []);
});

for (const [title, found, wanted] of [
  ["a missing file", installed.slice(1), /\/bin\/sh is missing/],
  ["a file too many", [...installed, file("/evil")], /\/evil is not in golden/],
  [
    "another content",
    [file("/bin/sh", { sha256: "b".repeat(64) }), ...installed.slice(1)],
    /\/bin\/sh has sha256/,
  ],
  [
    "another mode",
    [file("/bin/sh", { mode: 0o4755 }), ...installed.slice(1)],
    /has mode 04755, not 0644/,
  ],
  [
    "another owner",
    [file("/bin/sh", { uid: 1000 }), ...installed.slice(1)],
    /belongs to 1000:0, not 0:0/,
  ],
  [
    "a lost capability",
    [file("/bin/sh", { xattrs: { "security.capability": "AA==" } }), ...installed.slice(1)],
    /extended attributes/,
  ],
  [
    "a broken hard link",
    [file("/bin/sh", { link: "/bin/dash" }), ...installed.slice(1)],
    /has link/,
  ],
  [
    "what recovery wrote is not there",
    [golden[0] as Entry, file("/etc/fstab"), ...installed.slice(2)],
    /\/etc\/fstab is not as recovery wrote it/,
  ],
  [
    "what recovery wrote has another mode",
    [golden[0] as Entry, { ...fstab, mode: 0o600 }, ...installed.slice(2)],
    /\/etc\/fstab is not as recovery wrote it/,
  ],
  [
    "a name that only begins like one that may differ",
    [...installed, file("/user2")],
    /\/user2 is not in golden/,
  ],
] as [string, Entry[], RegExp][]) {
  test(`seen: ${title}`, () => {
    const differences = compareTrees(golden, found, rules);
    assert.is(differences.length, 1, differences.join("; "));
    assert.match(differences[0] ?? "", wanted);
  });
}

for (const [line, bytes] of [
  ["    123,456,789  45%   10.00MB/s    0:00:05 (xfr#1, to-chk=2/3)", 123_456_789],
  ["              0   0%    0.00kB/s    0:00:00", 0],
  ["rsync: write failed", undefined],
  ["", undefined],
] as const) {
  test(`rsync's line "${line}"`, () => assert.is(parseRsyncProgress(line), bytes));
}

test("the table of dm-verity: sectors, blocks, and the hash tree right behind the file system", () => {
  assert.is(
    verityTable("/dev/sda3", description.golden),
    `0 1638400 verity 1 /dev/sda3 /dev/sda3 4096 4096 204800 204800 sha256 ${"a".repeat(64)} bb`,
  );
});

test.run();

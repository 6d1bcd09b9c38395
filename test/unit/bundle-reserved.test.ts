/*
 * What no package may have where a root's own files come. The host tests see what would happen.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { faultOfPlaces } from "../../src/bundle/reserved.ts";
import type { Entry } from "../../src/model/manifest.ts";

const BOOT = [{ name: "vmlinuz" }, { name: "memtest" }];
const faultOf = (path: string, type: Entry["type"]) =>
  faultOfPlaces([{ path, type, mode: 0o755, uid: 0, gid: 0 }], BOOT);

test("what lies on the way to them is a directory", () => {
  for (const path of ["boot", "etc", "usr", "usr/lib", "usr/lib/modules", "usr/lib/zshield"]) {
    assert.is(faultOf(`/${path}`, "directory"), undefined);
    for (const type of ["symlink", "file", "fifo"] as const) {
      assert.is(
        faultOf(`/${path}`, type),
        `/${path} is a ${type} in it, and has to be a directory`,
      );
    }
  }
});

test("accounts and what is kept of them are files", () => {
  for (const name of ["passwd", "group", "shadow", "gshadow", "passwd-", "gshadow-", ".pwd.lock"]) {
    assert.is(faultOf(`/etc/${name}`, "file"), undefined);
    for (const type of ["symlink", "directory", "fifo"] as const) {
      assert.is(
        faultOf(`/etc/${name}`, type),
        `/etc/${name} is a ${type} in it, and has to be a file`,
      );
    }
  }
});

test("where a file of the root comes is no directory; a package's file gives way", () => {
  const names = ["vmlinuz-6.1.0-1", "initrd.img-6.1.0-1", "memtest"].map((name) => `/boot/${name}`);
  for (const path of [...names, "/usr/lib/zshield/bundle.json", "/etc/ld.so.cache"]) {
    assert.is(faultOf(path, "file"), undefined);
    assert.is(faultOf(path, "symlink"), undefined);
    assert.match(
      String(faultOf(path, "directory")),
      "is a directory in it, and a file of the root",
    );
  }
  assert.is(faultOf("/boot/grub", "directory"), undefined);
  assert.match(
    String(faultOf("/usr/lib/zshield/packages", "directory")),
    "which is kept for zshield",
  );
});

test.run();

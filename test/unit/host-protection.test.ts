/*
 * The other disks are read-only while a recovery goes on, and as they were afterwards.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { closeEverything } from "../../src/host/closing.ts";
import { makeProtection } from "../../src/host/protection.ts";

/** A kernel with these devices; a partition says that it is read-only where its disk is. */
function kernel(readOnly: readonly string[], gone: readonly string[] = []) {
  const shut = new Set(readOnly);
  const did: string[] = [];
  const said: string[] = [];
  const protection = makeProtection({
    isReadOnly: async (device) => shut.has(device) || shut.has(device.replace(/\d+$/, "")),
    async set(device, access) {
      if (gone.includes(device) && access === "rw") throw new Error("no such device");
      did.push(`${access} ${device}`);
      if (access === "ro") shut.add(device);
      else shut.delete(device);
    },
  });
  const log = (line: string) => void said.push(line);
  return { protection, log, shut, did, said };
}

test("each device is set, the partitions of a disk too, and taken back in the other order", async () => {
  const { protection, log, shut, did } = kernel([]);
  await protection.protect(["/dev/sdb", "/dev/sdb1"], log);
  assert.equal([...shut], ["/dev/sdb", "/dev/sdb1"]);
  await protection.lift(log);
  assert.equal(did.slice(2), ["rw /dev/sdb1", "rw /dev/sdb"]);
  assert.is(shut.size, 0);
});

test("what was read-only before stays so: a switch on the card, or an administrator's own word", async () => {
  const { protection, log, shut, did } = kernel(["/dev/sda"]);
  await protection.protect(["/dev/sda", "/dev/sda1", "/dev/sdb"], log);
  assert.equal(did, ["ro /dev/sdb"]);
  await protection.lift(log);
  assert.equal([...shut], ["/dev/sda"]);
});

test("a second attempt protects again; it is taken back once", async () => {
  const { protection, log, did } = kernel([]);
  for (let attempt = 0; attempt < 2; attempt++) {
    await protection.protect(["/dev/sdb"], log);
    await protection.protect(["/dev/sdb"], log);
    await protection.lift(log);
    await protection.lift(log);
  }
  assert.equal(did, ["ro /dev/sdb", "rw /dev/sdb", "ro /dev/sdb", "rw /dev/sdb"]);
});

test("a disk that was pulled out keeps no other one from being lifted", async () => {
  const { protection, log, shut, said } = kernel([], ["/dev/sdc"]);
  await protection.protect(["/dev/sdb", "/dev/sdc"], log);
  await protection.lift(log);
  assert.not.ok(shut.has("/dev/sdb"));
  assert.equal(said, ["/dev/sdc: no such device"]);
});

test("a disk that does not answer does not keep the others read-only", async () => {
  const { protection, log, shut, said } = kernel([]);
  await protection.protect(["/dev/sdb"], log);
  // LVM cannot even be started with this name, as it does not end where the disk of the group does not answer.
  await closeEverything("v\0", log, protection);
  assert.match(said.join("\n"), /^closing: lvm /);
  assert.is(shut.size, 0);
});

test.run();

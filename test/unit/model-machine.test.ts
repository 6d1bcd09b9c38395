/*
 * Recorded machines: each is a Machine, bad ones are refused with paths, and the look-ups say why.
 */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { parseMachine } from "../../src/model/machine-schema.ts";
import { describeDisk, identityOf, whyNotSameDisk, type Machine } from "../../src/model/machine.ts";
import { printSize } from "../../src/model/size.ts";
import { contentOf } from "../../src/plan/target.ts";
import { disk } from "./example.ts";

const folder = new URL("../machines/", import.meta.url).pathname;
const names = readdirSync(folder).filter((name) => name.endsWith(".json"));
const read = (name: string): Machine =>
  parseMachine(readFileSync(`${folder}${name}.json`, "utf8"), name);

test("there are machines", () => {
  assert.ok(names.length >= 13);
});

for (const name of names) {
  test(`${name} is a machine, and the same after a round trip`, () => {
    const text = readFileSync(`${folder}${name}`, "utf8");
    assert.equal(JSON.parse(text), parseMachine(text, name));
    assert.match(text, /^[\x20-\x7e\n]*$/);
  });
}

const contents: Readonly<Record<string, string>> = {
  "blank-virtio": "blank",
  "two-equal-blank": "blank",
  installed: "ours",
  "foreign-lvm-vgroup": "foreign",
  "foreign-md": "foreign",
  "foreign-luks": "foreign",
  "too-small": "blank",
  "interrupted-claim": "begun",
  "interrupted-at-copy": "interrupted",
  "usb-stick-and-disk": "blank",
  "hostile-serial": "foreign",
  "megaraid-500g": "blank",
};
for (const [name, kind] of Object.entries(contents)) {
  test(`${name}: its disk is ${kind}`, () => {
    const found = read(name);
    const last = found.disks.at(-1);
    assert.is(last && contentOf(last, found).kind, kind);
  });
}

function faultsOf(value: unknown): string {
  try {
    parseMachine(JSON.stringify(value), "m.json");
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "";
}

test("a bad machine is refused with every fault and its path", () => {
  const good = read("blank-virtio");
  const faults = faultsOf({
    ...good,
    firmware: "coreboot",
    disks: [{ ...good.disks[0], sizeBytes: -1, blank: false, extra: 1 }],
  });
  assert.match(faults, /^m\.json: firmware: /m);
  assert.match(faults, /^m\.json: disks\.0\.sizeBytes: /m);
  assert.match(faults, /^m\.json: disks\.0\.blank: /m);
  assert.match(faults, /^m\.json: disks\.0\.extra: there is no such key/m);
});

test("missing and unknown parts, another schema, no JSON at all", () => {
  const { disks: _, ...without } = read("blank-virtio");
  assert.match(faultsOf(without), "disks: is missing");
  assert.match(faultsOf({ ...read("no-disk"), schema: 2 }), "schema: ");
  assert.match(faultsOf([]), "m.json: ");
  assert.throws(
    () => parseMachine("{", "m.json"),
    (error: unknown) => error instanceof Refusal && error.message === "m.json is not JSON",
  );
});

test("a disk is known by serial, WWN, size and model, never by its path", () => {
  const here = disk({ wwn: "0x5" });
  assert.is(whyNotSameDisk({ ...here, path: "/dev/sdz" }, here), undefined);
  for (const [changes, difference] of [
    [{ serial: "X" }, { of: "serial", found: "X", wanted: "ZS-0001" }],
    [{ wwn: "" }, { of: "wwn", found: "", wanted: "0x5" }],
    [{ sizeBytes: 1 }, { of: "size", found: "1", wanted: String(here.sizeBytes) }],
    [{ model: "Y" }, { of: "model", found: "Y", wanted: "QEMU HARDDISK" }],
  ] as const) {
    assert.equal(whyNotSameDisk({ ...here, ...changes }, here), difference);
  }
});

test("a disk is named to people with what it tells of itself", () => {
  assert.is(describeDisk(disk(), printSize), "QEMU HARDDISK, serial ZS-0001, 20 GiB (/dev/vda)");
  assert.match(
    describeDisk(disk({ model: "", serial: "" }), printSize),
    "without a model name, no serial number",
  );
});

test("an identity holds nothing but the identity", () => {
  assert.equal(Object.keys(identityOf(disk())).sort(), [
    "model",
    "path",
    "serial",
    "sizeBytes",
    "wwn",
  ]);
});

test.run();

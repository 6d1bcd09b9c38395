/*
 * Whatever the words of a vendor or a stranger are, the parsers of names and masks take them or refuse them.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal, messageOf } from "../../src/errors.ts";
import { parseDeviceRecord, printDeviceRecord } from "../../src/model/device-record.ts";
import { parseMaskFile, printMaskFile } from "../../src/model/mask-file.ts";
import {
  bundleFileName,
  parseBundleFileName,
  parsePackageName,
  printPackageName,
} from "../../src/model/package-name.ts";
import { checkPackage, printPackage } from "../../src/model/package-toml.ts";
import { checkProduct, printProduct } from "../../src/model/product-toml.ts";
import { asText, fuzz, type FuzzTarget } from "./fuzz.ts";

function parseToml(text: string): unknown {
  try {
    return Bun.TOML.parse(text);
  } catch (error) {
    throw new Refusal(messageOf(error));
  }
}

const TARGETS: readonly FuzzTarget[] = [
  {
    name: "package names",
    seeds: [
      "zfs-1.0.8.1-7.2-000000",
      "mysql-upgrade-10.3.8-12.40-C00001",
      "qemu.x_y+z-0.0.22.4.5-999999.0-FFFFFF",
    ],
    mostBytes: 4096,
    parse(input) {
      const text = asText(input);
      const name = parsePackageName(text);
      assert.is(printPackageName(name), text);
      assert.match(text, /^[A-Za-z0-9][A-Za-z0-9._+-]{17,119}$/);
    },
  },
  {
    name: "bundles' file names",
    seeds: ["xiaozhi-4.94.1122.upt", "xiaozhi-4.94.1122.upt.jpg", "video_a-b.c-0.0.0229.upt"],
    mostBytes: 4096,
    parse(input) {
      const text = asText(input);
      const label = parseBundleFileName(text);
      assert.is(bundleFileName(label.text), text.replace(/\.jpg$/, ""));
      assert.match(text, /^[a-z0-9]/);
    },
  },
  {
    name: "mask.txt",
    seeds: [
      "# ours\n0 video records video\n\n6\tonvif\tfinds cameras\r\n20 last the last # of all\n",
      "1 a b\n",
      "",
    ],
    words: ["21", "22", "23", "\n", "#", "\n20 z y"],
    parse(input) {
      const names = parseMaskFile(asText(input));
      assert.equal(parseMaskFile(printMaskFile(names)), names);
      assert.ok(names.every(({ bit }) => bit >= 0 && bit <= 20));
    },
  },
  {
    name: "package.toml",
    seeds: [
      'format = 1\nversion = "2.1.11-1+deb12u1" # in full\ndescription = "ZFS"\nneeds = ["libmnl"]\n' +
        'start = ["/usr/sbin/zfs", "mount", "-a"]\nstop = ["/bin/x"]\nhealth = []\n' +
        "start-seconds = 60\nstop-seconds = 1\nhealth-seconds = 3600\n",
      'format = 1\nversion = "1"\n',
    ],
    words: ["needs", "[[x]]", "[x]", "nan", "inf", "1979-05-27", '"""', "\\u0000", "= ["],
    mostBytes: 8192,
    parse(input) {
      const description = checkPackage(parseToml(asText(input)));
      assert.equal(checkPackage(parseToml(printPackage(description))), description);
    },
  },
  {
    name: "product.toml",
    seeds: [
      'format = 1\nvendor = "acme"\nproduct = "video"\nmajor = 4\nrelease = 17\nsecurity-floor = 12\n',
      'format = 1\nvendor = "A"\nproduct = "a.b-c_d"\nmajor = 0\nrelease = 1\n',
    ],
    words: ["major", "[x]", "nan", "inf", "0x7f", "1_0", "'''"],
    mostBytes: 8192,
    parse(input) {
      const product = checkProduct(parseToml(asText(input)));
      assert.equal(checkProduct(parseToml(printProduct(product))), product);
    },
  },
  {
    name: "device records",
    seeds: [
      '{"format":1,"device":"BOX-0017","mask":"000041","prefix":"acme","epoch":3}',
      '{"format":1,"device":"0","mask":"FFFFFF","prefix":"","epoch":9007199254740991}',
    ],
    words: ['"epoch":4,', '"mask":"E00000",', " ", "\\u0041"],
    parse(input) {
      const text = asText(input);
      assert.is(printDeviceRecord(parseDeviceRecord(text)), text);
    },
  },
];

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, async () => {
    const { inputs, taken } = await fuzz(target);
    // Nothing is tried if all is refused at the door, nor if nothing is.
    assert.ok(taken > 10 && taken < inputs, `${taken} of ${inputs} inputs were taken`);
  });
}

test.run();

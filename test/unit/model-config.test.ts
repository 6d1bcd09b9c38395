/*
 * zshield.toml: every fault at once with its path, and the arithmetic of the layout.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseConfig } from "../../src/host/config-file.ts";
import { checkConfig, faultsOfLayout, groupBytes, volumeSizes } from "../../src/model/config.ts";
import { Refusal } from "../../src/errors.ts";
import { GIB, MIB } from "../../src/model/size.ts";

function faultsOf(text: string): string[] {
  try {
    parseConfig(text);
  } catch (error) {
    if (error instanceof Refusal) return error.message.split("\n");
    throw error;
  }
  return [];
}

for (const [text, ...wanted] of [
  ["[disk]\nsmallst = '1 GiB'", /disk\.smallst: there is no such key/],
  ["[volume.root]\nsize = 12", /volume\.root\.size: must be a text like/],
  ["[volume.root]\nsize = '12 parsec'", /volume\.root\.size: "12 parsec" is not a size/],
  ["[volume.user]\nsize = '0 %'", /volume\.user\.size: "0 %" must be more than 0 %/],
  ["[volume.user]\nmount = 'user'", /volume\.user\.mount: must be an absolute path/],
  ["[volume.user]\nmount = '/usr/share'", /volume\.user\.mount: would hide a part of the system/],
  ["[volume.user]\nmount = '/a/../etc'", /volume\.user\.mount: must not hold/],
  ["[volume.user]\nmount = '/audit'", /one inside the other/],
  ["[volume.user]\nmount = '/audit/user'", /one inside the other/],
  ["[volume.root]\nfile-system = 'zfs'", /volume\.root\.file-system:/],
  ["[group]\nname = 'Vgroup'", /group\.name: must be small letters/],
  ["[group]\nname = 'snapshots'", /group\.name: is kept for/],
  ["[disk]\nselect = 'sda'", /disk\.select: .*must be serial:/],
  ["[disk]\nsmallest = '20 %'", /disk\.smallest: must be a size in bytes/],
  ["[recovery]\nthen = 'explode'", /recovery\.then:/],
  ["[volume.user]\nsize = '70 %'", /need 16\.0 GiB.*has room for 15\.5 GiB/],
  ["[volume.audit]\nsize = '1 MiB'", /volume\.audit: is only 0 B/],
  ["[backup]\nchunk = '3 KiB'", /backup\.chunk: "3 KiB" must be 4, 8/],
  ["[backup]\nchunk = '48 KiB'", /backup\.chunk:/],
  ["[backup]\nchunk = '1 MiB'", /backup\.chunk:/],
  ["[backup]\nchunk = '10 %'", /backup\.chunk:/],
  ["[backup]\nshare = 'much'", /backup\.share: "much" is not a size/],
  ["[backup]\nalarm-after = '2 d'", /backup\.alarm-after: must be whole hours/],
  ["[backup]\nhook-seconds = 0", /backup\.hook-seconds: must be 1 to 3600/],
  ["[backup]\nbefore-upgrades = 'no'", /backup\.before-upgrades: must be true or false/],
  ["[backup]\nevery = 'day'", /backup\.every: there is no such key/],
  [
    "[rescue]\npassword-hash = 'letmein'",
    /rescue\.password-hash: must be a hash as `zshield password`/,
  ],
  ["[rescue]\npassword-hash = 7", /rescue\.password-hash: must be a hash in quotes/],
  ["[rescue]\ngrub-user = 'a b'", /rescue\.grub-user: must be letters/],
  ["[rescue]\ngrub-password-hash = 'letmein'", /must be a hash as grub-mkpasswd-pbkdf2/],
  ["[rescue]\npassword = 'letmein'", /rescue\.password: there is no such key/],
  ["[factory]\nmemory = '50 %'", /factory\.memory: must be a size in bytes, not a share/],
  ["[factory]\nmemory = 2", /factory\.memory: must be a text like/],
  ["[factory]\ndisk-size = 'much'", /factory\.disk-size: "much" is not a size/],
  ["[factory]\nthen = 'shell'", /factory\.then:/],
  ["[factory]\nprocessors = 0", /factory\.processors: must be 1 to 4096/],
  ["[factory]\nprocessor-flags = ['AES']", /factory\.processor-flags\.0: must be flags/],
  ["[factory]\nnetwork-ports = 1\nnetwork-links = 2", /network-links: 2 links on 1 ports/],
  ["[factory]\nclock-after = '2026-02-30'", /factory\.clock-after: must be a day/],
  ["[factory]\nclock-after = 2026-01-01", /factory\.clock-after: must be a day in quotes/],
  ["[factory]\nsmart = 'yes'", /factory\.smart: must be true or false/],
  ["[factory]\nsensors = [{ name = 'a', least = 2, most = 1 }]", /least is more than most/],
  ["[factory]\nsensors = [{ name = 'a', least = 2 }]", /factory\.sensors\.0\.most: is missing/],
  ["[factory]\ntest-seconds = 0", /factory\.test-seconds: must be 1 to 86400/],
  ["[factory]\nmemroy = '2 GiB'", /factory\.memroy: there is no such key/],
  ["= 3", /is not TOML/],
  ["[disk]\nsmallst = 1\n[volume.root]\nsize = 12", /disk\.smallst/, /volume\.root\.size/],
] as [string, ...RegExp[]][]) {
  test(`refused: ${text.replaceAll("\n", " ; ")}`, () => {
    const faults = faultsOf(text);
    for (const pattern of wanted) {
      assert.ok(
        faults.some((fault) => pattern.test(fault)),
        `${pattern} in ${faults.join(" | ")}`,
      );
    }
    assert.ok(faults.length >= wanted.length);
  });
}

test("no fault of a hash repeats what may be a password", () => {
  for (const key of ["password-hash", "grub-password-hash"]) {
    const faults = faultsOf(`[rescue]\n${key} = 'letmein'`);
    assert.is(faults.length, 1);
    assert.not.match(faults.join("\n"), /letmein/);
  }
});

test("the card's own zshield.toml holds exactly the defaults", async () => {
  const text = await Bun.file(new URL("../../build/zshield.toml", import.meta.url).pathname).text();
  assert.equal(parseConfig(text), checkConfig({}));
});

test("the factory tests that it shows as a comment are a table that is taken", async () => {
  const text = await Bun.file(new URL("../../build/zshield.toml", import.meta.url).pathname).text();
  const lines = text.split("\n").filter((line) => /^# (\[factory\]|[a-z-]+ = )/.test(line));
  const { factory } = parseConfig(lines.map((line) => line.slice(2)).join("\n"));
  assert.is(factory?.memory, 2 * GIB);
  assert.is(factory?.["read-rate"], 50 * MIB);
  assert.is(factory?.["clock-after"], Date.UTC(2026, 0, 1) / 1000);
  assert.equal(factory?.sensors, [{ name: "Core 0", least: 5, most: 80 }]);
  assert.is(lines.length - 1, Object.keys(factory ?? {}).length);
});

test("without the table there are no factory tests; an empty one has all of them", () => {
  assert.is(checkConfig({}).factory, undefined);
  assert.equal(checkConfig({ factory: {} }).factory, {
    ...{ then: "poweroff", "processor-flags": [], smart: false, watchdog: false },
    ...{ sensors: [], "test-seconds": 300 },
  });
});

test("500 GB: a fifth for root, since 100 GiB would be more", () => {
  const { root, user, audit } = volumeSizes(checkConfig({}), 500_107_862_016);
  assert.equal(
    [root, user, audit].map((bytes) => Math.floor(bytes / GIB)),
    [93, 93, 46],
  );
});

test("1 TB: root has its 100 GiB", () => {
  assert.is(volumeSizes(checkConfig({}), 1_000_204_886_016).root, 100 * GIB);
});

test("what fits the smallest disk fits every larger one, to the last extent", () => {
  const config = checkConfig({});
  for (let bytes = 16 * GIB; bytes < 17 * GIB; bytes += 37 * MIB + 512) {
    const { root, user, audit } = volumeSizes(config, bytes);
    assert.equal(faultsOfLayout(config, bytes), []);
    assert.ok(root + user + audit <= groupBytes(bytes));
  }
});

test.run();

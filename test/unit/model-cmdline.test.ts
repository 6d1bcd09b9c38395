/*
 * The kernel command line: what is known, and that nothing of ours is ever silently ignored.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import { parseCmdline } from "../../src/model/cmdline.ts";

const nothing = {
  operation: "none",
  disk: undefined,
  confirm: "yes",
  erase: undefined,
  keep: "data",
  then: undefined,
  test: "yes",
  ui: "auto",
  lang: "en",
};

for (const [text, changes] of [
  ["", {}],
  ["root=/dev/sda1 ro quiet", {}],
  ["zshield_recovery=", {}],
  ["quiet zshield_recovery=default ro", { operation: "default" }],
  ["zshield_recovery=latest", { operation: "latest" }],
  [
    "zshield_recovery=menu zshield.ui=plain zshield.lang=zh",
    { operation: "menu", ui: "plain", lang: "zh" },
  ],
  ["zshield.disk=serial:A1", { disk: { by: "serial", text: "A1" } }],
  ['zshield.disk="model:QEMU HARDDISK"', { disk: { by: "model", text: "QEMU HARDDISK" } }],
  ['"zshield.disk=model:QEMU HARDDISK"', { disk: { by: "model", text: "QEMU HARDDISK" } }],
  ["zshield.disk=wwn:0x5000:1", { disk: { by: "wwn", text: "0x5000:1" } }],
  ["zshield.erase=S1 zshield.confirm=no", { erase: "S1", confirm: "no" }],
  [
    "zshield.keep=nothing zshield.then=poweroff zshield.test=no",
    { keep: "nothing", then: "poweroff", test: "no" },
  ],
  ["shield_recovery=default", {}],
] as const) {
  test(`understood: ${text}`, () => assert.equal(parseCmdline(text), { ...nothing, ...changes }));
}

for (const [text, ...wanted] of [
  ["zshield_recovery", /no parameter "zshield_recovery"/],
  [
    "zshield_recovery=defualt",
    /zshield_recovery=defualt: must be default or latest or repair or test or menu/,
  ],
  ["zshield.keeep=nothing", /no parameter "zshield\.keeep="/],
  ["zshield.keep=", /zshield\.keep=: must be data or nothing/],
  ["zshield.disk=sda", /must be serial:, wwn:, path: or model:/],
  ["zshield.disk=serial:", /must be serial:/],
  ["zshield.erase=", /needs the serial number/],
  ["zshield.then=$(reboot)", /must be/],
  ["zshield.confirm=no zshield.confirm=yes", /zshield\.confirm= is given twice/],
  ["ZSHIELD_recovery=default", /no parameter "ZSHIELD_recovery="/],
  ["zshieldfoo", /no parameter "zshieldfoo"/],
  ["zshield.a=1 zshield.b=2", /zshield\.a=/, /zshield\.b=/],
] as [string, ...RegExp[]][]) {
  test(`refused: ${text}`, () => {
    try {
      parseCmdline(text);
    } catch (error) {
      assert.instance(error, Refusal);
      const { message, hint } = error as Refusal;
      for (const pattern of wanted) assert.match(message, pattern);
      assert.match(hint, /zshield_recovery= {2}default, latest, repair, test, menu/);
      return;
    }
    assert.unreachable("it was not refused");
  });
}

test.run();

/*
 * Device records with their signatures: nothing of one counts without it.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeText } from "../../src/model/document.ts";
import { printDeviceRecord, type DeviceRecord } from "../../src/model/device-record.ts";
import { COMMENT, signMessage } from "../../src/model/signature.ts";
import { signRecord, verifyRecord } from "../../src/model/signed-record.ts";
import { flips, keyOf, known, refusalOf } from "./key-example.ts";

const key = keyOf(1);
const record: DeviceRecord = { device: "BOX-0017", mask: 0x41, prefix: "acme", epoch: 3 };
const text = signRecord(record, key);
const why = (text: string, keys: readonly string[] | undefined = known(key)) =>
  refusalOf(() => verifyRecord("it", text, keys));

test("what is signed is what is read", () => {
  const found = verifyRecord("it", text, known(keyOf(2), key));
  assert.equal(found.record, record);
  assert.is(found.key.id, key.id);
});

test("every bit of its file, flipped", () => {
  let refused = 0;
  for (const { bytes, what } of flips(text)) {
    const act = () => verifyRecord("it", decodeText(bytes, "it"), known(key));
    assert.is.not(refusalOf(act), "nothing was refused", what);
    refused++;
  }
  assert.is(refused, text.length * 8);
});

const json = printDeviceRecord(record);
const signedAs = (untrustedComment: string, trustedComment: string) =>
  `${json}\n${signMessage(key, json, { untrustedComment, trustedComment })}`;

test("what is cut off, longer, unsigned, by somebody else or for something else", () => {
  for (let length = 0; length < text.length; length++) {
    assert.is.not(why(text.slice(0, length)), "nothing was refused", `${length} bytes`);
  }
  assert.match(why(json), /not signed/);
  assert.match(why(`${json}\n`), /signature in it is missing/);
  assert.match(why(`${text}\n`), /four lines/);
  assert.match(why(text + text), /four lines/);
  assert.match(why(signRecord(record, keyOf(2))), /is not known here/);
  assert.match(why(text, []), /is empty/);
  assert.match(why(signedAs(COMMENT.bundle, "zshield bundle a release 1")), /another untrusted/);
  for (const other of ["BOX-0017 epoch 4", "BOX-0018 epoch 3", "BOX-0017 epoch 3 "]) {
    assert.match(why(signedAs(COMMENT.record, `${COMMENT.record} ${other}`)), /another record/);
  }
});

test("a signed text that is no record is none", () => {
  for (const wrong of ["{}", `${json} `, json.replace("000041", "00004a")]) {
    const comments = {
      untrustedComment: COMMENT.record,
      trustedComment: `${COMMENT.record} BOX-0017 epoch 3`,
    };
    assert.match(why(`${wrong}\n${signMessage(key, wrong, comments)}`), /device record: /);
  }
});

test.run();

/*
 * The PC speaker: found among input devices, and what is written to it.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findSpeaker, MELODIES, signal, toneEvent } from "../../src/host/speaker.ts";

const folder = mkdtempSync(join(tmpdir(), "zs-speaker-"));

function put(path: string, text = ""): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), text);
}

test("no input devices, then none that sounds tones, then the speaker", () => {
  assert.is(findSpeaker(folder), undefined);
  put("sys/class/input/mice/dev");
  put("sys/class/input/input0/capabilities/snd", "0\n");
  put("sys/class/input/input0/event0/dev");
  // A bell alone.
  put("sys/class/input/input1/capabilities/snd", "2\n");
  put("sys/class/input/input1/event1/dev");
  put("sys/class/input/input2/event2/dev");
  assert.is(findSpeaker(folder), undefined);
  put("sys/class/input/input3/capabilities/snd", "6\n");
  assert.is(findSpeaker(folder), undefined, "without evdev there is nothing to write to");
  put("sys/class/input/input3/event7/dev");
  assert.is(findSpeaker(folder), join(folder, "dev/input/event7"));
});

test("an event as the kernel reads it: SND_TONE, the frequency, no time", () => {
  const event = Buffer.from(toneEvent(784));
  assert.is(event.length, 24);
  assert.is(
    event.subarray(0, 16).every((byte) => byte === 0),
    true,
  );
  assert.equal(
    [event.readUInt16LE(16), event.readUInt16LE(18), event.readInt32LE(20)],
    [0x12, 2, 784],
  );
});

const written = (file: string) => {
  const bytes = readFileSync(file);
  return Array.from({ length: bytes.length / 24 }, (_, index) =>
    bytes.readInt32LE(index * 24 + 20),
  );
};

for (const verdict of ["PASS", "FAIL"] as const) {
  test(`${verdict}: its tones one after the other, silence at the end`, async () => {
    const file = join(folder, verdict);
    writeFileSync(file, "");
    const begin = performance.now();
    await signal(verdict, file);
    const tones = MELODIES[verdict];
    assert.equal(written(file), [...tones.map(({ hertz }) => hertz), 0]);
    const ms = tones.reduce((sum, tone) => sum + tone.ms, 0);
    assert.ok(performance.now() - begin >= ms - 5);
  });
}

test("PASS rises, FAIL is lower and longer than any of it", () => {
  const pass = MELODIES.PASS.map(({ hertz }) => hertz);
  assert.equal(
    pass,
    [...pass].sort((one, other) => one - other),
  );
  const [low] = MELODIES.FAIL;
  assert.ok(low && low.hertz < Math.min(...pass) && low.ms > 1000);
});

test("a speaker that cannot be opened is silent", async () => {
  await signal("PASS", join(folder, "no/such/device"));
  await signal("PASS", "/dev/full");
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

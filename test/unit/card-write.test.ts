/*
 * Writing cards: which disks are refused and in which words, what an image is, what is shown meanwhile.
 */
import { Terminal } from "@xterm/headless";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeLineDisplay, writeAll } from "../../src/commands/write-cards.ts";
import { Refusal } from "../../src/errors.ts";
import { mountsOf, parseContents } from "../../src/host/card-disks.ts";
import { whyNotSameCard, type CardDisk } from "../../src/model/card-disk.ts";
import { digestFor, isPacked, whyNoImage } from "../../src/model/card-image.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { cardTargets, type CardWish } from "../../src/plan/card-targets.ts";
import { progressLines, redraw, summaryLines, type CardState } from "../../src/ui/card-lines.ts";

const IMAGE_BYTES = 1361 * MIB;

function card(letter: string, changes: Partial<CardDisk> = {}): CardDisk {
  return {
    path: `/dev/sd${letter}`,
    model: "CF READER",
    serial: `CF-${letter}`,
    wwn: "",
    sizeBytes: 8 * GIB,
    removable: true,
    readOnly: false,
    logicalSectorBytes: 512,
    mounts: [],
    uses: [],
    partitions: [`/dev/sd${letter}1`],
    ...changes,
  };
}

const wish = (devices: string[], serials: string[] = []): CardWish => ({
  devices: devices.map((path) => ({ name: path, path })),
  serials,
});

const paths = (disks: CardDisk[], asked: CardWish) =>
  cardTargets(disks, asked, IMAGE_BYTES).map(({ path }) => path);

function refusal(disks: CardDisk[], asked: CardWish): string {
  try {
    cardTargets(disks, asked, IMAGE_BYTES);
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "it was not refused";
}

test("cards are taken in the order of the words, a serial number names one more", () => {
  const disks = ["b", "c", "d"].map((letter) => card(letter));
  assert.equal(paths(disks, wish(["/dev/sdd", "/dev/sdb"])), ["/dev/sdd", "/dev/sdb"]);
  assert.equal(paths(disks, wish(["/dev/sdd"], ["CF-b", "CF-d"])), ["/dev/sdd", "/dev/sdb"]);
  assert.equal(paths(disks, wish([], ["CF-c", "CF-c"])), ["/dev/sdc"]);
});

const SMALL = IMAGE_BYTES - 512;
for (const [name, changes, byPath, bySerial] of [
  ["not removable", { removable: false }, /cannot be taken out.*--serial "CF-b"/, undefined],
  ["mounted", { mounts: ["/media/x"] }, /is mounted at \/media\/x; unmount it/, undefined],
  ["both", { removable: false, mounts: ["/media/x"] }, /cannot be taken out/, undefined],
  [
    "the running system",
    { mounts: ["/media/x", "/"] },
    /holds the running system \(\/\)/,
    /holds the running system/,
  ],
  ["its /boot/efi", { mounts: ["/boot/efi"] }, /running system/, /running system/],
  ["its /home", { mounts: ["/home"] }, /running system/, /running system/],
  ["swap", { uses: ["/dev/sdb1 is used as swap"] }, /is in use: \/dev\/sdb1 is used/, /is in use/],
  ["an LVM PV in use", { uses: ["/dev/sdb1 is held by vg-root"] }, /is in use/, /is in use/],
  ["write-protected", { readOnly: true }, /is read-only/, /is read-only/],
  ["sectors of 4096", { logicalSectorBytes: 4096 }, /sectors of 4096/, /sectors of 4096/],
  ["one sector too small", { sizeBytes: SMALL }, /is too small/, /is too small/],
  ["as large as the image", { sizeBytes: IMAGE_BYTES }, undefined, undefined],
] as [string, Partial<CardDisk>, RegExp | undefined, RegExp | undefined][]) {
  test(`by path and by serial number: ${name}`, () => {
    const disks = [card("b", changes), card("c")];
    for (const [asked, reason] of [
      [wish(["/dev/sdb"]), byPath],
      [wish(["/dev/sdb"], ["CF-b"]), bySerial],
      [wish([], ["CF-b"]), bySerial],
    ] as const) {
      if (reason === undefined) assert.equal(paths(disks, asked), ["/dev/sdb"]);
      else assert.match(refusal(disks, asked), reason);
    }
    assert.equal(paths(disks, wish(["/dev/sdc"])), ["/dev/sdc"], "the other one has nothing of it");
  });
}

test("what is no whole disk, is there twice or not at all, everything at once", () => {
  const twins = [card("b", { serial: "SAME" }), card("c", { serial: "SAME" }), card("d")];
  const asked = wish(["/dev/sdd", "/dev/sdd1", "/dev/loop0", "/dev/sdd"], ["SAME", "none", ""]);
  assert.equal(refusal(twins, asked).split("\n"), [
    "/dev/sdd1 is a partition; name the whole disk, /dev/sdd",
    "/dev/loop0 is no disk, or there is no card in it",
    "/dev/sdd is named twice",
    '2 disks have the serial number "SAME": /dev/sdb, /dev/sdc',
    'no disk has the serial number "none"',
    'no disk has the serial number ""',
  ]);
  assert.equal(
    paths(twins, wish(["/dev/sdb", "/dev/sdc"])),
    ["/dev/sdb", "/dev/sdc"],
    "two readers of one make",
  );
});

test("a serial number of none frees no disk without one", () => {
  const disks = [card("b", { serial: "", removable: false })];
  assert.match(refusal(disks, wish(["/dev/sdb"], [""])), /it has no serial number to name it by/);
});

test("a disk is never taken that one of its facts forbids, whatever the others are", () => {
  const facts: Partial<CardDisk>[] = [
    { mounts: ["/"] },
    { uses: ["it is used"] },
    { readOnly: true },
    { logicalSectorBytes: 4096 },
    { sizeBytes: 0 },
  ];
  const free: Partial<CardDisk>[] = [
    {},
    { removable: false },
    { mounts: ["/media/x"] },
    { serial: "" },
  ];
  for (const fact of facts) {
    for (const one of free) {
      for (const other of free) {
        const disk = card("b", { ...one, ...other, ...fact });
        assert.not.match(refusal([disk], wish(["/dev/sdb"], [disk.serial])), /not refused/);
      }
    }
  }
});

test("mounts of a disk: by number, by path, the innermost first", () => {
  const partition = { number: 1, startBytes: 0, sizeBytes: 1, holders: [] };
  const kernel = {
    device: "8:16",
    holders: [],
    partitions: [{ ...partition, path: "/dev/sdb1", device: "8:17" }],
  };
  const mount = (device: string, source: string, target: string) => ({
    ...{ device, source, target, root: "/", type: "ext4" },
  });
  const mounts = [
    mount("8:1", "/dev/sda1", "/"),
    mount("8:17", "/dev/sdb1", "/media/a"),
    mount("0:50", "/dev/sdb1", "/media/a/btrfs"),
    mount("8:17", "none", "/bind"),
  ];
  assert.equal(mountsOf("/dev/sdb", kernel, { mounts, swaps: [] }), [
    "/bind",
    "/media/a/btrfs",
    "/media/a",
  ]);
});

test("what lies on a card, in a phrase each", () => {
  const disk = { path: "/dev/sdb", size: "8589934592", fstype: null, label: null };
  const part = { path: "/dev/sdb1", size: 512 * MIB, fstype: "vfat", label: "ZS-CARD" };
  const text = JSON.stringify({ blockdevices: [{ ...disk, children: [part] }] });
  assert.equal(parseContents(text), ['/dev/sdb1, 512 MiB, vfat "ZS-CARD"']);
  const whole = { ...disk, fstype: "ext4", label: null };
  assert.equal(parseContents(JSON.stringify({ blockdevices: [whole] })), ["/dev/sdb, ext4"]);
  assert.equal(parseContents(JSON.stringify({ blockdevices: [disk] })), []);
});

test("an image: its table says how long it is", () => {
  const sectors = 4096;
  const head = Buffer.alloc(1024);
  head.write("EFI PART", 512);
  head.writeBigUInt64LE(BigInt(sectors - 1), 512 + 32);
  const tail = Buffer.alloc(512);
  tail.write("EFI PART");
  const bytes = sectors * 512;
  assert.is(whyNoImage(head, tail, bytes), undefined);
  assert.match(whyNoImage(head, tail, bytes - 512) ?? "", "its partition table says 2097152");
  assert.match(whyNoImage(head, Buffer.alloc(512), bytes) ?? "", "at its end is not there");
  assert.match(whyNoImage(Buffer.alloc(1024), tail, bytes) ?? "", "does not begin with a GPT");
  assert.is(isPacked(Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0])), true);
  assert.is(isPacked(Buffer.from([])), false);
});

test("the digest of a name in a file of sha256sum", () => {
  const text = `${"a".repeat(64)}  other.img\n${"B".repeat(64)} *card.img\r\n`;
  assert.is(digestFor(text, "card.img"), "b".repeat(64));
  assert.is(digestFor(text, "none.img"), undefined);
  assert.is(digestFor("short  card.img", "card.img"), undefined);
});

const state = (changes: Partial<CardState>): CardState => ({
  ...{ disk: card("b"), phase: "waits", bytes: 0, totalBytes: 1000e6, seconds: 0 },
  ...changes,
});

test("progress, a line for each card, never wider than the terminal", () => {
  const cards = [
    state({ phase: "write", bytes: 250e6, seconds: 10 }),
    state({
      disk: { ...card("c"), path: "/dev/mmcblk0" },
      phase: "check",
      bytes: 1000e6,
      seconds: 4,
    }),
    state({ phase: "bad", trouble: "it does not\x1b[2J answer" }),
    state({ phase: "good" }),
  ];
  assert.equal(progressLines(cards, 100), [
    "/dev/sdb      writing   [#####...............]  25 %   25 MB/s  30 s left",
    "/dev/mmcblk0  checking  [####################] 100 %  250 MB/s  0 s left",
    "/dev/sdb      BAD       it does not\\x1b[2J answer",
    "/dev/sdb      GOOD",
  ]);
  for (const line of progressLines(cards, 30)) assert.ok(Bun.stringWidth(line) <= 30, line);
});

test("one part of the screen is drawn over, also when there are more cards than lines", async () => {
  const terminal = new Terminal({ cols: 60, rows: 6, allowProposedApi: true });
  const write = (text: string) =>
    new Promise<void>((resolve) => terminal.write(text.replaceAll("\n", "\r\n"), resolve));
  const shown = () =>
    Array.from({ length: 6 }, (_, row) =>
      terminal.buffer.active.getLine(terminal.buffer.active.baseY + row)?.translateToString(true),
    );
  await write("before\n");
  const size = { columns: 60, rows: 6 };
  const cards = [state({ phase: "write", bytes: 1e6, seconds: 1 }), state({ disk: card("c") })];
  const first = redraw(cards, size, 0);
  await write(first.text);
  await write(
    redraw([state({ phase: "good" }), state({ disk: card("c") })], size, first.drawn).text,
  );
  assert.equal(shown(), ["before", "/dev/sdb  GOOD", "/dev/sdc  waits", "", "", ""]);
  const many = ["b", "c", "d", "e", "f", "g", "h"].map((letter) => state({ disk: card(letter) }));
  const all = redraw(many, size, 2);
  await write(all.text);
  await write(redraw(many, size, all.drawn).text);
  assert.equal(shown(), [
    ...["b", "c", "d", "e"].map((letter) => `/dev/sd${letter}  waits`),
    "… and 3 more; 0 are done",
    "",
  ]);
});

test("the table at the end", () => {
  const cards = [
    state({ phase: "good", writeSeconds: 50, checkSeconds: 25 }),
    state({ disk: card("c", { serial: "" }), phase: "bad", writeSeconds: 40, trouble: "it ends" }),
  ];
  assert.equal(summaryLines(cards), [
    "RESULT  CARD      SERIAL  WRITTEN          READ BACK",
    "GOOD    /dev/sdb  CF-b    50.0 s, 20 MB/s  25.0 s, 40 MB/s",
    "BAD     /dev/sdc  (none)  40.0 s, 25 MB/s                   it ends",
    "1 good, 1 bad",
  ]);
});

test("why a card is not the one that was agreed to, in words", () => {
  assert.is(whyNotSameCard(card("b"), card("b")), undefined);
  assert.is(whyNotSameCard(card("c"), card("b")), 'its serial number is "CF-c", not "CF-b"');
  assert.is(whyNotSameCard(undefined, card("b")), "it has gone");
});

test("a card that fails does not stop the others", async () => {
  const image = { path: "/x", packed: false, sizeBytes: 10, sha256: "" };
  const lines: string[] = [];
  const cards = await writeAll(
    image,
    ["b", "c", "d"].map((letter) => card(letter)),
    makeLineDisplay((line) => lines.push(line)),
    async (_image, { path }, onProgress) => {
      onProgress({ phase: "write", bytes: 5 });
      if (path === "/dev/sdc") throw new Error("it is bad");
      await Bun.sleep(5);
      onProgress({ phase: "check", bytes: 5 });
      onProgress({ phase: "table", bytes: 0 });
    },
  );
  assert.equal(
    cards.map(({ phase, trouble }) => [phase, trouble]),
    [
      ["good", undefined],
      ["bad", "it is bad"],
      ["good", undefined],
    ],
  );
  assert.ok(cards[0]?.writeSeconds !== undefined && cards[0].checkSeconds !== undefined);
  assert.ok(
    lines.some((line) => /^\/dev\/sdc {2}BAD {7}it is bad$/.test(line)),
    lines.join("\n"),
  );
});

test.run();

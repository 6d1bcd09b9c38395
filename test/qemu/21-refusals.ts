/*
 * Where the agent has to decline: clear words, nothing written, and the machine stays on with the
 * message. Each disk is a layer that must be empty afterwards.
 */
import { GIB } from "../../src/model/size.ts";
import { makeForeignDisk } from "../lab/foreign.ts";
import { bytesWritten, flipBit, isSame, makeRaw, type Image } from "../lab/images.ts";
import {
  blankDisk,
  disk,
  DISK_BYTES,
  DISK_SERIAL,
  refuse,
  startRescue,
  watch,
} from "../lab/recovery.ts";
import { must, type Scenario } from "../lab/scenario.ts";

interface Case {
  readonly name: string;
  readonly title: string;
  readonly parameters?: readonly string[];
  readonly diskBytes?: number;
  readonly hasDisk?: boolean;
  readonly saved?: boolean;
  readonly words: readonly RegExp[];
}

const CASES: readonly Case[] = [
  {
    name: "refuse-too-small",
    title: "a disk that is smaller than the layout needs is refused",
    diskBytes: 8 * GIB,
    saved: true,
    words: [/smaller/, /16 GiB/, new RegExp(DISK_SERIAL)],
  },
  {
    name: "refuse-no-disk",
    title: "without a disk the agent says so, and lists what it has seen",
    hasDisk: false,
    words: [/no disk/],
  },
  {
    name: "refuse-named-absent",
    title: "a disk that is named and not there is never replaced by another one",
    parameters: ["zshield.disk=serial:NOT-HERE", "zshield.confirm=no"],
    words: [/serial:NOT-HERE/, new RegExp(DISK_SERIAL)],
  },
  {
    name: "refuse-unknown-parameter",
    title: "an unknown parameter is refused with the list of those that are known",
    parameters: ["zshield.foo=1"],
    words: [/zshield\.foo/, /zshield\.erase=/],
  },
];

const simple = CASES.map((wanted): Scenario => ({
  name: wanted.name,
  title: wanted.title,
  minutes: 1,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const layers: Image[] = [];
    if (wanted.hasDisk !== false) {
      const image = await blankDisk(context, "blank", wanted.diskBytes ?? DISK_BYTES);
      layers.push(await watch(context, "disk", image));
    }
    const { parameters, words, saved } = wanted;
    await refuse(context, {
      card,
      saved: saved === true,
      drives: layers.map((layer) => disk(layer)),
      layers,
      words,
      ...(parameters === undefined ? {} : { parameters }),
    });
  },
}));

const oldProcessor: Scenario = {
  name: "refuse-old-processor",
  title: "a processor without SSE4.2 gets clear words instead of an illegal instruction",
  minutes: 1,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const layer = await watch(context, "disk", await blankDisk(context, "blank"));
    const machine = await startRescue(context, { card, drives: [disk(layer)], cpu: "max,-sse4.2" });
    await machine.waitFor(/SSE4\.2/i, 180);
    must((await bytesWritten(layer)) === 0, "the disk was written to");
  },
};

const twoEqual: Scenario = {
  name: "refuse-two-equal",
  title: "two equal blank disks are refused, and neither changes by a byte",
  minutes: 1,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const images = ["left", "right"].map((name) => makeRaw(context.folder, name, DISK_BYTES));
    await refuse(context, {
      card,
      saved: true,
      drives: images.map((image, index) => disk(image, { serial: `EQUAL-${index}` })),
      layers: [],
      words: [/EQUAL-0/, /EQUAL-1/, /exactly one/],
    });
    const zeros = makeRaw(context.folder, "zeros", DISK_BYTES);
    for (const image of images) must(await isSame(image, zeros), `${image.file} has changed`);
  },
};

const flippedBlock: Scenario = {
  name: "refuse-flipped-block",
  title: "a golden system with one flipped bit is refused before anything is written",
  minutes: 2,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const { golden, description } = card.card;
    const within = Math.floor(context.random() * description.golden.fileSystemBytes);
    const at = golden.startBytes + within;
    context.note(`the bit at byte ${at} of the card is flipped`);
    // A layer of its own: the card's law (nothing written) is checked on the layers of the context.
    const damaged = await watch(context, "damaged-card", card.card.image);
    await flipBit(context.folder, damaged, card.card.image, at);
    const below = await watch(context, "damaged-card-watched", damaged);
    const layer = await watch(context, "disk", await blankDisk(context, "blank"));
    await refuse(context, {
      card: { card: card.card, layer: below },
      drives: [disk(layer)],
      layers: [layer, below],
      words: [/golden/i],
    });
  },
};

/**
 * What nobody has agreed to give up: with a signature that names our own group, with one of another
 * system, and with none at all. That the other kinds are recognised too is proved without a boot each, by
 * test/qemu/25-probe.ts.
 */
const foreign = (["lvm-vgroup", "luks", "no-signature"] as const).map((kind): Scenario => ({
  name: `refuse-foreign-${kind}`,
  title: `a disk with foreign content (${kind}) is left alone where nobody can be asked`,
  minutes: 1,
  needs: ["small"],
  async run(context) {
    const card = await context.card("small");
    const image = await makeForeignDisk(context.folder, kind, DISK_BYTES);
    const layer = await watch(context, "disk", image);
    await refuse(context, {
      card,
      saved: true,
      drives: [disk(layer)],
      layers: [layer],
      parameters: ["zshield.confirm=no"],
      words: [new RegExp(DISK_SERIAL), /zshield\.erase=/],
    });
  },
}));

export const scenario: readonly Scenario[] = [
  ...simple,
  oldProcessor,
  twoEqual,
  flippedBlock,
  ...foreign,
];

/*
 * A plan and its steps: plain data, so that they can be printed, tested, journalled and resumed.
 * Every number, name and UUID is decided by the planner; a step asks nobody.
 * Owns: the schema (the journal is read back from a disk) and the types. No I/O, no decisions.
 */
import * as v from "valibot";
import { GoldenDescription } from "./card.ts";
import { FactoryTest } from "./factory.ts";
import { Keeping, Loss } from "./loss.ts";
import { OPERATIONS } from "./operation.ts";

const Bytes = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const Text = v.string();

export const DiskIdentitySchema = v.strictObject({
  path: Text,
  model: Text,
  serial: Text,
  wwn: Text,
  sizeBytes: Bytes,
});

const PlannedPartition = v.strictObject({
  number: v.number(),
  name: Text,
  typeUuid: Text,
  uuid: Text,
  startBytes: Bytes,
  sizeBytes: Bytes,
});
export type PlannedPartition = v.InferOutput<typeof PlannedPartition>;

/** A file that recovery writes into the new root, on top of what golden holds. */
const PlannedFile = v.strictObject({ path: Text, mode: v.number(), text: Text });

/** What an installed root has to be, file by file. */
const TreeProof = v.strictObject({
  manifest: v.strictObject({ path: Text, sha256: Text }),
  files: v.array(PlannedFile),
  /** Paths that may differ from golden, `/x/` with everything below it. */
  mayDiffer: v.array(Text),
  bytes: Bytes,
});

/** The same for a root that may have been started since: `mounts` is what its superblock counted before. */
const RootProof = v.strictObject({ ...TreeProof.entries, device: Text, mounts: v.number() });
export type RootProof = v.InferOutput<typeof RootProof>;

/** Digest of the card's description, and the directories on the disk's ESP that are made of it. */
const BootProof = v.strictObject({
  card: Text,
  boot: Text,
  grub: Text,
  rescue: Text,
  sectorBytes: Bytes,
});
export type BootProof = v.InferOutput<typeof BootProof>;

/** Where GRUB and the rescue system are taken from: the card, or the disk's own ESP. */
const BootSource = v.picklist(["card", "disk"]);
export type BootSource = v.InferOutput<typeof BootSource>;

/**
 * `repeats`: done again on each attempt, also by a resumed recovery (mounts, protections).
 * `destroys`: what people lose by it, in words; the first such step is the point of no return.
 */
const common = {
  title: Text,
  repeats: v.boolean(),
  destroys: v.optional(Text),
};

export const Step = v.variant("kind", [
  v.strictObject({ ...common, kind: v.literal("protect-disks"), devices: v.array(Text) }),
  v.strictObject({
    ...common,
    kind: v.literal("open-golden"),
    device: Text,
    espDevice: Text,
    golden: GoldenDescription,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("open-boot-files"),
    source: BootSource,
    /** The card's ESP; "" where the boot files come from the disk's own ESP. */
    espDevice: Text,
  }),
  v.strictObject({ ...common, kind: v.literal("check-golden"), bytes: Bytes }),
  v.strictObject({
    ...common,
    kind: v.literal("check-card"),
    /** Digest of the card's description, which lists every file; too long to be journalled itself. */
    card: Text,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("check-backup"),
    group: Text,
    name: Text,
    origin: Text,
    fileSystem: v.literal("ext4"),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("claim-disk"),
    consent: v.picklist(["blank", "erase", "console"]),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("clear-disk"),
    partitions: v.array(Text),
    /** Zeroed; offset and length. The claim's sector lies in none of them. */
    ranges: v.array(v.strictObject({ offsetBytes: Bytes, sizeBytes: Bytes })),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("make-esp"),
    offsetBytes: Bytes,
    sizeBytes: Bytes,
    label: Text,
    volumeId: Text,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("write-table"),
    diskUuid: Text,
    sectorBytes: Bytes,
    partitions: v.array(PlannedPartition),
  }),
  v.strictObject({ ...common, kind: v.literal("open-esp"), device: Text }),
  v.strictObject({ ...common, kind: v.literal("clear-claim") }),
  v.strictObject({
    ...common,
    kind: v.literal("make-group"),
    device: Text,
    group: Text,
    tags: v.array(Text),
  }),
  v.strictObject({ ...common, kind: v.literal("restore-group"), group: Text }),
  v.strictObject({ ...common, kind: v.literal("activate-group"), group: Text }),
  v.strictObject({
    ...common,
    kind: v.literal("make-volume"),
    group: Text,
    name: Text,
    sizeBytes: Bytes,
    tags: v.array(Text),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("make-filesystem"),
    device: Text,
    fileSystem: v.literal("ext4"),
    uuid: Text,
    label: Text,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("copy-tree"),
    device: Text,
    fileSystem: v.literal("ext4"),
    bytes: Bytes,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("write-identity"),
    device: Text,
    fileSystem: v.literal("ext4"),
    files: v.array(PlannedFile),
    directories: v.array(Text),
    remove: v.array(Text),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("configure-grub"),
    device: Text,
    fileSystem: v.literal("ext4"),
    argv: v.array(Text),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("verify-tree"),
    device: Text,
    fileSystem: v.literal("ext4"),
    ...TreeProof.entries,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("install-boot"),
    espDevice: Text,
    source: BootSource,
    card: Text,
    /** Names of the directories below /zshield. */
    grub: Text,
    rescue: Text,
    /** On the disk: boot images and the card's description, so that GRUB can be installed without it. */
    boot: Text,
    sectorBytes: Bytes,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("merge-backup"),
    group: Text,
    name: Text,
    origin: Text,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("check-filesystem"),
    device: Text,
    fileSystem: v.literal("ext4"),
  }),
  v.strictObject({
    ...common,
    kind: v.literal("check-root"),
    device: Text,
    fileSystem: v.literal("ext4"),
  }),
  v.strictObject({ ...common, kind: v.literal("switch-root"), group: Text, name: Text }),
  v.strictObject({
    ...common,
    kind: v.literal("rename-volumes"),
    group: Text,
    /** In this order; a rename whose source is gone and whose target is there is done already. */
    renames: v.array(v.strictObject({ from: Text, to: Text })),
  }),
  v.strictObject({ ...common, kind: v.literal("remove-volume"), group: Text, name: Text }),
  v.strictObject({
    ...common,
    kind: v.literal("take-backup"),
    group: Text,
    origin: Text,
    name: Text,
    sizeBytes: Bytes,
    /** Absent in journals of versions that left it to LVM. */
    chunkBytes: v.optional(Bytes),
    tags: v.array(Text),
  }),
  /** A snapshot that is active: the kernel says that it is valid. */
  v.strictObject({ ...common, kind: v.literal("check-snapshot"), group: Text, name: Text }),
  /** Makes a volume at least this large. */
  v.strictObject({
    ...common,
    kind: v.literal("grow-volume"),
    group: Text,
    name: Text,
    sizeBytes: Bytes,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("tag-volume"),
    group: Text,
    name: Text,
    add: v.array(Text),
    remove: v.array(Text),
  }),
  /** Lets dmeventd make a snapshot larger while it fills. In the running system only. */
  v.strictObject({ ...common, kind: v.literal("watch-backup"), group: Text, name: Text }),
  /** For the factory tests: root read-only, the user and audit volumes to write to. */
  v.strictObject({
    ...common,
    kind: v.literal("open-volumes"),
    group: Text,
    fileSystem: v.literal("ext4"),
    root: Text,
    user: Text,
    audit: Text,
  }),
  v.strictObject({
    ...common,
    kind: v.literal("factory-test"),
    test: FactoryTest,
    /** For the test of the root; absent without the card that has its manifest. */
    proof: v.optional(RootProof),
    /** For the test of the boot loader. */
    boot: v.optional(BootProof),
  }),
  /** The programs that golden brings; `seconds`: time limit of each. */
  v.strictObject({ ...common, kind: v.literal("vendor-tests"), seconds: v.number() }),
  v.strictObject({ ...common, kind: v.literal("tidy-esp"), keep: v.array(Text) }),
  v.strictObject({ ...common, kind: v.literal("finish") }),
]);
export type Step = v.InferOutput<typeof Step>;
export type StepKind = Step["kind"];
export type StepOf<K extends StepKind> = Extract<Step, { kind: K }>;

export const Plan = v.strictObject({
  operation: v.picklist(OPERATIONS),
  version: Text,
  disk: DiskIdentitySchema,
  /** What will be lost and what is kept, for the question and for the log. */
  loses: v.array(Loss),
  keeps: v.array(Keeping),
  /** Whether a person has to agree before it starts. */
  asks: v.boolean(),
  group: Text,
  /** The partition that holds the group; LVM is shown no other device. */
  physicalVolume: Text,
  reportVolume: Text,
  /** The factory tests follow this installation; absent: they do not. */
  tests: v.optional(v.boolean()),
  steps: v.array(Step),
});
export type Plan = v.InferOutput<typeof Plan>;

/*
 * What a step comes down to: commands and a few operations of our own, as data. A dry run prints these
 * and the executor performs the same objects. Owns: the types. No I/O.
 */
import type { CardPart, GoldenDescription } from "./card.ts";
import type { FactoryTest } from "./factory.ts";
import type { BootProof, RootProof } from "./step.ts";

/** A card's description: where it can be read, and the digest that it must have. */
export interface CardReference {
  readonly path: string;
  readonly digest: string;
}

export type Action =
  /** A program. Run only if the query `onlyIf` ends with exit code 0, and not if `unless` does. */
  | {
      readonly do: "run";
      readonly argv: readonly string[];
      readonly stdin?: string;
      readonly onlyIf?: readonly string[];
      readonly unless?: readonly string[];
      readonly progress?: "rsync";
      readonly timeoutMs?: number;
    }
  /** Read-only in the kernel, until the recovery has ended; what is so already is left alone. */
  | { readonly do: "protect"; readonly devices: readonly string[] }
  /** Tells the kernel of a new table; tried again while udev still holds a partition open. */
  | { readonly do: "reread-table"; readonly disk: string }
  /** Waits until the path is there; devices appear when the kernel is ready, not when we are. */
  | { readonly do: "wait-for"; readonly path: string; readonly seconds: number }
  /** Opens golden behind the kernel's block check and mounts it and the card's ESP, both read-only. */
  | {
      readonly do: "open-golden";
      readonly device: string;
      readonly espDevice: string;
      readonly golden: GoldenDescription;
    }
  | { readonly do: "read-through"; readonly path: string; readonly bytes: number }
  /** Mounts the card's ESP read-only, without golden. */
  | { readonly do: "open-card"; readonly espDevice: string }
  /** `card`: the description's path and its digest; `part`: which of its files. */
  | {
      readonly do: "check-files";
      readonly root: string;
      readonly card: CardReference;
      readonly part: CardPart;
    }
  | {
      readonly do: "write-claim";
      readonly disk: string;
      readonly consent: "blank" | "erase" | "console";
    }
  | {
      readonly do: "zero";
      readonly device: string;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
    }
  /** File system with the four state files, at its place on a disk that has no table yet. */
  | {
      readonly do: "make-esp";
      readonly disk: string;
      readonly offsetBytes: number;
      readonly sizeBytes: number;
      readonly label: string;
      readonly volumeId: string;
    }
  | { readonly do: "open-esp"; readonly device: string }
  /** Closed, its cache forgotten, opened again: what is read afterwards comes from the disk. */
  | { readonly do: "reopen-esp"; readonly device: string }
  /** `repair`: run where it cannot be mounted, before it is tried once more. */
  | {
      readonly do: "mount";
      readonly device: string;
      readonly at: string;
      readonly fileSystem: string;
      readonly options: string;
      readonly repair?: readonly string[];
    }
  | { readonly do: "unmount"; readonly at: string }
  | {
      readonly do: "write-files";
      readonly root: string;
      readonly files: readonly {
        readonly path: string;
        readonly mode: number;
        readonly text: string;
      }[];
      readonly directories: readonly string[];
      readonly remove: readonly string[];
    }
  /** In a chroot of `root` with /dev, /proc, /sys and /run; `ifThere`: skipped if the program is not in it. */
  | {
      readonly do: "chroot";
      readonly root: string;
      readonly argv: readonly string[];
      readonly ifThere: boolean;
    }
  /** Drops every cached block of these devices, so that the next read comes from the disk. */
  | { readonly do: "forget-cache"; readonly devices: readonly string[] }
  | {
      readonly do: "verify-tree";
      readonly root: string;
      readonly manifest: { readonly path: string; readonly sha256: string };
      readonly files: readonly {
        readonly path: string;
        readonly mode: number;
        readonly text: string;
      }[];
      readonly mayDiffer: readonly string[];
      readonly bytes: number;
    }
  | {
      readonly do: "copy-directory";
      readonly from: string;
      readonly to: string;
      readonly card: CardReference;
      readonly part: CardPart;
    }
  /** Keeps the card's description on the disk, so that its files can be told by their digests later. */
  | { readonly do: "copy-description"; readonly card: CardReference; readonly to: string }
  /** Replaces a file on FAT by a rename, and only if it differs. */
  | {
      readonly do: "replace-file";
      readonly from: string;
      readonly to: string;
      readonly card: CardReference;
      readonly part: CardPart;
    }
  /** The core into the half that is not in use, then sector 0. */
  | {
      readonly do: "write-boot-images";
      readonly disk: string;
      readonly bootImage: string;
      readonly coreImage: string;
      readonly sectorBytes: number;
    }
  /** Keeps a copy of LVM's metadata area on the ESP; LVM itself keeps one only, and flushes nothing. */
  | { readonly do: "save-group"; readonly device: string; readonly file: string }
  /** Puts that copy back if the group cannot be read: the power failed while LVM wrote. */
  | {
      readonly do: "restore-group";
      readonly device: string;
      readonly file: string;
      readonly readable: readonly string[];
    }
  | { readonly do: "learn-group"; readonly group: string }
  /** `lvextend` unless the volume has that size; LVM calls an equal size a failure. */
  | {
      readonly do: "grow-volume";
      readonly group: string;
      readonly name: string;
      readonly sizeBytes: number;
    }
  /** Refuses unless the active snapshot is valid and every block that it keeps can be read. */
  | {
      readonly do: "check-snapshot";
      readonly group: string;
      readonly name: string;
      readonly origin: string;
    }
  /** Fails unless the kernel calls the active snapshot valid. Asks nothing but that. */
  | { readonly do: "check-valid"; readonly group: string; readonly name: string }
  /**
   * Merges the snapshot with `start`; a merge that goes on already, because the power failed in it, is
   * waited for with `goOn`. Where there is no such snapshot, it is done if it was `begunBefore`; an
   * ordinary volume of that name is what LVM had not removed yet, and `remove` does.
   */
  | {
      readonly do: "merge";
      readonly group: string;
      readonly name: string;
      readonly origin: string;
      readonly start: readonly string[];
      readonly goOn: readonly string[];
      readonly remove: readonly string[];
      readonly begunBefore: boolean;
    }
  /** `look` changes nothing; only where it finds faults, `repair` is run. */
  | {
      readonly do: "check-filesystem";
      readonly look: readonly string[];
      readonly repair: readonly string[];
    }
  /** Fails unless the volume is the root that `state/` names, and no merge into it is open. */
  | { readonly do: "check-root-volume"; readonly volume: string }
  /** A kernel with its initramfs and its modules, and a configuration of GRUB, below `root`. */
  | { readonly do: "check-bootable"; readonly root: string }
  /** One factory test, unless it has ended before; what came of it is kept in the record. */
  | {
      readonly do: "factory-test";
      readonly test: FactoryTest;
      readonly proof?: RootProof | undefined;
      readonly boot?: BootProof | undefined;
    }
  /** Every program in golden's factory-tests.d, in the order of their names. */
  | { readonly do: "vendor-tests"; readonly seconds: number }
  | { readonly do: "use-boot"; readonly grub: string; readonly rescue: string }
  | { readonly do: "switch-root"; readonly group: string; readonly name: string }
  | {
      readonly do: "remove-directories";
      readonly root: string;
      readonly prefixes: readonly string[];
      readonly keep: readonly string[];
    }
  | { readonly do: "check-table"; readonly disk: string };

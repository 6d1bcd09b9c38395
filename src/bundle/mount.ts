/*
 * A package's image, mounted read-only: through dm-verity, so that the kernel checks each block as it is read, or on a
 * kernel without device-mapper after the whole image has been checked here.
 * Owns: loop device, mapping and mount, and that one `umount` takes all three away.
 */
import { existsSync, fstatSync, readdirSync } from "node:fs";
import { resolve } from "node:path";
import { CommandError, messageOf, Refusal } from "../errors.ts";
import { query, run } from "../host/command.ts";
import { verityTable } from "../host/golden.ts";
import { decodeDevice } from "./erofs.ts";
import { FILE_SYSTEM, type Verity } from "./image.ts";

const OPTIONS = "ro,nodev,nosuid";

/** Why the kernel cannot check blocks; undefined if it can. */
export async function whyNoVerity(): Promise<string | undefined> {
  return query(["dmsetup", "version"]).then(
    () => undefined,
    (error: unknown) =>
      error instanceof CommandError && error.outcome.kind === "not-found"
        ? "there is no program dmsetup on this machine"
        : "this machine's kernel has no device-mapper",
  );
}

/** `checked`: a descriptor through which all of the image was checked; without one the kernel checks each block. */
export async function mountImage(
  file: string,
  at: string,
  verity: Verity,
  checked: number | undefined,
): Promise<void> {
  if (process.getuid?.() !== 0) throw new Refusal("only root can mount", "use sudo");
  if (!existsSync(at) || readdirSync(at).length > 0) {
    throw new Refusal(
      `${at} is no empty directory`,
      "make one: what is mounted hides what is there",
    );
  }
  const path = resolve(file);
  const throughVerity = checked === undefined;
  const loop = (await run(["losetup", "--find", "--show", "--read-only", path])).stdoutTail.trim();
  const name = `zshield-package-${verity.rootHash.slice(0, 16)}-${loop.slice("/dev/".length)}`;
  let isMapped = false;
  const work = async () => {
    if (checked !== undefined) await checkBacking(loop, checked, file);
    if (throughVerity) {
      const table = verityTable(loop, { verity });
      await run(["dmsetup", "create", name, "--readonly", "--table", table]);
      isMapped = true;
      await run(["udevadm", "settle", "--timeout=30"]);
    }
    const device = throughVerity ? `/dev/mapper/${name}` : loop;
    await run(["mount", "-t", FILE_SYSTEM, "-o", OPTIONS, device, resolve(at)]).catch(
      (error: unknown) => {
        const said = error instanceof CommandError ? error.stderrTail.trim() : messageOf(error);
        throw new Refusal(
          `${file} could not be mounted: ${said}`,
          `nothing is mounted; does the kernel know the file system (modprobe ${FILE_SYSTEM})?`,
        );
      },
    );
  };
  // Both stay while something uses them, and go with the last user; or at once if the mount failed.
  await workAndEnd(work, () => [
    ...(isMapped ? [["dmsetup", "remove", "--deferred", name]] : []),
    ["losetup", "--detach", loop],
  ]);
}

/** losetup opens the path again. @throws Refusal if something else lies there by now. */
async function checkBacking(loop: string, checked: number, file: string): Promise<void> {
  const columns = "BACK-MAJ:MIN,BACK-INO";
  const said = await query(["losetup", "--list", "--noheadings", "--output", columns, loop]);
  const { dev, ino } = fstatSync(checked, { bigint: true });
  const wanted = `${decodeDevice(Number(dev))} ${BigInt.asUintN(64, ino)}`;
  if (said.trim().replace(/\s+/, " ") === wanted) return;
  throw new Refusal(
    `${file} is not the file any more that was checked`,
    "stop what writes there, and mount again",
  );
}

/** All of the commands are run, whatever failed. @throws what failed first */
export async function workAndEnd(
  work: () => Promise<void>,
  endings: () => readonly (readonly string[])[],
): Promise<void> {
  const errors: unknown[] = [];
  const attempt = (act: Promise<unknown>) => act.catch((error: unknown) => errors.push(error));
  await attempt(work());
  for (const argv of endings()) await attempt(run(argv));
  if (errors.length > 0) throw errors[0];
}

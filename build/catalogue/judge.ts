/*
 * Judges a package that was made: whether it is whole with what it needs and the base, and whether its health command
 * runs in a chroot of them. Owns: which commands cannot run on the machine that builds; that what was right is not tried
 * again while nothing of it has changed.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { messageOf } from "../../src/errors.ts";
import { viewDirectory } from "../../src/host/harvest/view.ts";
import { whatIsMissing } from "../../src/plan/harvest/complete.ts";
import { digestOf } from "../cache.ts";
import { insideRoot } from "../chroot.ts";
import { output, run } from "../command.ts";
import { NOTES } from "./base.ts";
import type { Built } from "./make.ts";
import { layersOf } from "./order.ts";
import type { Result } from "./table.ts";

/** Health commands that say nothing on the machine that builds, with the reason. */
export const ONLY_ON_A_DEVICE: Readonly<Record<string, string>> = {
  zfs: "wants its kernel module, which is built against the device's kernel",
  "nvidia-tool": "wants such a processor and its kernel module",
  lvs: "wants ip_vs in the kernel that runs",
  xl2tpd: "asks systemd whether the service is active",
};

/** Another number where more is asked than before. */
const QUESTIONS = 2;

type Judgement = Pick<Result, "missing" | "health" | "healthSaid">;

export async function judge(
  one: Built,
  built: ReadonlyMap<string, Built>,
  work: string,
): Promise<Judgement> {
  const layers = layersOf(one, built);
  const script = readFileSync(path.join(import.meta.dirname, "health.sh"), "utf8");
  const file = path.join(work, NOTES, `${one.recipe.name}.judged`);
  const digest = digestOf([
    QUESTIONS,
    layers.map(({ name, madeMs }) => [name, madeMs]),
    one.recipe.commands,
    script,
    ONLY_ON_A_DEVICE[one.recipe.name],
  ]);
  const known = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { digest: string; judgement: Judgement })
    : undefined;
  if (known?.digest === digest) return known.judgement;
  const below = layers.slice(1).map((layer) => viewDirectory(layer.directory));
  const { start, stop, health } = one.recipe.commands;
  const missing = whatIsMissing(viewDirectory(one.directory), below, [start, stop, health]);
  const directories = layers.map((layer) => layer.directory);
  const judgement = { missing, ...(await runHealth(one, directories, script, work)) };
  if (missing.length === 0 && judgement.health !== "failed") {
    writeFileSync(file, JSON.stringify({ digest, judgement }));
  }
  return judgement;
}

async function runHealth(
  { recipe }: Built,
  directories: readonly string[],
  script: string,
  work: string,
): Promise<Pick<Result, "health" | "healthSaid">> {
  const { health, start } = recipe.commands;
  if (health.length === 0) return { health: "none" };
  const reason = ONLY_ON_A_DEVICE[recipe.name];
  if (reason !== undefined) return { health: "only on a device", healthSaid: reason };
  const place = path.join(work, "run");
  rmSync(place, { recursive: true, force: true });
  const [upper, inner, root] = ["upper", "work", "root"].map((name) => path.join(place, name)) as [
    string,
    string,
    string,
  ];
  for (const made of [upper, inner, root]) mkdirSync(made, { recursive: true });
  const options = `lowerdir=${directories.join(":")},upperdir=${upper},workdir=${inner}`;
  // Seen by this process and its children only (private-mounts.ts).
  await run(["mount", "--types", "overlay", "--options", options, "overlay", root]);
  try {
    for (const name of ["proc", "dev", "tmp", "run", "sys"])
      mkdirSync(path.join(root, name), { recursive: true });
    const words = ["/usr/bin/sh", "-c", script, "health", ...start, "--", ...health];
    await output([...insideRoot(root), ...words]);
    return { health: "ok" };
  } catch (error) {
    return {
      health: "failed",
      healthSaid: messageOf(error).trim().split("\n").slice(-3).join(" / "),
    };
  } finally {
    await run(["umount", root]).catch(() => run(["umount", "--lazy", root]));
    rmSync(place, { recursive: true, force: true });
  }
}

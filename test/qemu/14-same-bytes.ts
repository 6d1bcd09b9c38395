/*
 * The same inputs give the same bytes: the card is built a second time from a copy of the sources in
 * another folder, with another time zone, umask and language, and nothing shared but the downloaded
 * packages. No machine is started.
 */
import { cpSync, mkdirSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { sha256Of } from "../../src/host/digest-files.ts";
import { command } from "../lab/command.ts";
import { must, type Scenario } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";

const COMPARED = ["card.img", "golden.manifest", "rescue/initramfs.img", "rescue/vmlinuz"];

export const scenario: Scenario = {
  name: "same-bytes",
  title:
    "a second build of the card, in another folder and another time zone, gives the same bytes",
  minutes: 3,
  needs: ["small"],
  async run(context) {
    await context.card("small");
    const copy = join(context.folder, "elsewhere", "zshield");
    const { stdout } = await command([
      "git",
      "-C",
      PROJECT,
      "ls-files",
      "-co",
      "--exclude-standard",
    ]);
    for (const name of stdout.split("\n").filter((line) => line !== "")) {
      mkdirSync(dirname(join(copy, name)), { recursive: true });
      cpSync(join(PROJECT, name), join(copy, name));
    }
    mkdirSync(join(copy, "dist/cache"), { recursive: true });
    symlinkSync(join(PROJECT, "node_modules"), join(copy, "node_modules"));
    symlinkSync(join(PROJECT, "dist/cache/debs"), join(copy, "dist/cache/debs"));
    const build = `umask 077 && cd '${copy}' && exec bun build/card.ts --lab --root small`;
    await command(["env", "TZ=Asia/Tokyo", "LANG=tr_TR.UTF-8", "sh", "-c", build]);
    for (const name of COMPARED) {
      const [here, there] = await Promise.all(
        [PROJECT, copy].map((root) => sha256Of(join(root, "dist/lab/small", name))),
      );
      must(here === there, `${name} differs: ${here} here, ${there} there`);
    }
    context.note(`${COMPARED.join(", ")}: identical`);
  },
};

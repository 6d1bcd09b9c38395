/*
 * A harvest's throw-away root of `ROOT`, made below `SCRATCH` as `--apt` makes it, for a test that looks at it from outside:
 * `bun installed-root.ts ROOT SCRATCH FILE [hold [PACKAGE…]]` prints a line of JSON from inside; with `hold` it stays there.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/errors.ts";
import { withInstalled } from "../../src/host/harvest/apt-root.ts";
import { hasPrivateMounts, startWithPrivateMounts } from "../../src/host/private-mounts.ts";

const [root = "", scratch = "", file = "", hold, ...names] = process.argv.slice(2);
if (!hasPrivateMounts()) process.exit(await startWithPrivateMounts());
// Without the lists of this machine's apt, which are long to read.
const configuration = join(scratch, "apt.conf");
writeFileSync(configuration, `Dir::State::Lists "${scratch}/lists/";\n`);
const options = { scratch, cache: undefined, configuration };
try {
  await withInstalled(root, names, options, async (place) => {
    const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
    const inside = mounts.filter((line) => line.split(" ")[1]?.startsWith(place)).length;
    console.log(JSON.stringify({ pid: process.pid, isSeen: existsSync(file), mounts: inside }));
    if (hold === "hold") await Bun.sleep(60_000);
  });
} catch (error) {
  console.error(messageOf(error));
  process.exit(3);
}

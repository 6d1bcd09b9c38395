/*
 * Virtual disks of a card: each format says what it is, holds the same bytes, takes no room for what is empty, and takes the
 * place of nothing but a file.
 */
import {
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DISK_FORMATS, makeDisk } from "../../build/disk.ts";
import { MIB } from "../../src/model/size.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";

const folder = makeFolder("disk-formats");
const MODULE = new URL("../../build/disk.ts", import.meta.url).pathname;
const image = join(folder, "card.img");
const test = suite("disk formats");
test.before(() => {
  writeFileSync(image, Buffer.alloc(3 * MIB + 512, "content "));
  truncateSync(image, 65 * MIB);
});
test.after(() => dropFolder(folder));

interface Info {
  readonly format: string;
  readonly "virtual-size": number;
  readonly "format-specific"?: { readonly data?: Readonly<Record<string, unknown>> };
}

async function infoOf(file: string): Promise<Info> {
  const { stdout } = await command(["qemu-img", "info", "--output=json", file]);
  return JSON.parse(stdout) as Info;
}

test("each format says what it is and holds the same bytes in no more room", async () => {
  for (const format of DISK_FORMATS) {
    const out = join(folder, `card.${format}`);
    await makeDisk(image, out, format);
    const info = await infoOf(out);
    assert.is(info.format, format);
    assert.is(info["virtual-size"], 65 * MIB);
    await command(["qemu-img", "compare", "-f", "raw", "-F", format, image, out]);
    assert.ok(statSync(out).blocks * 512 < 40 * MIB, `${format}: ${statSync(out).blocks} blocks`);
    assert.not.ok(existsSync(`${out}.part`));
  }
  const { "format-specific": vmdk } = await infoOf(join(folder, "card.vmdk"));
  assert.is(vmdk?.data?.["create-type"], "monolithicSparse");
});

test("what is made is on the disk before it has its name", async () => {
  const [out, log] = [join(folder, "flushed.qcow2"), join(folder, "log")];
  const strace = [
    ...["strace", "--follow-forks", "--decode-fds=path", "--quiet=all"],
    ...["--trace=fsync,rename,renameat,renameat2", "--output", log],
  ];
  const source = `import { makeDisk } from ${JSON.stringify(MODULE)}; await makeDisk(...process.argv.slice(1), "qcow2");`;
  await command([...strace, process.execPath, "-e", source, image, out]);
  const calls = readFileSync(log, "utf8").split("\n");
  const named = calls.findIndex((call) => call.includes("rename") && call.includes(`"${out}"`));
  assert.ok(named > 0, calls.join("\n"));
  assert.ok(
    calls.slice(0, named).some((call) => call.includes(`<${out}.part>)`)),
    calls.join("\n"),
  );
  assert.ok(
    calls.slice(named).some((call) => call.includes(`<${folder}>)`)),
    calls.join("\n"),
  );
});

test("a directory or a device is not replaced, a file is", async () => {
  const directory = join(folder, "directory");
  mkdirSync(directory);
  assert.match(String(await makeDisk(image, directory, "raw").catch(String)), /is no file/);
  assert.match(String(await makeDisk(image, "/dev/null", "raw").catch(String)), /is no file/);
  assert.ok(statSync("/dev/null").isCharacterDevice());
  const out = join(folder, "old.qcow2");
  writeFileSync(out, "old");
  await makeDisk(image, out, "qcow2");
  assert.is((await infoOf(out)).format, "qcow2");
});

test.run();

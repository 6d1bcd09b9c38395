/*
 * A bundle goes into a container registry and comes back: skopeo copies it to Debian's docker-registry, and what it
 * copies back, as a directory and as a tar, becomes the same bytes again.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { importBundle } from "../../src/bundle/import.ts";
import { printPublicKey } from "../../src/model/minisign.ts";
import { command } from "../lab/command.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { exampleBundle, KEY } from "../unit/bundle-example.ts";

const WAIT_MS = 20_000;
const COPY = ["skopeo", "copy", "--all", "--preserve-digests"];
const folder = makeFolder("registry");
const test = suite("registry");
const example = await exampleBundle({ sizes: [70_000, 3_000_000, 100_000, 9000] });
const { label } = example.signed.manifest;
const file = join(folder, `${label}.upt`);
let registry: Awaited<ReturnType<typeof startRegistry>> | undefined;
const place = (tag: string) => `docker://${registry?.address}/video:${tag}`;

test.before(async () => {
  writeFileSync(file, example.bytes);
  registry = await startRegistry();
  await command([...COPY, "--dest-tls-verify=false", `oci-archive:${file}:${label}`, place(label)]);
});
test.after(async () => {
  await registry?.stop();
  dropFolder(folder);
});

test("skopeo inspect --raw reads the bundle's own index", async () => {
  const { stdout } = await command([
    ...["skopeo", "inspect", "--raw", "--tls-verify=false", place(label)],
  ]);
  assert.is(stdout, Buffer.from(example.signed.layout.front[2]?.bytes ?? []).toString());
});

test("what comes back, as a directory and as a tar, gives the same bytes", async () => {
  for (const [kind, path, name] of [
    ["oci", join(folder, "directory"), label],
    ["oci-archive", join(folder, "back.tar"), "any"],
  ] as const) {
    const again = join(folder, `${kind}.upt`);
    await command([...COPY, "--src-tls-verify=false", place(label), `${kind}:${path}:${name}`]);
    await importBundle(path, again, [printPublicKey(KEY)]);
    assert.ok(readFileSync(again).equals(example.bytes), kind);
  }
});

test("a second bundle shares the blobs of what it did not change", async () => {
  const { blobs, signed } = example;
  const [zfs, kernel, nvr, tools] = signed.layout.blobs.map(({ sha256 }) => blobs.get(sha256));
  const contents = [zfs, nvr, tools, kernel].map((content) => content ?? new Uint8Array());
  const next = await exampleBundle({
    contents,
    change: (manifest) => ({ ...manifest, release: 18 }),
  });
  const other = join(folder, "next.upt");
  writeFileSync(other, next.bytes);
  await command([...COPY, "--dest-tls-verify=false", `oci-archive:${other}`, place("next")]);
  const kept = readdirSync(join(folder, "data/docker/registry/v2/blobs/sha256"), {
    recursive: true,
  });
  // Of each its index, two images, signature and manifest; chain and four blobs are of both.
  assert.is(kept.filter((name) => String(name).endsWith("/data")).length, 2 * 5 + 1 + 4);
});

/**
 * Debian's, unpacked and not installed: the package would start a service that every machine in the network reaches.
 */
async function startRegistry() {
  await command(["apt-get", "--quiet=2", "download", "docker-registry"], { cwd: folder });
  const [archive = ""] = readdirSync(folder).filter((name) => name.startsWith("docker-registry_"));
  const unpacked = join(folder, "unpacked");
  await command(["dpkg-deb", "--extract", join(folder, archive), unpacked]);
  const data = join(folder, "data");
  mkdirSync(data);
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(folder, "registry.yml");
  writeFileSync(
    config,
    JSON.stringify({
      version: 0.1,
      storage: { filesystem: { rootdirectory: data } },
      http: { addr: address },
      log: { level: "error" },
    }),
  );
  const child = Bun.spawn([join(unpacked, "usr/bin/docker-registry"), "serve", config], {
    stdin: "ignore",
    stdout: Bun.file(join(folder, "registry.log")),
    stderr: Bun.file(join(folder, "registry.log")),
  });
  const stop = async () => {
    child.kill();
    await child.exited;
  };
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await fetch(`http://${address}/v2/`).catch(() => undefined);
    if (answer?.ok === true) return { address, stop };
    if (Date.now() > end || child.exitCode !== null) {
      await stop();
      throw new Error(
        `docker-registry does not answer:\n${readFileSync(join(folder, "registry.log"), "utf8").slice(-2000)}`,
      );
    }
    await Bun.sleep(100);
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
}

test.run();

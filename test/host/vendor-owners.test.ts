/*
 * Whose a vendor's files are when root writes them anew: whoever uses sudo for one command must not lose a key to root.
 */
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lockKey, unlockKey } from "../../src/bundle/secret-key.ts";
import { keepNumbers } from "../../src/host/harvest/user-numbers.ts";
import { LEAST, printPublicKeyFile } from "../../src/model/minisign.ts";
import { keyOf } from "../unit/key-example.ts";
import { dropFolder, makeFolder } from "../lab/scratch.ts";
import { needRoot } from "./need-root.ts";

needRoot();

const test = suite("vendor owners");
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const WEAK = new URL("../unit/weak-keys.ts", import.meta.url).pathname;
const PASSWORD = "correct horse";
const OWNER = 1234;
const GROUP = 2345;
const folder = makeFolder("vendor-owners");
const at = (name: string) => join(folder, name);
test.after(() => dropFolder(folder));

/** A file of somebody else. */
function put(name: string, text: string, mode: number): string {
  writeFileSync(at(name), text);
  chownSync(at(name), OWNER, GROUP);
  chmodSync(at(name), mode);
  return at(name);
}

function ownersOf(name: string): string {
  const { uid, gid, mode } = statSync(at(name));
  return `${uid}:${gid} ${(mode & 0o7777).toString(8)}`;
}

async function run(words: readonly string[], before: readonly string[] = []): Promise<void> {
  const child = Bun.spawn([...before, process.execPath, ...words], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stderr = await new Response(child.stderr).text();
  assert.is(await child.exited, 0, stderr);
}

const locked = (number: number) => lockKey(keyOf(number), PASSWORD, LEAST);

test("key password: the file stays its owner's, with its mode", async () => {
  const files = [put("old-pw", PASSWORD, 0o644), put("new-pw", "another password", 0o644)];
  for (const [mode, after] of [
    [0o600, "600"],
    [0o400, "400"],
    [0o640, "640"],
    // Whoever was no owner and not of the group had no business in it.
    [0o644, "640"],
    [0o4755, "640"],
  ] as const) {
    const file = put("vendor.key", await locked(1), mode);
    await run([WEAK, "password", file, ...files]);
    assert.is(ownersOf("vendor.key"), `${OWNER}:${GROUP} ${after}`);
    assert.ok(await unlockKey("it", readFileSync(file, "utf8"), "another password"));
  }
});

test("key new --force: the owner's too, and the secret one for nobody else", async () => {
  put("again.key", await locked(1), 0o664);
  put("again.pub", printPublicKeyFile(keyOf(1)), 0o600);
  await run([WEAK, "force", at("again"), at("old-pw")]);
  assert.is(ownersOf("again.key"), `${OWNER}:${GROUP} 600`);
  assert.is(ownersOf("again.pub"), `${OWNER}:${GROUP} 600`);
  await run([WEAK, "force", at("new"), at("old-pw")]);
  assert.is(ownersOf("new.key"), "0:0 600");
  assert.is(ownersOf("new.pub"), "0:0 644");
});

test("chains, records and the numbers of users are their owner's too", async () => {
  const [first, next] = [put("first.key", await locked(1), 0o600), at("next.pub")];
  writeFileSync(next, printPublicKeyFile(keyOf(2)));
  const password = ["--password-file", at("old-pw")];
  const rotate = (from: string, to: string) =>
    run([MAIN, "key", "rotate", from, to, "--chain", at("chain"), ...password]);
  await rotate(first, next);
  assert.is(ownersOf("chain"), "0:0 644");
  chownSync(at("chain"), OWNER, GROUP);
  chmodSync(at("chain"), 0o660);
  writeFileSync(at("third.pub"), printPublicKeyFile(keyOf(3)));
  await rotate(put("next.key", await locked(2), 0o600), at("third.pub"));
  assert.is(ownersOf("chain"), `${OWNER}:${GROUP} 660`);

  const record = ["device", "record", "--id", "B", "--mask", "000001", "--prefix", ""];
  put("box.record", "an older one", 0o664);
  const out = ["--epoch", "2", "--key", first, "--out", at("box.record"), "--force"];
  await run([MAIN, ...record, ...out, ...password]);
  assert.is(ownersOf("box.record"), `${OWNER}:${GROUP} 664`);

  put("users.txt", "zabbix 400\n", 0o664);
  await keepNumbers(at("users.txt"), ["tool"]);
  assert.is(ownersOf("users.txt"), `${OWNER}:${GROUP} 664`);
});

test("who cannot give a file away gets it for himself alone", async () => {
  const file = put("shared.key", await locked(1), 0o664);
  chmodSync(folder, 0o777);
  const person = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  await run([WEAK, "password", file, at("old-pw"), at("new-pw")], person);
  assert.is(ownersOf("shared.key"), "65534:65534 600");
});

test.run();

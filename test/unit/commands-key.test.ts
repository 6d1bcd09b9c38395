/*
 * `zshield key` and `zshield device`: the files, the passwords, and minisign (Debian's package) reading ours and
 * writing theirs. Keys are made with libsodium's least limits, but for one with minisign's own.
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { lockKey, makeKey, unlockKey } from "../../src/bundle/secret-key.ts";
import { Refusal } from "../../src/errors.ts";
import { blake2bOf } from "../../src/host/digest-files.ts";
import { followChain, parseChain } from "../../src/model/chain.ts";
import {
  LEAST,
  parsePublicFile,
  parseSecretFile,
  printPublicKey,
  printPublicKeyFile,
  printSecretFile,
  SENSITIVE,
} from "../../src/model/minisign.ts";
import { COMMENT, signMessage, verifySignature } from "../../src/model/signature.ts";
import { keyOf, MINISIGN } from "./key-example.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-keys-"));
const at = (name: string) => join(folder, name);
const read = (name: string) => readFileSync(at(name), "utf8");
const modeOf = (name: string) => statSync(at(name)).mode & 0o777;
const write = (name: string, text: string) => (writeFileSync(at(name), text), at(name));
const MAIN = new URL("../../src/main.ts", import.meta.url).pathname;
const WEAK = new URL("weak-keys.ts", import.meta.url).pathname;
const PASSWORD = "correct horse";

async function run(argv: readonly string[], stdin: string | Uint8Array<ArrayBuffer> = "") {
  const child = Bun.spawn([...argv], {
    cwd: folder,
    stdin: new Blob([stdin]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { stdout, stderr, code: await child.exited };
}

const zshield = (words: readonly string[], stdin = "") =>
  run([process.execPath, MAIN, ...words], stdin);
const weak = (words: readonly string[], stdin: string | Uint8Array<ArrayBuffer> = "") =>
  run([process.execPath, WEAK, ...words], stdin);

async function minisign(words: string, stdin = ""): Promise<string> {
  const { stdout, stderr, code } = await run(["minisign", ...words.split(" ")], stdin);
  if (code !== 0) throw new Error(`minisign ${words}: ${stdout}${stderr}`);
  return stdout;
}

async function refused(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (error instanceof Refusal) return error.message;
    throw error;
  }
  return "nothing was refused";
}

test("key new: two files, the secret one for its owner only, and never over others", async () => {
  const { stdout, stderr, code } = await weak(["new", at("vendor")], `${PASSWORD}\n`);
  assert.is(code, 0, stderr);
  assert.is(modeOf("vendor.key"), 0o600);
  assert.is(modeOf("vendor.pub"), 0o644);
  const key = parsePublicFile("it", read("vendor.pub"));
  assert.match(stdout, new RegExp(`key id: +${key.id}\n(.|\n)*for releases`));
  assert.not.match(stdout + stderr + read("vendor.key") + read("vendor.pub"), /correct|horse/);

  const before = read("vendor.key");
  const again = await weak(["new", at("vendor")], `${PASSWORD}\n`);
  assert.is(again.code, 3);
  assert.match(again.stderr, /vendor\.key is there already/);
  assert.is(read("vendor.key"), before);
  assert.is((await weak(["force", at("other")], `${PASSWORD}\n`)).code, 0);
  const old = read("other.key");
  assert.is((await weak(["force", at("other")], `${PASSWORD}\n`)).code, 0);
  assert.is.not(read("other.key"), old);
  assert.is(modeOf("other.key"), 0o600);
  assert.equal(
    readdirSync(folder).filter((name) => name.includes(".new-")),
    [],
  );
});

test("key show: from either file, without a password", async () => {
  const [secret, open] = await Promise.all([
    zshield(["key", "show", at("vendor.key")]),
    zshield(["key", "show", at("vendor.pub")]),
  ]);
  assert.is(secret.code, 0, secret.stderr);
  assert.is(secret.stdout, open.stdout);
  assert.match(open.stdout, /^public key: RW.*\nkey id: .*\nsysKey: +[0-9a-f]{32}\nvendor: /);
});

test("the password 12345 makes a development key; other short ones are refused", async () => {
  assert.is((await weak(["new", at("dev")], "12345\n")).code, 0);
  assert.match(parsePublicFile("it", read("dev.pub")).id, /^DE57/);
  assert.match(read("dev.pub"), /^untrusted comment: minisign public key DE57/);
  const short = await weak(["new", at("short")], "123456\n");
  assert.is(short.code, 3);
  assert.match(short.stderr, /shorter than 8/);
  const none = await weak(["new", at("none")], "");
  assert.is(none.code, 3);
  assert.match(none.stderr, /no password was given/);
});

test("a password that is not UTF-8 is refused: all such bytes would be one", async () => {
  const line = new Uint8Array([...Buffer.from("\xc3\xdc\xc2\xeb\xc3\xdc\xc2\xeb", "latin1"), 10]);
  const { code, stderr } = await weak(["new", at("gbk")], line);
  assert.is(code, 3, stderr);
  assert.match(stderr, /not UTF-8/);
  assert.not.ok(existsSync(at("gbk.key")));
});

test("a password may lie in a file as Windows writes it", async () => {
  await weak(["new", at("crlf")], `${PASSWORD}\r\n`);
  assert.ok(await unlockKey("it", read("crlf.key"), PASSWORD));
  // What its editor puts in front of a file is nothing that anybody could type.
  await weak(["new", at("marked"), write("marked-pw", `\ufeff${PASSWORD}\r\n`)]);
  assert.ok(await unlockKey("it", read("marked.key"), PASSWORD));
});

test("key new --out needs a name", async () => {
  for (const out of ["", "./", `${folder}/`]) {
    const { code, stderr } = await weak(["new", out], `${PASSWORD}\n`);
    assert.is(code, 3, stderr);
    assert.match(stderr, /names no file/);
  }
  assert.not.ok(existsSync(at(".key")));
});

test("key new takes no place that only seems to be free, and leaves no half of a key", async () => {
  for (const name of ["half.key", "half.pub"]) {
    symlinkSync("nowhere", at(name));
    const { code, stderr } = await weak(["new", at("half")], `${PASSWORD}\n`);
    assert.is(code, 3, stderr);
    assert.match(stderr, new RegExp(`half\\${name.slice(4)} cannot be written`));
    assert.equal(
      readdirSync(folder).filter((other) => /^(half|nowhere)/.test(other)),
      [name],
    );
    rmSync(at(name));
  }
});

test("key new --force touches no key whose public half cannot be replaced", async () => {
  await weak(["new", at("kept")], `${PASSWORD}\n`);
  const before = read("kept.key");
  rmSync(at("kept.pub"));
  mkdirSync(at("kept.pub"));
  const { code, stderr } = await weak(["force", at("kept")], `${PASSWORD}\n`);
  assert.is(code, 3, stderr);
  assert.match(stderr, /kept\.pub is a directory/);
  assert.is(read("kept.key"), before);
});

test("key password behind a link changes the file that the link leads to", async () => {
  await weak(["new", at("linked")], `${PASSWORD}\n`);
  mkdirSync(at("stick"));
  renameSync(at("linked.key"), at("stick/linked.key"));
  symlinkSync("stick/linked.key", at("linked.key"));
  const files = [write("old-pw", PASSWORD), write("new-pw", "another password")];
  const { code, stderr } = await weak(["password", at("linked.key"), ...files]);
  assert.is(code, 0, stderr);
  assert.ok(lstatSync(at("linked.key")).isSymbolicLink());
  assert.ok(await unlockKey("it", read("stick/linked.key"), "another password"));
});

test("a record or a chain for a full disk is refused, and no crash", async () => {
  await weak(["new", at("full")], `${PASSWORD}\n`);
  await weak(["new", at("next")], `${PASSWORD}\n`);
  const password = ["--password-file", write("full-pw", PASSWORD)];
  for (const words of [
    [
      "device",
      "record",
      "--id",
      "B",
      "--mask",
      "000001",
      "--prefix",
      "",
      "--epoch",
      "1",
      "--key",
      at("full.key"),
    ],
    ["key", "rotate", at("full.key"), at("next.pub")],
  ]) {
    const script = ["sh", "-c", 'exec "$@" > /dev/full', "sh"];
    const { code, stderr } = await run([...script, process.execPath, MAIN, ...words, ...password]);
    assert.is(code, 3, stderr);
    assert.match(stderr, /^zshield: standard output cannot be written: .*no space left/);
  }
});

test("a password is no word of the command", async () => {
  for (const words of [
    ["key", "new", "--password", PASSWORD],
    ["key", "new", PASSWORD],
  ]) {
    const { code, stderr } = await zshield(words);
    assert.is(code, 2, stderr);
  }
});

test("on a terminal it is asked for twice and never shown", async () => {
  let shown = "";
  const terminal = new Bun.Terminal({
    data: (_terminal, bytes) => void (shown += new TextDecoder().decode(bytes)),
  });
  const child = Bun.spawn([process.execPath, WEAK, "new", at("typed")], { terminal });
  for (const prompt of ["New password of the key: ", "The same again: "]) {
    for (let tries = 0; !shown.endsWith(prompt); tries++) {
      if (tries > 400) throw new Error(`no prompt; shown: ${JSON.stringify(shown)}`);
      await Bun.sleep(25);
    }
    terminal.write(`${PASSWORD}\r`);
  }
  assert.is(await child.exited, 0, shown);
  terminal.close();
  assert.not.match(shown, /correct/);
  await unlockKey("it", read("typed.key"), PASSWORD);
});

test("key password: the same key under another one", async () => {
  const key = await unlockKey("it", read("vendor.key"), PASSWORD);
  const done = await weak(["password", at("vendor.key")], `${PASSWORD}\nbattery staple\n`);
  assert.is(done.code, 0, done.stderr);
  assert.is(modeOf("vendor.key"), 0o600);
  assert.match(await refused(unlockKey("it", read("vendor.key"), PASSWORD)), /not the password/);
  assert.equal(await unlockKey("it", read("vendor.key"), "battery staple"), key);

  // Nothing of a key is known to whoever makes another one; the salt is drawn anew too, or equal passwords would have equal streams.
  const salts = await Promise.all(
    [1, 2].map(async () => parseSecretFile("it", await lockKey(key, PASSWORD, LEAST)).salt),
  );
  assert.not.equal(salts[0], salts[1]);
  const [one, other] = [makeKey(false), makeKey(false)];
  assert.not.equal(one.seed, other.seed);
  assert.is.not(one.id, other.id);

  const before = read("vendor.key");
  const wrong = await weak(["password", at("vendor.key")], `${PASSWORD}\nbattery staple\n`);
  assert.is(wrong.code, 3);
  assert.match(wrong.stderr, /this is not the password of .*vendor\.key/);
  const weaker = await weak(["password", at("vendor.key")], "battery staple\n12345\n");
  assert.is(weaker.code, 3);
  assert.match(weaker.stderr, /the development keys' own/);
  assert.is(read("vendor.key"), before);

  // A development key keeps its own.
  const same = await weak(["password", at("dev.key")], "12345\n12345\n");
  assert.is(same.code, 0, same.stderr);
  assert.match((await unlockKey("it", read("dev.key"), "12345")).id, /^DE57/);

  const files = [write("old.pw", "battery staple\n"), write("new.pw", `${PASSWORD}\n`)];
  assert.is((await weak(["password", at("vendor.key"), ...files])).code, 0);
  assert.equal(await unlockKey("it", read("vendor.key"), PASSWORD), key);
});

test("password files: one line, with a password in it", async () => {
  for (const [text, wanted] of [
    ["", /has no password/],
    ["\n", /has no password/],
    ["correct horse\nbattery staple\n", /more than one line/],
    ["seven77\n", /some\.pw: the password is shorter than 8/],
    [`${PASSWORD}${"\n".repeat(4096)}`, /some\.pw cannot be read: it is too large/],
  ] as const) {
    const { code, stderr } = await weak(["new", at("never"), write("some.pw", text)]);
    assert.is(code, 3);
    assert.match(stderr, wanted);
  }
  write("dos.key", await lockKey(keyOf(5), PASSWORD, LEAST));
  write("dos.pub", printPublicKeyFile(keyOf(6)));
  const rotate = (text: string) =>
    zshield([
      ...["key", "rotate", at("dos.key"), at("dos.pub")],
      ...["--password-file", write("dos.pw", text)],
    ]);
  const dos = await rotate(`${PASSWORD}\r\n`);
  assert.is(dos.code, 0, dos.stderr);
  for (const text of ["x".repeat(1024), "ü".repeat(512)]) {
    const long = await rotate(`${text}\n`);
    assert.is(long.code, 3);
    assert.match(long.stderr, /the password is longer than 1023 bytes/);
  }
});

test("minisign signs with our key, and we verify it, of a file that is read in pieces", async () => {
  write("large", "0123456789abcdef".repeat(200_000));
  await minisign("-S -H -s vendor.key -m large -t hello", `${PASSWORD}\n`);
  const claim = {
    name: "it",
    message: await blake2bOf(at("large")),
    signature: read("large.minisig"),
    keys: [printPublicKey(parsePublicFile("it", read("vendor.pub")))],
    untrustedComment: "signature from minisign secret key",
    trustedComment: "hello",
  };
  verifySignature(claim);
  const other = { blake2b512: claim.message.blake2b512.map((byte) => byte ^ 1) };
  assert.throws(() => verifySignature({ ...claim, message: other }), /does not fit/);
});

test("minisign confirms what we sign, and nothing else", async () => {
  const key = await unlockKey("it", read("vendor.key"), PASSWORD);
  write("manifest", "the manifest");
  const comments = {
    untrustedComment: COMMENT.bundle,
    trustedComment: "zshield bundle a release 1",
  };
  write("manifest.minisig", signMessage(key, "the manifest", comments));
  const words = "-V -H -p vendor.pub -m manifest";
  assert.match(await minisign(words), /verified\nTrusted comment: zshield bundle a release 1\n/);
  write("manifest", "the manifesto");
  assert.is((await run(["minisign", ...words.split(" ")])).code, 1);
});

test("a key of minisign's, made where memory is short; and minisign changes the password of ours", async () => {
  const short = await run(
    ["sh", "-c", "ulimit -v 60000; exec minisign -G -p theirs.pub -s theirs.key"],
    "their password\ntheir password\n",
  );
  assert.is(short.code, 0, short.stderr);
  const { limits } = parseSecretFile("it", read("theirs.key"));
  assert.ok(limits.memoryBytes < 2 ** 26, `it took ${limits.memoryBytes} bytes`);
  const theirs = await unlockKey("it", read("theirs.key"), "their password");
  assert.is(printPublicKey(theirs), read("theirs.pub").split("\n")[1]);
  write("text", "text");
  write(
    "text.minisig",
    signMessage(theirs, "text", { untrustedComment: "x", trustedComment: "y" }),
  );
  await minisign("-V -H -p theirs.pub -m text");
  const shown = await zshield(["key", "show", at("theirs.key")]);
  assert.is(shown.code, 3);
  assert.match(shown.stderr, /does not tell its public one/);

  const changed = await run(
    ["sh", "-c", "ulimit -v 60000; exec minisign -C -s vendor.key"],
    `${PASSWORD}\nbattery staple\nbattery staple\n`,
  );
  assert.is(changed.code, 0, changed.stderr);
  const key = await unlockKey("it", read("vendor.key"), "battery staple");
  assert.is(printPublicKey(key), read("vendor.pub").split("\n")[1]);
});

test("a key without a password is refused", async () => {
  await minisign("-G -W -p bare.pub -s bare.key");
  assert.match(await refused(unlockKey("it", read("bare.key"), "")), /not locked with a password/);
});

test("minisign's own limits, once: a key that it wrote", async () => {
  const key = await unlockKey("it", MINISIGN.secretFile, MINISIGN.password);
  assert.is(printPublicKeyFile(key), MINISIGN.publicFile);
});

test("what guesses at passwords cost is minisign's own, once for each command", async () => {
  const out = ["--out", at("strong"), "--password-file", write("strong-pw", PASSWORD)];
  const made = await zshield(["key", "new", ...out]);
  assert.is(made.code, 0, made.stderr);
  assert.equal(parseSecretFile("it", read("strong.key")).limits, SENSITIVE);
  write("weak.key", await lockKey(keyOf(4), PASSWORD, LEAST));
  const files = ["--password-file", at("strong-pw"), "--new-password-file", at("strong-pw")];
  const changed = await zshield(["key", "password", at("weak.key"), ...files]);
  assert.is(changed.code, 0, changed.stderr);
  assert.equal(parseSecretFile("it", read("weak.key")).limits, SENSITIVE);
});

test("a secret key whose halves or whose comment belong to another key is refused", async () => {
  const key = keyOf(1);
  const halves = await lockKey({ ...key, key: keyOf(2).key }, PASSWORD, LEAST);
  assert.match(await refused(unlockKey("it", halves, PASSWORD)), /two halves/);
  const locked = parseSecretFile("it", await lockKey(key, PASSWORD, LEAST));
  const lying = printSecretFile(keyOf(2), locked);
  assert.match(await refused(unlockKey("it", lying, PASSWORD)), /public key of another one/);
});

test("key rotate: a chain is begun, printed or made longer, by its last key only", async () => {
  for (const number of [1, 2, 3]) {
    write(`${number}.key`, await lockKey(keyOf(number), `password ${number}`, LEAST));
    write(`${number}.pub`, printPublicKeyFile(keyOf(number)));
  }
  const rotate = (from: number, to: string, ...words: string[]) =>
    zshield(["key", "rotate", at(`${from}.key`), at(to), ...words], `password ${from}\n`);
  const printed = await rotate(1, "2.pub");
  assert.is(printed.code, 0, printed.stderr);
  const first = await rotate(1, "2.key", "--chain", at("chain"));
  assert.is(first.code, 0, first.stderr);
  assert.is(printed.stdout, read("chain"));
  assert.is(modeOf("chain"), 0o644);
  symlinkSync("nowhere", at("led"));
  const led = await rotate(1, "2.key", "--chain", at("led"));
  assert.is(led.code, 3);
  assert.match(led.stderr, /led cannot be written/);
  const early = await rotate(1, "3.pub", "--chain", at("chain"));
  assert.is(early.code, 3);
  assert.match(early.stderr, /the last key of the chain is/);
  assert.is((await rotate(2, "3.pub", "--chain", at("chain"))).code, 0);
  const chain = parseChain("it", read("chain"));
  for (const number of [1, 2, 3]) {
    assert.is(followChain(chain, [printPublicKey(keyOf(number))]).id, keyOf(3).id);
  }
  // Nobody is asked for the password of what is no key.
  const none = await zshield(["device", "record", ...RECORD, "--key", at("3.pub")]);
  assert.is(none.code, 3);
  assert.match(none.stderr, /3\.pub is no secret key of minisign/);
  const wrong = await zshield(["key", "rotate", at("3.key"), at("vendor.pub")], "password 1\n");
  assert.is(wrong.code, 3);
  assert.match(wrong.stderr, /this is not the password of .*3\.key/);
});

const RECORD = ["--id", "BOX-0017", "--mask", "000041", "--prefix", "acme", "--epoch", "3"];

test("device record: signed, shown only with the key that signed, and read by minisign", async () => {
  const words = [...RECORD, "--key", at("1.key"), "--release"];
  const made = await zshield(
    ["device", "record", ...words, "--out", at("box.record")],
    "password 1\n",
  );
  assert.is(made.code, 0, made.stderr);
  const printed = await zshield(["device", "record", ...words], "password 1\n");
  assert.is(printed.stdout, read("box.record"));
  const again = await zshield(
    ["device", "record", ...words, "--out", at("box.record")],
    "password 1\n",
  );
  assert.is(again.code, 3);
  assert.match(again.stderr, /box\.record is there already/);

  const shown = await zshield(["device", "show", at("box.record"), "--key", at("1.pub")]);
  assert.is(
    shown.stdout,
    `device: BOX-0017\nmask:   000041\nprefix: acme\nepoch:  3\nsigned: by ${keyOf(1).id}\n`,
  );
  const other = await zshield(["device", "show", at("box.record"), "--key", at("2.pub")]);
  assert.is(other.code, 3);
  assert.match(other.stderr, /is not known here/);
  assert.is(other.stdout, "");
  const none = await zshield(["device", "show", at("box.record")]);
  assert.is(none.code, 3);
  assert.match(none.stderr, /without a public key nothing can be said/);

  const [json = "", ...signature] = read("box.record").split("\n");
  write("box.json", json);
  write("box.json.minisig", signature.join("\n"));
  assert.match(
    await minisign("-V -H -p 1.pub -m box.json"),
    /Trusted comment: zshield device record BOX-0017 epoch 3\n/,
  );
});

test("device record: what is no record, and a development key for a release", async () => {
  const record = (key: string, password: string, ...words: string[]) =>
    zshield(["device", "record", ...RECORD, "--key", at(key), ...words], `${password}\n`);
  for (const [words, code, wanted] of [
    [["--mask", "41"], 2, /--mask "41" must be six/],
    [["--epoch", "0"], 2, /--epoch "0" must be/],
    [["--epoch", "1.5"], 2, /must be a whole number/],
    [["--id", "a box"], 3, /device record: device: /],
    [["--chain", "x"], 2, /chain/],
  ] as const) {
    const { stderr, ...found } = await record("1.key", "password 1", ...words);
    assert.is(found.code, code, stderr);
    assert.match(stderr, wanted);
  }
  const released = await record("dev.key", "12345", "--release");
  assert.is(released.code, 3);
  assert.match(released.stderr, /DE57.* is a development key/);
  // Another program does not mark the key that it locks with this password.
  write("unmarked.key", await lockKey(keyOf(1), "12345", LEAST));
  const unmarked = await record("unmarked.key", "12345", "--release");
  assert.is(unmarked.code, 3);
  assert.match(unmarked.stderr, /has the development keys' password/);
  assert.is((await record("dev.key", "12345")).code, 0);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();

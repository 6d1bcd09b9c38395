/*
 * The formats that a harvest reads: dpkg's and rpm's databases, ELF, units, accounts, recipes.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { debsOf } from "../../src/host/harvest/apt-root.ts";
import {
  assignNumbers,
  parseAccounts,
  parseNumbers,
  printNumbers,
  printSysusers,
} from "../../src/model/accounts.ts";
import {
  enabledByScript,
  parseAlternative,
  parseDiversions,
  parseDpkgStatus,
  parseUcfRegister,
} from "../../src/model/dpkg-database.ts";
import { parseElf } from "../../src/model/elf.ts";
import { parseHarvestPaper } from "../../src/model/harvest.ts";
import { entriesOf, essentialOf, indexByName } from "../../src/model/installed.ts";
import { parseLdConf, runPathOf } from "../../src/model/library-path.ts";
import { checkRecipe, mainVersion, packageFields } from "../../src/model/recipe.ts";
import { parseRpmQuery } from "../../src/model/rpm-database.ts";
import { makeMatcher, normalise } from "../../src/model/tree-path.ts";
import { accountsOfUnit, linksOfUnit, programsOfUnit } from "../../src/model/unit-file.ts";

const STATUS = `Package: web
Essential: yes
Status: install ok installed
Architecture: amd64
Version: 1:2.7-3
Pre-Depends: loader
Provides: httpd, httpd-cgi (= 2)
Depends: libc6 (>= 2.34), perl:any | lang [amd64],
 libpage1
Description: a server
 that serves
 .
 pages

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: libpage1
Status: install ok triggers-pending
Priority: required
Architecture: amd64
Version: 3
`;

test("dpkg: installed packages with needs, names that they provide, and files", () => {
  const lists: Record<string, string> = { "web amd64": "/.\n/usr\n/usr/sbin/web\n" };
  const found = parseDpkgStatus(
    STATUS,
    (name, architecture) => lists[`${name} ${architecture}`] ?? "",
  );
  assert.equal(found, [
    {
      name: "web",
      version: "1:2.7-3",
      architecture: "amd64",
      isEssential: true,
      needs: [["loader"], ["libc6"], ["perl", "lang"], ["libpage1"]],
      provides: ["httpd", "httpd-cgi"],
      files: ["/usr", "/usr/sbin/web"],
    },
    {
      name: "libpage1",
      version: "3",
      architecture: "amd64",
      isEssential: true,
      needs: [],
      provides: [],
      files: [],
    },
  ]);
  assert.equal([...essentialOf(indexByName(found))].sort(), ["libpage1", "web"]);
});

test("dpkg: of two architectures the one of dpkg itself comes first, in whatever order they stand there", () => {
  const stanza = (name: string, architecture: string) =>
    `Package: ${name}\nStatus: install ok installed\nArchitecture: ${architecture}\nVersion: 1\n`;
  const stanzas = [stanza("libc6", "i386"), stanza("libc6", "amd64"), stanza("dpkg", "amd64")];
  for (const order of [stanzas, stanzas.toReversed()]) {
    const lists = (name: string, architecture: string) => `/usr/lib/${name}-${architecture}\n`;
    const installed = indexByName(parseDpkgStatus(order.join("\n"), lists));
    assert.is(installed.get("libc6")?.architecture, "amd64");
    assert.equal(
      entriesOf(installed)
        .map(([key, { files }]) => [key, ...files])
        .sort(),
      [
        ["dpkg", "/usr/lib/dpkg-amd64"],
        ["libc6", "/usr/lib/libc6-amd64"],
        ["libc6:i386", "/usr/lib/libc6-i386"],
      ],
    );
  }
});

test("dpkg: diversions, alternatives, ucf, units in scripts", () => {
  assert.equal(parseDiversions("/bin/sh\n/bin/sh.distrib\ndash\n/a\n/b\n:\n"), [
    { from: "/bin/sh", to: "/bin/sh.distrib", by: "dash" },
    { from: "/a", to: "/b", by: ":" },
  ]);
  const text =
    "auto\n/usr/bin/mt\nmt.1.gz\n/usr/share/man/man1/mt.1.gz\n\n/bin/mt-gnu\n10\n/usr/share/man/x\n\n";
  assert.equal(parseAlternative("mt", text).links, [
    { name: "mt", link: "/usr/bin/mt" },
    { name: "mt.1.gz", link: "/usr/share/man/man1/mt.1.gz" },
  ]);
  assert.equal(
    [...parseUcfRegister("php  /etc/php.ini\nweb\t/etc/web\n\n")],
    [
      ["/etc/php.ini", "php"],
      ["/etc/web", "web"],
    ],
  );
  const script =
    "if deb-systemd-helper --quiet was-enabled 'a@b.service'; then\n deb-systemd-helper enable 'c.timer'";
  assert.equal(enabledByScript(script), ["a@b.service"]);
});

test("rpm: what the query prints", () => {
  const text =
    "P\tweb\t1:2.7-3.el9\tx86_64\nN\trpmlib(X)\nN\tlibc.so.6()(64bit)\nN\t/bin/sh\nN\t(a if b)\nV\thttpd\nF\t/usr/sbin/web\n" +
    "P\tgpg-pubkey\tx\t(none)\nP\tglibc\t2.34-1\tx86_64\nV\tlibc.so.6()(64bit)\nF\t/lib64/libc.so.6\nF\t(contains no files)\n";
  assert.equal(parseRpmQuery(text), [
    {
      name: "web",
      version: "1:2.7-3.el9",
      architecture: "x86_64",
      isEssential: false,
      needs: [["libc.so.6()(64bit)"], ["/bin/sh"]],
      provides: ["httpd", "/usr/sbin/web"],
      files: ["/usr/sbin/web"],
    },
    {
      name: "glibc",
      version: "2.34-1",
      architecture: "x86_64",
      isEssential: true,
      needs: [],
      provides: ["libc.so.6()(64bit)", "/lib64/libc.so.6"],
      files: ["/lib64/libc.so.6"],
    },
  ]);
});

test("apt: the files that it would install", () => {
  const plan =
    "Inst libx (1:2.0-1 Debian:12.1/stable [amd64])\n" +
    "Inst web [1.0] (2_3 Debian:12.1/stable, Debian-Security:12/stable [all]) []\nConf libx (1:2.0-1 Debian [amd64])\n";
  assert.equal(debsOf(plan), ["libx_1%3a2.0-1_amd64.deb", "web_2%5f3_all.deb"]);
});

test("ELF: the program that runs this test", () => {
  const handle = openSync(process.execPath, "r");
  const elf = parseElf((position, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(handle, bytes, 0, length, position));
  });
  closeSync(handle);
  assert.is(elf?.machine, "62/64");
  assert.match(elf?.interpreter ?? "", /ld-linux-x86-64/);
  assert.ok(elf?.needed.includes("libc.so.6"));
});

test("ELF: of a file with debugging information only, no loader is wanted", () => {
  const [header, segment] = [Buffer.alloc(64), Buffer.alloc(56)];
  header.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  header.writeUInt16LE(3, 16);
  header.writeUInt16LE(62, 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  segment.writeUInt32LE(3, 0);
  segment.writeBigUInt64LE(120n, 8);
  const interpreterOf = (fileBytes: bigint) => {
    segment.writeBigUInt64LE(fileBytes, 32);
    const bytes = Buffer.concat([header, segment, Buffer.from("/lib/ld.so\0")]);
    return parseElf((position, length) => bytes.subarray(position, position + length))?.interpreter;
  };
  assert.is(interpreterOf(11n), "/lib/ld.so");
  assert.is(interpreterOf(0n), undefined);
});

test("ELF: nothing that is cut off or twisted breaks it", () => {
  const whole = readFileSync(process.execPath).subarray(0, 4096);
  const reader = (bytes: Buffer) => (position: number, length: number) =>
    bytes.subarray(position, position + length);
  for (let length = 0; length < 256; length += 1) parseElf(reader(whole.subarray(0, length)));
  for (let at = 16; at < 512; at += 1) {
    const twisted = Buffer.from(whole);
    twisted[at] = 0xff;
    parseElf(reader(twisted));
  }
  assert.is(parseElf(reader(Buffer.from("#!/bin/sh\n".repeat(10)))), undefined);
});

test("ld.so.conf with what it includes, and run paths", () => {
  const texts: Record<string, string[]> = {
    "/etc/ld.so.conf.d/*.conf": ["/opt/lib # mine\n", "/usr/local/lib/\n"],
  };
  const found = parseLdConf(
    "include ld.so.conf.d/*.conf\nhwcap 1 x\n/last\n",
    (pattern) => texts[pattern] ?? [],
  );
  assert.equal(found, ["/opt/lib", "/usr/local/lib", "/last"]);
  assert.equal(runPathOf(["$ORIGIN/../lib", "${LIB}/x", "/a"], "/opt/bin", "62/64"), [
    "/opt/bin/../lib",
    "/a",
  ]);
});

test("units: links of [Install], programs, accounts", () => {
  const text =
    "[Unit]\nWantedBy=no\nConditionFileIsExecutable=/etc/rc.local\n[Service]\nExecStart=/etc/rc.local\nUser=web\nGroup=\nSupplementaryGroups=a b\nExecStart=-/opt/absent\n" +
    'ExecStartPre=+/usr/sbin/web -t \\\n -q\nExecReload="/usr/bin/web reload"\n[Install]\nWantedBy=a.target b.target\nAlias=w.service\n';
  const path = "/usr/lib/systemd/system/web.service";
  assert.equal(linksOfUnit(path, text), [
    { path: "/etc/systemd/system/a.target.wants/web.service", target: path },
    { path: "/etc/systemd/system/b.target.wants/web.service", target: path },
    { path: "/etc/systemd/system/w.service", target: path },
  ]);
  assert.equal(programsOfUnit(text), ["/usr/sbin/web", "/usr/bin/web"]);
  assert.equal(accountsOfUnit(text), ["web", "a", "b"]);
  const template = "/usr/lib/systemd/system/get@.service";
  const install = "[Install]\nWantedBy=a.target\n";
  assert.equal(linksOfUnit(template, install), []);
  assert.equal(linksOfUnit(template, `${install}DefaultInstance=tty1\n`), [
    { path: "/etc/systemd/system/a.target.wants/get@tty1.service", target: template },
  ]);
});

test("accounts: sysusers.d, and numbers that stay", () => {
  const accounts = parseAccounts(
    'web:x:400:400:"Web" 50%,,,:/var/web:/bin/false\n',
    "web:x:400:\npages:x:401:web,other\n",
  );
  assert.is(
    printSysusers(
      { ...accounts, memberships: [{ user: "www-data", group: "pages" }] },
      () => "web",
    ),
    'g web 400\ng pages 401\nu web 400:web "\\"Web\\" 50%%" "/var/web" "/bin/false"\nm www-data pages\n',
  );
  const known = parseNumbers("# why\nweb 400\n", "users.txt");
  const numbers = assignNumbers(["web", "mail", "video"], known);
  assert.equal(
    [...numbers],
    [
      ["web", 400],
      ["mail", 401],
      ["video", 402],
    ],
  );
  const many = Array.from({ length: 500 }, (_, index) => `user${index}`);
  assert.is(assignNumbers(many, new Map()).get("user499"), 899);
  assert.throws(() => assignNumbers([...many, "more"], new Map()), /no number is left/);
  assert.equal([...parseNumbers(printNumbers(numbers), "users.txt")], [...numbers]);
  for (const text of ["web 400\nweb 401\n", "web 400\nmail 400\n", "web\n", "web 1234567\n"]) {
    assert.throws(
      () => parseNumbers(text, "users.txt"),
      /users\.txt, line \d: expected a name and a number/,
    );
  }
});

test("recipes: defaults, faults, the name of the package", () => {
  const recipe = checkRecipe(
    { format: 1, name: "zfs", kind: "extra", packages: ["zfsutils-linux"] },
    "zfs.toml",
  );
  assert.is(recipe.mask, 0);
  assert.is(recipe.versionOf, "zfsutils-linux");
  assert.equal(recipe.beside, []);
  assert.equal(packageFields({ ...recipe, sequence: 7 }, "2.1.11-1+deb12u1", "12"), {
    name: "zfs",
    program: [2, 1],
    base: [12],
    sequence: 7,
    revision: 1,
    mask: 0,
  });
  for (const [value, fault] of [
    [{ format: 1, name: "a", kind: "extra" }, /packages, files or boot must name something/],
    [{ format: 1, name: "a", kind: "odd", packages: ["a"] }, /must be "base", "extra" or "boot"/],
    [{ format: 1, name: "a", kind: "base", packages: ["a"], mask: "1" }, /six hexadecimal digits/],
    [{ format: 1, name: "a", kind: "base", files: ["etc"] }, /must be an absolute path/],
    [{ format: 1, name: "a", kind: "base", packages: ["a"], colour: 1 }, /colour/],
  ] as const) {
    assert.throws(() => checkRecipe(value, "x.toml"), fault);
  }
});

for (const [version, main] of [
  ["1:2.1.11-1+deb12u1", [2, 1]],
  ["3:20221126-1", [2022, 1126]],
  ["7", [7, 0]],
  ["2:0.164.3095+git-3", [0, 164]],
  ["9.99999999", [9, 0]],
] as [string, number[]][]) {
  test(`the main version of ${version}`, () => assert.equal(mainVersion(version), main));
}

test("paths and patterns", () => {
  assert.is(normalise("/a/../../b/./c//"), "/b/c");
  const matches = makeMatcher(["/usr/share/doc/*/copyright", "/etc/**.pem", "/opt"]);
  assert.is(matches("/usr/share/doc/a/copyright"), "/usr/share/doc/*/copyright");
  assert.is(matches("/usr/share/doc/a/b/copyright"), undefined);
  assert.ok(matches("/etc/a/b.pem") && matches("/opt/x/y"));
  assert.is(matches("/optional"), undefined);
});

test("a paper of another kind is none", () => {
  assert.equal(
    parseHarvestPaper(
      '{"format":1,"packages":[{"name":"a","whole":true},{"name":"b","whole":false}]}',
    ),
    ["a"],
  );
  for (const text of ["", "[]", '{"format":2,"packages":[]}', "null", '{"format":1}']) {
    assert.is(parseHarvestPaper(text), undefined);
  }
});

test.run();

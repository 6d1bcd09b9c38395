/*
 * Why a factory test has failed: each reason in both languages, found again from the English that is recorded, and a vendor's
 * own words left as they are.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { judgeDisk, judgeHealth, judgeRate } from "../../src/host/factory/disk.ts";
import * as kernel from "../../src/host/factory/kernel.ts";
import { judgeNetwork } from "../../src/host/factory/network.ts";
import { makeTapReader } from "../../src/host/factory/tap.ts";
import { verdictOf } from "../../src/model/factory.ts";
import { beginTest } from "../../src/model/factory-state.ts";
import { say } from "../../src/model/messages.ts";
import { because, REASONS, type ReasonKey, type Reasons } from "../../src/model/reasons.ts";
import { GIB, MIB } from "../../src/model/size.ts";
import { nameFailure, nameReason } from "../../src/ui/reasons-zh.ts";
import { textsOf } from "../../src/ui/texts.ts";

const TIME = "2026-01-01 00:00 UTC";
const PATH = "/usr/lib/zshield/factory-tests.d";
const driverless = because(
  "network.driverless",
  because("network.ports", "1", "2"),
  "0000:00:03.0",
);

/** At least one of each; a new one that is not here is a compile error. */
const SAMPLES: { readonly [K in ReasonKey]: readonly Parameters<Reasons[K]>[] } = {
  "any.also-unkept": [
    [because("vendor.last", because("vendor.exit", "3"), "relay 2: stuck"), "ENOSPC"],
  ],
  "any.expected": [[because("clock.none")], [because("network.none")], [because("smart.no-tool")]],
  "memory.untold": [[]],
  "memory.installed": [["4 GiB", "8 GiB"]],
  "memory.usable": [["958.4 MiB", "2 GiB"]],
  "memory.lost": [["8 GiB", "3.5 GiB", "8 GiB"]],
  "processors.untold": [[]],
  "processors.count": [
    ["1", "4"],
    ["2", "4"],
  ],
  "processors.flags": [
    ["1", "aes"],
    ["8", "aes, avx2"],
  ],
  "network.none": [[]],
  "network.driverless": [[driverless.replace(/ \(.*/, ""), "0000:00:03.0"]],
  "network.dark": [[because("network.links", "1", "2", "2"), "eth0, eth1"]],
  "network.ports": [
    ["1", "2"],
    ["4", "2"],
  ],
  "network.links": [["0", "2", "1"]],
  "disk.model": [["ACME SSD, 32 GiB", "ACME HDD"]],
  "disk.size": [["a disk without a model name, 32 GiB", "64 GiB"]],
  "smart.no-tool": [[]],
  "smart.untold": [[]],
  "smart.failing": [[]],
  "rate.slow-read": [["256 MiB", "20 MiB", "50 MiB"]],
  "rate.slow-write": [["256 MiB", "20 MiB", "50 MiB"]],
  "rate.no-room": [[]],
  "rate.silent": [["180"]],
  "rate.nothing": [[]],
  "clock.none": [[]],
  "clock.untold": [[]],
  "clock.falls-silent": [[TIME]],
  "clock.stands": [[TIME]],
  "clock.jumps": [[TIME, "2030-01-01 00:00 UTC"]],
  "clock.behind": [[TIME, "2030-01-01 00:00 UTC"]],
  "watchdog.none": [[]],
  "sensors.several": [
    [
      because("sensors.range", "coretemp/temp1 90 °C", "5", "80"),
      because(
        "sensors.several",
        because("sensors.missing", "nct6775/fan2"),
        because("sensors.range", "nct6775/in0 1.5 V", "2", "3"),
      ),
    ],
  ],
  "sensors.none": [[]],
  "sensors.missing": [["nct6775/fan2"]],
  "sensors.range": [["coretemp/temp1 90 °C", "5", "80"]],
  "root.no-manifest": [[]],
  "root.bad-manifest": [[]],
  "root.differs": [["/etc/hosts: content; and 3 more"]],
  "boot-loader.untold": [[]],
  "boot-loader.other-card": [[]],
  "boot-loader.no-core": [["/dev/sda"]],
  "boot-loader.other-sector": [["/dev/sda"]],
  "boot-loader.other-core": [["/dev/sda"]],
  "boot-loader.no-description": [[]],
  "boot-loader.file": [["/run/zshield/esp/x", "does not have its digest"]],
  "any.none": [[]],
  "any.unkept": [["ENOSPC"]],
  "any.given-up": [["3"]],
  "vendor.last": [[because("vendor.killed", "SIGSEGV"), "relay 2: stuck"]],
  "vendor.no-directory": [[PATH]],
  "vendor.odd-name": [["x y"]],
  "vendor.too-many": [["65", "64"]],
  "vendor.link-to-nothing": [[`${PATH}/x`]],
  "vendor.link-out": [[`${PATH}/x`]],
  "vendor.link-circle": [[`${PATH}/x`]],
  "vendor.not-run": [["ENOENT: no such file"]],
  "vendor.left-busy": [["/dev, /tmp"]],
  "vendor.left-running": [[]],
  "vendor.late": [["300"]],
  "vendor.killed": [["SIGSEGV"]],
  "vendor.exit": [["3"]],
  "vendor.bailed-out": [[]],
  "vendor.two-plans": [[]],
  "vendor.odd-number": [["3", "2"]],
  "vendor.no-plan": [["1"], ["2"]],
  "vendor.other-sum": [
    ["1", "2"],
    ["3", "2"],
  ],
};

const HAN = /\p{Script=Han}/u;
/** Beside what the samples bring along. */
const ENGLISH = /\b(a|an|the|is|it|its|not|of|and|or|to|on|in|was|says|core|with|end)\b/;
const FACTS =
  /\d+(\.\d+)? [GM]iB|\b\d+\b|aes|avx2|eth\d|ACME \w+|\/\w+[\w./-]*|SIG\w+|ENOSPC|temp1|fan2|stuck/g;
const nameOf = (key: ReasonKey) => {
  const group = key.slice(0, key.indexOf("."));
  return { any: "memory", rate: "read-rate", vendor: "10-relay" }[group] ?? group;
};

for (const key of Object.keys(SAMPLES) as ReasonKey[]) {
  test(`${key}: recorded in English, shown in Chinese`, () => {
    for (const params of SAMPLES[key]) {
      const make = REASONS[key] as (...params: readonly string[]) => string;
      const reason = make(...params);
      assert.not.match(reason, HAN);
      const name = nameOf(key);
      const origin = key.startsWith("vendor.") ? "vendor" : "built-in";
      const shown = nameReason({ name, reason }, origin);
      assert.ok(shown.startsWith(`${name}：`), shown);
      const said = shown.slice(name.length + 1);
      assert.match(said, HAN);
      assert.not.match(said.replace(/“[^”]*”/g, ""), ENGLISH, said);
      assert.not.match(said, /undefined|[\u0001\u0002]/);
      for (const [fact] of reason.matchAll(FACTS))
        assert.ok(said.includes(fact), `${fact}: ${said}`);
      assert.is(nameFailure(`${name}: ${reason}`), shown);
    }
  });
}

test("what the tests find is what is found again", () => {
  const none = { isThere: true, first: undefined, second: undefined };
  const sensor = { name: "coretemp/temp1", value: 90 };
  const range = { name: "coretemp/temp1", least: 5, most: 80 };
  const tap = (...lines: string[]) => {
    const reader = makeTapReader();
    for (const line of lines) reader.add(line);
    return reader.end();
  };
  for (const [name, { outcome, reason }, words] of [
    ["memory", kernel.judgeMemory({ usableBytes: GIB }, 8 * GIB), /1 GiB.*8 GiB/],
    ["memory", kernel.judgeMemory({ usableBytes: 0 }, GIB), /没有报告内存容量，而配置要求有/],
    [
      "processors",
      kernel.judgeProcessors({ count: 1, flags: [] }, { count: 2, flags: [] }),
      /2 个/,
    ],
    [
      "network",
      judgeNetwork(
        [
          { name: "eth0", link: false },
          { name: "0000:00:03.0", link: undefined },
        ],
        { links: 1 },
      ),
      /0 个已连接.*（eth0 没有连接）（救援系统没有 0000:00:03.0 的驱动程序）/,
    ],
    [
      "disk",
      judgeDisk({ model: "", sizeBytes: GIB }, { model: "X, not Y" }),
      /型号未知的磁盘，1 GiB/,
    ],
    ["smart", judgeHealth("failing", { hasTool: true, required: true }), /失效/],
    ["write-rate", judgeRate({ bytes: MIB, seconds: 1 }, "written", GIB), /写入 1 MiB/],
    ["clock", kernel.judgeClock(none, 5), /硬件时钟没有时间/],
    ["watchdog", kernel.judgeWatchdog([], true), /没有硬件看门狗，而/],
    [
      "sensors",
      kernel.judgeSensors([sensor], [range, { ...range, name: "x" }]),
      /80 之间；没有传感器 x/,
    ],
    ["10-relay", tap("1..3", "ok"), /计划 3 项测试，运行了 1 项/],
    ["10-relay", tap("1..1", "Bail out! no relay"), /测试自行中止：no relay/],
  ] as const) {
    assert.is(outcome, "fail", reason);
    assert.match(nameFailure(`${name}: ${reason}`), words);
  }
  const smart = { name: "smart", origin: "built-in" } as const;
  const [given] = beginTest({ tests: [], begun: { ...smart, times: 3 } }, smart).tests;
  assert.match(nameReason(given ?? { name: "", reason: "" }, "built-in"), /^smart：开始 3 次/);
  assert.match(nameFailure(verdictOf([]).reason ?? ""), /^没有运行任何测试$/);
  for (const message of [say("bad-manifest"), say("root-differs", ["/etc/hosts: content"])]) {
    assert.match(nameFailure(`root: ${message.english}`), /原始系统/);
  }
  const file = say("bad-file", "/run/zshield/esp/x", "does not have its digest");
  assert.match(nameFailure(`boot-loader: ${file.english}`), /缺失或已损坏/);
});

test("a vendor's own words, and the system's, stay as they are", () => {
  for (const reason of ["not ok 2 - relay", "EIO: i/o error, read", "there is no hardware clock"]) {
    assert.is(nameReason({ name: "10-relay", reason }, "vendor"), `10-relay：${reason}`);
  }
  // A test of the vendor's that is called as one of ours.
  assert.is(
    nameReason({ name: "clock", reason: "there is no hardware clock" }, "vendor"),
    "clock：there is no hardware clock",
  );
  assert.is(
    nameReason({ name: "root", reason: "EIO: i/o error" }, "built-in"),
    "root：EIO: i/o error",
  );
});

test("a test on the screen says why in its language", () => {
  const failure = { name: "clock", origin: "built-in", reason: because("clock.none") } as const;
  assert.is(textsOf("en").tests.failure(failure), "clock: there is no hardware clock");
  assert.is(textsOf("zh").tests.failure(failure), "clock：没有硬件时钟");
  assert.match(
    textsOf("zh").testsFailed("clock: there is no hardware clock"),
    /：clock：没有硬件时钟$/,
  );
  assert.match(
    textsOf("en").testsFailed("clock: there is no hardware clock"),
    /clock: there is no/,
  );
});

test("no test fails for a reason that stands nowhere but there", () => {
  const source = new URL("../../src/host", import.meta.url).pathname;
  const files = readdirSync(join(source, "factory")).map((name) => join(source, "factory", name));
  for (const file of [...files, join(source, "factory-tests.ts"), join(source, "factory-run.ts")]) {
    const text = readFileSync(file, "utf8");
    assert.not.match(text, /\b(failed|withLast|Error|Refusal)\(\s*["'`]/, file);
    // What is skipped is shown on no screen.
    const expected = [...text.matchAll(/\bnothing\(\s*(["'`][^"'`]*["'`]),\s*(\w+)/g)];
    assert.equal(
      expected.filter(([, , isExpected]) => isExpected !== "false").map(([, what]) => what),
      [],
    );
  }
});

test.run();

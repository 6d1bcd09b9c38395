/*
 * The screens as people see them, at 80×24 and 160×50, in both languages, beside what is kept in captures/.
 * `ZSHIELD_CAPTURES=write npm run test:screens` writes them anew; then read the difference.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { inWindow, PROJECT, type Window } from "./tmux.ts";

const FOLDER = join(PROJECT, "test/screens/captures");
const WRITE = process.env.ZSHIELD_CAPTURES === "write";

interface Shot {
  readonly name: string;
  readonly args: readonly string[];
  /** Leads to the screen; what has to be on it, in English and in Chinese. */
  way(window: Window): Promise<void>;
  readonly shows: readonly [RegExp, RegExp];
}

const MENU = /Power off|关机/;
const QUESTION = /> ____/;
const ANSWER = ["0", "0", "0", "1", "Enter"];
const stay = async () => undefined;

const SHOTS: readonly Shot[] = [
  { name: "menu", args: [], way: stay, shows: [/10 {2}Power off/, /10 {2}关机/] },
  {
    name: "menu-two-disks",
    args: ["--machine=two-equal-blank"],
    way: stay,
    shows: [/more than one disk fits/, /有多个磁盘可用/],
  },
  {
    name: "question",
    args: [],
    way: (window) => window.type(MENU, "1", "Enter"),
    shows: [/WILL BE LOST[^]*> ____/, /将会丢失[^]*> ____/],
  },
  {
    name: "running",
    args: ["--operation=default", "--machine=blank-virtio", "--speed=50", "--pause-at=copy-tree"],
    way: (window) => window.type(/50 %[^]*rsync/, "c"),
    shows: [/cannot be cancelled any more/, /已经不能取消/],
  },
  {
    name: "recovered",
    args: ["--speed=200"],
    async way(window) {
      await window.type(MENU, "1", "Enter");
      await window.type(QUESTION, ...ANSWER);
    },
    shows: [/holds version/, /磁盘上的版本/],
  },
  {
    name: "failed",
    args: [
      ...["--operation=default", "--machine=blank-virtio"],
      ...["--speed=200", "--fail-at=verify-tree"],
    ],
    way: stay,
    shows: [/step 22 of 27[^]*Power off/, /磁盘已被改动[^]*关机/],
  },
  {
    name: "factory-pass",
    args: ["--operation=test", "--factory", "--speed=200"],
    way: stay,
    shows: [/11 tests passed[^]*Switches the power off/, /11 项通过[^]*关机/],
  },
  {
    name: "factory-fail",
    args: ["--operation=test", "--factory", "--speed=200", "--fail-test=memory"],
    way: stay,
    shows: [/too little for 2 GiB[^]*Power off/, /达不到[^]*关机/],
  },
  {
    name: "plan",
    args: [],
    async way(window) {
      await window.type(MENU, "5", "Enter");
      await window.type(/Go back|返回/, "2", "Enter");
    },
    shows: [/blockdev --setro/, /blockdev --setro/],
  },
];

interface Job {
  readonly file: string;
  take(): Promise<string>;
}

const JOBS: readonly Job[] = (
  [
    [80, 24],
    [160, 50],
  ] as const
).flatMap(([columns, rows]) =>
  (["en", "zh"] as const).flatMap((language) =>
    SHOTS.map(({ name, args, way, shows }) => ({
      file: `${columns}x${rows}-${language}-${name}.txt`,
      take: () =>
        inWindow({ columns, rows }, [...args, `--lang=${language}`], async (window) => {
          await way(window);
          return window.shows(shows[language === "en" ? 0 : 1]);
        }),
    })),
  ),
);

/** Most of the time is waiting: a few at once. */
const LANES = 3;
const waiting = [...JOBS];
const seen = new Map<Job, Promise<string>>();
const lane = async (): Promise<void> => {
  for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
    const taken = job.take();
    seen.set(job, taken);
    await taken.catch(() => undefined);
  }
};
const lanes = Promise.all(Array.from({ length: LANES }, lane));

for (const job of JOBS) {
  test(job.file, async () => {
    await lanes;
    compare(job.file, withoutTime((await seen.get(job)) ?? ""));
  });
}

/** What depends on how fast this machine is. */
function withoutTime(text: string): string {
  return text
    .replace(/([\d:]+|\d+ s) left/g, "N left")
    .replace(/剩余 ([\d:]+ s|[\d:]+)/g, "剩余 N")
    .replace(/in \d+ s,/g, "in N s,")
    .replace(/\d+ 秒后/g, "N 秒后");
}

function compare(file: string, shown: string): void {
  const path = join(FOLDER, file);
  if (WRITE) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, shown);
    return;
  }
  assert.fixture(shown, readFileSync(path, "utf8"));
}

test("the README shows what the screens show", () => {
  const readme = readFileSync(join(PROJECT, "README.md"), "utf8");
  for (const name of ["menu", "question", "failed", "factory-fail"]) {
    const capture = readFileSync(join(FOLDER, `80x24-en-${name}.txt`), "utf8").trimEnd();
    assert.ok(
      readme.includes(`\`\`\`\n${capture}\n\`\`\`\n`),
      `${name}: the README has another one`,
    );
  }
});

test.run();

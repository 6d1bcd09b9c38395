/*
 * What a harvest takes and leaves, and why, of a made-up root.
 */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Refusal } from "../../src/errors.ts";
import type { Harvest, HarvestWish, RootFacts } from "../../src/model/harvest.ts";
import { renumber } from "../../src/plan/harvest/accounts.ts";
import { whatIsMissing } from "../../src/plan/harvest/complete.ts";
import { planHarvest } from "../../src/plan/harvest/harvest.ts";
import { makePaths } from "../../src/plan/harvest/paths.ts";
import {
  BASE,
  makeFacts,
  makePackage,
  makeProvided,
  makeView,
  WEB_FACTS,
  WEB_ITEMS,
  WEB_PACKAGES,
  WISH,
} from "./harvest-example.ts";

const facts = makeFacts(WEB_ITEMS, WEB_PACKAGES, WEB_FACTS);
const web = (wish: Partial<HarvestWish> = {}, provided = [BASE]) =>
  planHarvest(facts, { ...WISH, packages: ["web"], ...wish }, provided);
const paths = (judged: readonly { path: string }[]) => judged.map(({ path }) => path);
const whyOf = (found: Harvest, path: string) =>
  [...found.take, ...found.leave].find((judged) => judged.path === path)?.why;

test("a package, what it depends on, and the language of its script", () => {
  const found = web();
  assert.equal(
    found.packages.map(({ name, why, isWhole }) => [name, why, isWhole]),
    [
      ["lang", "interpreter of /usr/bin/web-log", true],
      ["libpage1", "needed by web", true],
      ["web", "asked for", true],
    ],
  );
  assert.equal(found.leftPackages, [
    { name: "debconf", why: "only scripts of an installation want it" },
    { name: "libc6", why: "the base has it" },
  ]);
  const files = paths(found.take).filter((path) => facts.view.node(path)?.type !== "directory");
  assert.equal(files, [
    ...[
      "/etc/alternatives/webview",
      "/etc/web.conf",
      "/etc/web/made.conf",
      "/usr/bin/lang",
      "/usr/bin/web-log",
    ],
    ...["/usr/bin/webview", "/usr/bin/webview.real", "/usr/lib/lang/words"],
    "/usr/lib/systemd/system/web.service",
    "/usr/lib/x86_64-linux-gnu/libpage.so.1",
    "/usr/lib/x86_64-linux-gnu/libpage.so.1.2",
    ...["/usr/sbin/web", "/usr/share/doc/libpage1/copyright", "/usr/share/doc/web/copyright"],
  ]);
  assert.equal(found.missing, []);
});

test("no path goes through a link of the merged /usr", () => {
  assert.equal(
    paths(web().take).filter((path) => /^\/(bin|lib|sbin)\//.test(path)),
    [],
  );
});

test("documents are left and licences taken; what was left out of the root is said", () => {
  const found = web();
  assert.is(whyOf(found, "/usr/share/doc/web/README"), "documents");
  assert.is(whyOf(found, "/usr/share/man/man8/web.8.gz"), "listed, but not in the root");
  assert.is(whyOf(web({ keep: ["/usr/share/doc/web/READ*"] }), "/usr/share/doc/web/README"), "web");
  assert.is(whyOf(web({ leave: ["/etc/*.conf"] }), "/etc/web.conf"), "left as asked: /etc/*.conf");
});

test("a unit without a link is enabled as its package would have done", () => {
  const link = {
    path: "/etc/systemd/system/multi-user.target.wants/web.service",
    target: "/usr/lib/systemd/system/web.service",
    why: "[Install] of web.service",
  };
  assert.equal(web().links, [link]);
  const items = { ...WEB_ITEMS, [link.path]: { target: "/lib/systemd/system/web.service" } };
  const enabled = makeFacts(items, WEB_PACKAGES, WEB_FACTS);
  const wish = { ...WISH, packages: ["web"] };
  const found = planHarvest(enabled, wish, [BASE]);
  assert.equal(found.links, []);
  assert.is(whyOf(found, link.path), "web.service is enabled");
  const disabled = planHarvest(enabled, { ...wish, disable: ["web.service"] }, [BASE]);
  assert.is(whyOf(disabled, link.path), "web.service is left disabled, as asked");
});

test("a unit that somebody disabled stays so, unless it is asked for", () => {
  const state = "/var/lib/systemd/deb-systemd-helper-enabled/web.service.dsh-also";
  const disabled = makeFacts({ ...WEB_ITEMS, [state]: { text: "" } }, WEB_PACKAGES, WEB_FACTS);
  const wish = { ...WISH, packages: ["web"] };
  const found = planHarvest(disabled, wish, [BASE]);
  assert.equal(found.links, []);
  assert.ok(found.notices.includes("web.service is not enabled: somebody disabled it in the root"));
  assert.is(planHarvest(disabled, { ...wish, enable: ["web.service"] }, [BASE]).links.length, 1);
});

test("a unit that is masked in the root is not started on the device, unless it is asked for", () => {
  const mask = "/etc/systemd/system/web.service";
  const link = "/etc/systemd/system/multi-user.target.wants/web.service";
  const unit = { target: "/usr/lib/systemd/system/web.service" };
  const wish = { ...WISH, packages: ["web"], without: ["lang"] };
  const stranger = makePackage("stranger", {});
  for (const [masked, linked] of [
    [{ target: "/dev/null" }, true],
    [{ target: "/dev/null" }, false],
    [{ text: "" }, true],
  ] as const) {
    const items = { ...WEB_ITEMS, [mask]: masked, ...(linked ? { [link]: unit } : {}) };
    const root = makeFacts(items, [...WEB_PACKAGES, stranger], WEB_FACTS);
    const found = planHarvest(root, wish, [BASE]);
    assert.equal(found.links, []);
    assert.not.ok(paths(found.take).includes(link));
    if (linked) assert.is(whyOf(found, link), "web.service is masked in the root");
    assert.ok(found.notices.includes("web.service is not enabled: it is masked in the root"));
    const asked = planHarvest(root, { ...wish, enable: ["web.service"] }, [BASE]);
    assert.ok(paths([...asked.take, ...asked.links]).includes(link));
    assert.is(whyOf(asked, mask), "web.service is enabled, as asked");
  }
});

test("users of units, of owners and of scripts, not those of others", () => {
  const { users, groups } = web();
  assert.equal(
    users.map(({ name }) => name),
    ["web"],
  );
  assert.equal(
    groups.map(({ name }) => name),
    ["web", "pages"],
  );
  const { uids, gids } = renumber(
    { users, groups },
    new Map([
      ["web", 400],
      ["pages", 401],
    ]),
  );
  assert.equal([...uids], [[100, 400]]);
  assert.equal(
    [...gids],
    [
      [101, 400],
      [102, 401],
    ],
  );
});

test("who belongs to which group is kept where either comes with the package", () => {
  const user = (name: string, uid: number) => ({
    ...{ name, uid, gid: uid, comment: "", home: "/", shell: "/bin/false" },
  });
  const accounts: RootFacts["accounts"] = {
    users: [...(WEB_FACTS.accounts?.users ?? []), user("www", 33), user("log", 34)],
    groups: [
      { name: "web", gid: 101, members: [] },
      { name: "pages", gid: 102, members: ["web", "www", "other"] },
      { name: "log", gid: 34, members: ["web", "www", "root"] },
      { name: "other", gid: 105, members: ["web"] },
    ],
  };
  const base = {
    ...BASE,
    accounts: {
      users: [...BASE.accounts.users, user("www", 33), user("log", 34)],
      groups: [...BASE.accounts.groups, { name: "log", gid: 34, members: ["root"] }],
    },
  };
  const root = makeFacts(WEB_ITEMS, WEB_PACKAGES, { ...WEB_FACTS, accounts });
  const wish = { ...WISH, packages: ["web"] };
  // Neither `other` comes along, nor does what the base alone is about.
  assert.equal(planHarvest(root, wish, [base]).memberships, [
    { user: "web", group: "pages" },
    { user: "www", group: "pages" },
    { user: "web", group: "log" },
  ]);
  const groups = [{ name: "log", gid: -1, members: ["web"] }];
  const other = { ...makeProvided("x", [], {}), accounts: { users: [], groups } };
  assert.equal(planHarvest(root, wish, [base, other]).memberships, [
    { user: "web", group: "pages" },
    { user: "www", group: "pages" },
  ]);
  assert.equal(planHarvest(root, wish, []).memberships, []);
});

test("what scripts made is taken only if all packages of the root are known", () => {
  const left = web({ without: ["lang"] });
  assert.is(whyOf(left, "/etc/web/made.conf"), "made by a script");
  assert.is(whyOf(left, "/var/lib/web"), "made by a script");
  assert.is(whyOf(left, "/var/lib/web/state"), "state: made when it runs");
  assert.equal(left.missing, [{ path: "/usr/bin/web-log", why: "interpreter lang" }]);
  const stranger = makeFacts(WEB_ITEMS, [...WEB_PACKAGES, makePackage("stranger", {})], WEB_FACTS);
  const found = planHarvest(stranger, { ...WISH, packages: ["web"] }, [BASE]);
  assert.is(whyOf(found, "/etc/web/made.conf"), undefined);
  assert.match(found.notices.join(), /cannot be told apart from what those of stranger made/);
});

test("a package's second architecture owns its files, and is a stranger", () => {
  const second = "/usr/lib/i386-linux-gnu/libpage.so.1";
  const licence = "/usr/share/doc/libpage1/copyright";
  const other = makePackage("libpage1", { architecture: "i386", files: [second, licence] });
  const items = { ...WEB_ITEMS, [second]: { needs: [] } };
  const own = makePackage("dpkg", { files: ["/usr/bin/dpkg"] });
  const base = { ...BASE, packages: new Set([...BASE.packages, "dpkg"]) };
  for (const packages of [
    [own, ...WEB_PACKAGES, other],
    [other, ...WEB_PACKAGES, own],
  ]) {
    const root = makeFacts(items, packages, WEB_FACTS);
    const found = planHarvest(root, { ...WISH, packages: ["web"] }, [base]);
    assert.is(whyOf(found, "/usr/lib/x86_64-linux-gnu/libpage.so.1"), "libpage1");
    assert.is(whyOf(found, second), undefined);
    assert.is(whyOf(found, "/etc/web/made.conf"), undefined);
    assert.match(found.notices.join(), /from what those of libpage1:i386 made/);
    // A base that has it too.
    const both = { ...base, packages: new Set([...base.packages, "libpage1:i386"]) };
    const known = planHarvest(root, { ...WISH, packages: ["web"] }, [both]);
    assert.is(whyOf(known, "/etc/web/made.conf"), "made by a script");
    assert.is(whyOf(known, second), undefined);
    const whole = planHarvest(root, { ...WISH, packages: ["*"] }, []);
    assert.is(whyOf(whole, second), "libpage1");
  }
});

test("without a base of its own nothing is known of what scripts made", () => {
  const found = web({}, [{ ...BASE, isTree: false }]);
  assert.is(whyOf(found, "/etc/web/made.conf"), undefined);
  assert.match(found.notices.join(), /cannot be told apart without --base/);
});

test("another package of ours that has a dependency becomes a need", () => {
  const other = makeProvided("page", ["libpage1"], {
    "/usr/lib/x86_64-linux-gnu/libpage.so.1": { target: "libpage.so.1.2" },
    "/usr/lib/x86_64-linux-gnu/libpage.so.1.2": { needs: [] },
  });
  const found = web({}, [BASE, other, makeProvided("unused", ["x"], {})]);
  assert.equal(found.needs, ["page"]);
  assert.equal(
    paths(found.take).filter((path) => path.includes("libpage")),
    [],
  );
});

test("a library that no dependency names comes alone, with its licence", () => {
  const packages = WEB_PACKAGES.map((entry) =>
    entry.name === "web" ? { ...entry, needs: [] } : entry,
  );
  const found = planHarvest(
    makeFacts(WEB_ITEMS, packages, WEB_FACTS),
    { ...WISH, packages: ["web"], without: ["lang"] },
    [BASE],
  );
  assert.is(found.packages.find(({ name }) => name === "libpage1")?.isWhole, false);
  assert.is(whyOf(found, "/usr/lib/x86_64-linux-gnu/libpage.so.1.2"), "library of /usr/sbin/web");
  assert.is(whyOf(found, "/usr/share/doc/libpage1/copyright"), "licence of libpage1");
});

test("a package is whole for whoever needs it, though one of its libraries came alone before", () => {
  const files = ["/usr/sbin/web", "/usr/bin/web-log"];
  for (const order of [files, files.toReversed()]) {
    const packages = WEB_PACKAGES.map((entry) => {
      if (entry.name === "web") return { ...entry, needs: [], files: order };
      if (entry.name === "lang") return { ...entry, needs: [["libpage1"]] };
      return entry.name === "libpage1"
        ? { ...entry, files: [...entry.files, "/usr/lib/lang/pages"] }
        : entry;
    });
    const items = { ...WEB_ITEMS, "/usr/lib/lang/pages": { text: "pages\n" } };
    const wish = { ...WISH, packages: ["web"] };
    const found = planHarvest(makeFacts(items, packages, WEB_FACTS), wish, [BASE]);
    assert.is(found.packages.find(({ name }) => name === "libpage1")?.isWhole, true, order[0]);
    assert.is(whyOf(found, "/usr/lib/lang/pages"), "libpage1");
    // Where it is to be left, what was borrowed stays borrowed.
    const left = planHarvest(
      makeFacts(items, packages, WEB_FACTS),
      { ...wish, without: ["libpage1"] },
      [BASE],
    );
    assert.is(left.packages.find(({ name }) => name === "libpage1")?.isWhole, false, order[0]);
  }
});

test("a library that nobody has is missing, by name", () => {
  const { "/usr/lib/x86_64-linux-gnu/libpage.so.1.2": _, ...items } = WEB_ITEMS;
  const found = planHarvest(
    makeFacts(items, WEB_PACKAGES, WEB_FACTS),
    { ...WISH, packages: ["web"] },
    [BASE],
  );
  assert.equal(found.missing, [{ path: "/usr/sbin/web", why: "library libpage.so.1" }]);
});

test("libraries off the loader's own paths need ldconfig, those of a run path do not", () => {
  const program = (rest: object) => ({
    ...WEB_ITEMS,
    "/etc/ld.so.conf": { text: "include ld.so.conf.d/*.conf\n" },
    "/etc/ld.so.conf.d/own.conf": { text: "/opt/own/lib\n" },
    "/opt/own/lib/libown.so": { needs: [] },
    "/opt/own/bin/own": { needs: ["libown.so"], ...rest },
  });
  const harvestOwn = (rest: object) =>
    planHarvest(makeFacts(program(rest), []), { ...WISH, files: ["/opt/own/bin/*"] }, [BASE]);
  const found = harvestOwn({});
  assert.equal(paths(found.take), ["/opt/own/bin/own", "/opt/own/lib/libown.so"]);
  assert.match(found.notices.join(), /libraries in \/opt\/own\/lib are found only after ldconfig/);
  assert.equal(harvestOwn({ runPath: ["$ORIGIN/../lib"] }).notices, []);
});

test("files that are pushed aside keep both places", () => {
  const items = { ...WEB_ITEMS, "/usr/bin/sh.first": { needs: ["libc.so.6"] } };
  const packages = [...WEB_PACKAGES, makePackage("shell", { files: ["/bin/sh"] })];
  const diversions = [{ from: "/bin/sh", to: "/bin/sh.first", by: "shell" }];
  const found = planHarvest(
    makeFacts(items, packages, { ...WEB_FACTS, diversions }),
    { ...WISH, packages: ["shell"] },
    [makeProvided("", ["libc6"], { "/usr/lib/x86_64-linux-gnu/libc.so.6": { needs: [] } })],
  );
  assert.is(whyOf(found, "/usr/bin/sh"), "shell");
  assert.is(whyOf(found, "/usr/bin/sh.first"), "pushed aside by shell");
  const other = planHarvest(
    makeFacts(items, WEB_PACKAGES, { ...WEB_FACTS, diversions }),
    { ...WISH, packages: ["dash"] },
    [],
  );
  assert.ok(paths(other.take).includes("/usr/bin/sh.first"));
});

test("of a whole root everything is taken, accounts as files", () => {
  const found = planHarvest(facts, { ...WISH, packages: ["*"] }, []);
  assert.ok(paths(found.take).includes("/etc/passwd"));
  assert.ok(paths(found.take).includes("/bin"));
  assert.equal(found.users, []);
});

test("a socket is left, also where it was asked for with all around it: no package can hold one", () => {
  const facts = makeFacts({ "/srv/app/run": { socket: true }, "/srv/app/data": {} }, []);
  const { take, leave } = planHarvest(facts, { ...WISH, files: ["/srv/app"] }, [BASE]);
  assert.equal(
    take.map(({ path }) => path),
    ["/srv/app", "/srv/app/data"],
  );
  assert.equal(leave, [{ path: "/srv/app/run", why: "a socket: its program makes it" }]);
});

test("what is not there is refused by name", () => {
  assert.throws(
    () => web({ packages: ["web", "nothing"] }),
    (error: unknown) =>
      error instanceof Refusal && error.message === "the root has no package nothing",
  );
  assert.throws(() => web({ files: ["/etc/none*"] }), /the root has no \/etc\/none\*/);
});

test("what is to be left, enabled or disabled and is nowhere is refused by name", () => {
  const refused = (wish: Partial<HarvestWish>) => {
    try {
      web(wish);
      return "";
    } catch (error) {
      if (error instanceof Refusal) return `${error.message}; ${error.hint}`;
      throw error;
    }
  };
  for (const [wish, message] of [
    [{ disable: ["wbe.service", "web.service"] }, /^disable wbe\.service: no unit /],
    [{ enable: ["web"] }, /^enable web: no unit .*; .* like web\.service/],
    [{ enable: ["web@one.service"] }, /^enable web@one\.service: no unit /],
    [{ without: ["lnag", "lang"] }, /^without lnag: /],
  ] as const) {
    assert.match(refused(wish), message);
  }
  // What somebody needs, and what somebody is for others, occurs too.
  assert.is(refused({ without: ["nothing", "lang"], disable: ["web.service"] }), "");
});

test("a package is whole with what lies below it, and not without", () => {
  const own = makeView({
    "/usr/sbin/web": { needs: ["libc.so.6", "libpage.so.1"] },
    "/usr/bin/web-log": { text: "#!/usr/bin/env -S lang -w\n" },
    "/usr/lib/systemd/system/web.service": {
      text: "[Service]\nExecStart=/usr/sbin/web\nExecStop=/usr/bin/gone\n",
    },
    "/usr/lib/web/plugin.so": { needs: ["private.so"] },
    "/usr/lib/web/private.so": { needs: [] },
  });
  const base = makeView({ "/usr/lib/x86_64-linux-gnu/libc.so.6": { needs: [] } });
  const page = makeView({
    "/usr/lib/x86_64-linux-gnu/libpage.so.1": { needs: [] },
    "/usr/bin/lang": { needs: [] },
    "/usr/bin/gone": { text: "here\n" },
  });
  assert.equal(whatIsMissing(own, [page, base]), []);
  assert.equal(whatIsMissing(own, [base]), [
    { path: "/usr/bin/web-log", why: "interpreter lang" },
    { path: "/usr/lib/systemd/system/web.service", why: "program /usr/bin/gone" },
    { path: "/usr/sbin/web", why: "library libpage.so.1" },
  ]);
});

test("configuration that a script laid out comes with its package, and is told so", () => {
  const laidOut = new Map([
    ["/etc/laid-out.conf", "web"],
    ["/etc/other.conf", "other"],
  ]);
  const items = {
    ...WEB_ITEMS,
    "/etc/laid-out.conf": { text: "x\n" },
    "/etc/other.conf": { text: "y\n" },
  };
  const found = planHarvest(
    makeFacts(items, WEB_PACKAGES, { ...WEB_FACTS, laidOut }),
    { ...WISH, packages: ["web"] },
    [{ ...BASE, isTree: false }],
  );
  assert.is(whyOf(found, "/etc/laid-out.conf"), "configuration of web, laid out by its script");
  assert.not.ok(paths(found.take).includes("/etc/other.conf"));
});

test("a program whose loader is not there is missing it, and a loop of links leads to nothing", () => {
  const own = makeView({
    "/usr/bin/tool": { needs: [], loader: "/lib64/ld.so.2" },
    "/usr/bin/one": { target: "other" },
    "/usr/bin/other": { target: "one" },
  });
  const below = makeView({
    "/lib64": { target: "usr/lib64" },
    "/usr/lib64/ld.so.2": { text: "x" },
  });
  assert.equal(whatIsMissing(own, [below]), []);
  assert.equal(whatIsMissing(own, []), [{ path: "/usr/bin/tool", why: "loader /lib64/ld.so.2" }]);
  assert.equal(makePaths(own).chain("/usr/bin/one"), ["/usr/bin/one", "/usr/bin/other"]);
});

test("a command of the package whose program is not there is missing, also behind a link to nothing", () => {
  const own = makeView({
    "/usr/bin/tool": { target: "/etc/alternatives/tool" },
    "/usr/bin/here": { text: "here\n" },
  });
  const commands = [["/usr/bin/here", "-x"], ["/usr/bin/tool"], [], ["/usr/bin/below"]];
  const below = makeView({ "/usr/bin/below": { text: "below\n" } });
  assert.equal(whatIsMissing(own, [below], commands), [
    { path: "/usr/bin/tool", why: "a command of the package" },
  ]);
  const chosen = makeView({ "/etc/alternatives/tool": { target: "/usr/bin/here" } });
  assert.equal(whatIsMissing(own, [chosen, below], commands), []);
});

test("a link that goes with a choice is taken with what it points to, wherever the choice lies", () => {
  const items = {
    "/usr/lib/card": { target: "/etc/alternatives/card" },
    "/etc/alternatives/card": { target: "/usr/lib/card-5" },
    "/usr/lib/card-5/driver.so": { needs: [] },
    "/usr/bin/card-tool": { target: "/etc/alternatives/card-tool" },
    "/etc/alternatives/card-tool": { target: "/usr/lib/card-5/tool" },
    "/usr/lib/card-5/tool": { needs: [] },
  };
  const packages = [
    makePackage("card", { files: ["/usr/lib/card-5/driver.so"] }),
    makePackage("tool", { files: ["/usr/lib/card-5/tool"] }),
  ];
  const links = [
    { name: "card", link: "/usr/lib/card" },
    { name: "card-tool", link: "/usr/bin/card-tool" },
  ];
  const rest = { alternatives: [{ name: "card", links }] };
  const wish = { ...WISH, packages: ["tool"] };
  const driver = makeProvided("card", ["card"], {
    "/usr/lib/card": items["/usr/lib/card"],
    "/etc/alternatives/card": items["/etc/alternatives/card"],
    "/usr/lib/card-5/driver.so": { needs: [] },
  });
  const found = planHarvest(makeFacts(items, packages, rest), wish, [BASE, driver]);
  const taken = paths(found.take).filter((path) => items[path as keyof typeof items] !== undefined);
  assert.equal(taken, [
    "/etc/alternatives/card-tool",
    "/usr/bin/card-tool",
    "/usr/lib/card-5/tool",
  ]);
});

test.run();

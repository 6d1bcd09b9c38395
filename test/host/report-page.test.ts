/*
 * The page of `zshield report collect` in a real browser without a network: it asks for nothing, its policy holds,
 * its table sorts by click and by key. `ZSHIELD_PAGE=FILE` keeps a picture of it, for people to look at.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openBrowser, type Browser, type Page } from "../lab/browser.ts";
import { PROJECT } from "../lab/scratch.ts";
import { factoryReport, lineOfBoxes, outcome, reportFile } from "../unit/report-example.ts";

const folder = mkdtempSync(join(tmpdir(), "zshield-page-"));
const html = join(folder, "page.html");
const csv = join(folder, "table.csv");
let browser: Browser;
let collected: { readonly code: number; readonly output: string };

const test = suite("page");

test.before(async () => {
  const files = [
    ...lineOfBoxes(50),
    reportFile(
      factoryReport({
        serial: "<img src=http://evil.example/x.png>",
        tests: [
          outcome("<script>document.title='taken'</script>", {
            outcome: "fail",
            reason: "\x1b[2J",
          }),
        ],
      }),
      "hostile.json",
    ),
  ];
  for (const { name, content } of files) {
    if (!(content instanceof Uint8Array)) continue;
    mkdirSync(dirname(join(folder, "in", name)), { recursive: true });
    writeFileSync(join(folder, "in", name), content);
  }
  const words = ["report", "collect", join(folder, "in"), "--html", html, "--csv", csv];
  const child = Bun.spawn([process.execPath, join(PROJECT, "src/main.ts"), ...words], {
    stdout: "pipe",
    stderr: "inherit",
  });
  collected = { output: await new Response(child.stdout).text(), code: await child.exited };
  browser = await openBrowser();
});

test.after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

const columnOf = (page: Page, column: number) =>
  page.evaluate(
    `[...document.querySelectorAll("#boxes > tbody")].map((body) =>
      body.rows[0].cells[${column}].dataset.value ?? body.rows[0].cells[${column}].textContent)`,
  ) as Promise<string[]>;

const sortOf = (page: Page) =>
  page.evaluate(
    `[...document.querySelectorAll("#boxes > thead th")].map((cell) => cell.getAttribute("aria-sort")).join()`,
  );

test("the verb: a damaged report is refused, which the exit code tells", () => {
  assert.is(collected.code, 1);
  assert.match(collected.output, "factory-ZS-26-0099.json: it does not match its digest");
  assert.match(collected.output, /51 reports, 44 PASS, 7 FAIL, 1 refused\n$/);
  assert.is(readFileSync(csv, "utf8").split("\r\n").length, 53);
});

test("nothing is asked for but the page itself, and nothing has to be refused", async () => {
  const page = await browser.open(pathToFileURL(html).href);
  assert.equal(page.requests(), [pathToFileURL(html).href]);
  assert.equal(page.complaints(), []);
  assert.is(await page.evaluate("document.title"), "7 FAIL, 44 PASS: factory reports");
  assert.is(await page.evaluate("document.images.length + document.links.length"), 7);
  assert.is(await page.evaluate(`[...document.links].every((link) => link.hash !== "")`), true);
  const picture = process.env["ZSHIELD_PAGE"];
  if (picture !== undefined) await page.screenshot(picture);
});

test("a page that asks is noticed, and the policy stops it", async () => {
  const asking = join(folder, "asking.html");
  const text = readFileSync(html, "utf8");
  const picture = `<img src="http://198.51.100.1/x.png"><script>document.title = "taken"</script></main>`;
  writeFileSync(asking, text.replace("</main>", picture));
  const page = await browser.open(pathToFileURL(asking).href);
  assert.match(page.complaints().join("\n"), /violates the following Content Security Policy/);
  assert.is.not(await page.evaluate("document.title"), "taken");
  writeFileSync(asking, text.replace("</main>", picture).replace(/<meta http-equiv[^>]*>/, ""));
  const open = await browser.open(pathToFileURL(asking).href);
  assert.ok(open.requests().includes("http://198.51.100.1/x.png"), open.requests().join());
  assert.is(await open.evaluate("document.title"), "taken");
});

test("a click on a heading sorts, a second one the other way", async () => {
  const page = await browser.open(pathToFileURL(html).href);
  const headings = (await page.evaluate(
    `[...document.querySelectorAll("#boxes > thead th")].map((cell) => cell.textContent)`,
  )) as string[];
  const click = (name: string) =>
    page.evaluate(
      `document.querySelectorAll("#boxes > thead button")[${headings.indexOf(name)}].click()`,
    );
  const verdicts = await columnOf(page, 0);
  assert.equal(verdicts, verdicts.toSorted(), "failing boxes first");

  for (const name of ["Installation", "Tests", "Both"]) {
    const column = headings.indexOf(name);
    assert.ok(column > 0, name);
    const before = (await columnOf(page, column)).map(Number);
    const sorted = before.toSorted((a, b) => a - b);
    assert.not.equal(before, sorted, `${name} is in no order yet`);
    await click(name);
    assert.equal((await columnOf(page, column)).map(Number), sorted);
    assert.is(
      await sortOf(page),
      headings.map((each) => (each === name ? "ascending" : "none")).join(),
    );
    await click(name);
    assert.equal((await columnOf(page, column)).map(Number), sorted.toReversed());
    assert.match(String(await sortOf(page)), "descending");
  }

  await click("Serial number");
  const serials = await columnOf(page, headings.indexOf("Serial number"));
  assert.equal(serials.slice(0, 3), [
    "<img src=http://evil.example/x.png>",
    "ZS-26-0001",
    "ZS-26-0002",
  ]);
  assert.is(serials.length, 51);
});

test("keys: Tab reaches a heading, Enter and Space sort; a link shows the tests of its box", async () => {
  const page = await browser.open(pathToFileURL(html).href);
  const focus = () =>
    page.evaluate(`document.activeElement.closest("thead th")?.textContent ?? ""`);
  for (let tab = 0; (await focus()) !== "Serial number"; tab++) {
    assert.ok(tab < 30, "no Tab reaches the heading");
    await page.press("Tab");
  }
  await page.press("Enter");
  assert.match(String(await sortOf(page)), /^none,ascending,/);
  await page.press(" ");
  assert.match(String(await sortOf(page)), /^none,descending,/);

  const open = () => page.evaluate(`document.querySelectorAll("tr.tests:not([hidden])").length`);
  assert.is(await open(), 0);
  await page.evaluate(`document.querySelector(".failing a").click()`);
  await page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))");
  assert.is(await open(), 1);
  await page.evaluate(`document.querySelector("#boxes button.more[aria-expanded=false]").click()`);
  assert.is(await open(), 2);
});

test.run();

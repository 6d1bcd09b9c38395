/*
 * The collection as one HTML page that needs nothing else: no font, no picture, no address. Its policy forbids any
 * request, and allows one style and one script, by their digests; so whatever a report holds stays text.
 * Owns: the markup. Style and script are in page-style.ts and page-script.ts. Pure.
 */
import { createHash } from "node:crypto";
import { printSize } from "../model/size.ts";
import { summarise, type Box, type Collection, type Spread, type Summary } from "./gather.ts";
import { SCRIPT } from "./page-script.ts";
import { STYLE } from "./page-style.ts";
import { countOf, printMoment, printSpan } from "./words.ts";

/** `madeAt`: seconds since 1970. */
export function printPage(collection: Collection, madeAt: number): string {
  const summary = summarise(collection);
  const policy = [
    "default-src 'none'",
    `style-src '${digestOf(STYLE)}'`,
    `script-src '${digestOf(SCRIPT)}'`,
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="color-scheme" content="light dark">
<title>${escape(titleOf(summary))}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>Factory reports</h1>
<p>${escape(subtitle(summary, collection.boxes, madeAt))}</p>
</header>
<main>
${tiles(summary, collection)}
<div class="beside">
${failingTests(summary, collection.boxes)}
${notes(summary, collection)}
</div>
${boxTable(summary, collection.boxes)}
</main>
<script>${SCRIPT}</script>
</body>
</html>
`;
}

function titleOf({ pass, fail }: Summary): string {
  return `${fail} FAIL, ${pass} PASS: factory reports`;
}

function subtitle({ shared }: Summary, boxes: readonly Box[], madeAt: number): string {
  const parts = [
    shared.model ?? "",
    shared.version === undefined || shared.version === "" ? "" : `version ${shared.version}`,
    period(boxes),
    `collected ${printMoment(madeAt)} UTC`,
  ];
  return parts.filter((part) => part !== "").join(" · ");
}

function period(boxes: readonly Box[]): string {
  const moments = boxes.map(({ endedAt }) => endedAt).sort((a, b) => a - b);
  const [first = "", last = ""] = [moments[0], moments.at(-1)].map((at) => printMoment(at ?? 0));
  if (first === "" || last === "") return "";
  if (first === last) return `tested ${first} UTC`;
  const [day] = first.split(" ");
  return `tested ${first} to ${last.startsWith(`${day} `) ? last.slice(11) : last} UTC`;
}

function tiles({ pass, fail, reports, install, tests }: Summary, { refused }: Collection): string {
  const tile = (kind: string, value: string, label: string, more = "") =>
    `<div class="tile ${kind}"><dt>${label}</dt><dd>${value}${more === "" ? "" : `<small>${more}</small>`}</dd></div>`;
  const spread = (spread: Spread | undefined) =>
    spread === undefined ? "" : `${printSpan(spread.least)} to ${printSpan(spread.most)}`;
  const share = reports === 0 ? "" : `of ${countOf(reports, "report")}`;
  return `<dl class="tiles">
${tile("pass", String(pass), "PASS", share)}
${tile(fail > 0 ? "fail" : "", String(fail), "FAIL", share)}
${refused.length > 0 ? tile("fail", String(refused.length), "refused", "not counted") : ""}
${install ? tile("", printSpan(install.median), "installation, median", spread(install)) : ""}
${tests ? tile("", printSpan(tests.median), "tests, median", spread(tests)) : ""}
</dl>`;
}

function failingTests({ failing, fail }: Summary, boxes: readonly Box[]): string {
  if (fail === 0) return "";
  const most = Math.max(...failing.map(({ boxes }) => boxes.length));
  const rows = failing.map(({ name, boxes: failed }) => {
    const links = failed
      .slice(0, 12)
      .map((box) => `<a href="#box-${boxes.indexOf(box)}">${escape(serialOf(box))}</a>`)
      .join(", ");
    const more = failed.length > 12 ? ` and ${failed.length - 12} more` : "";
    return `<tr><th scope="row">${escape(name)}</th>
<td class="number">${countOf(failed.length, "box", "boxes")}</td>
<td class="bar">${bar([[failed.length, "failed"]], most, 120)}</td>
<td class="which">${links}${more}</td></tr>`;
  });
  return `<section>
<h2>Failing tests</h2>
<table class="failing"><tbody>
${rows.join("\n")}
</tbody></table>
</section>`;
}

function notes({ repeated, unnamed }: Summary, collection: Collection): string {
  const { refused, copies, others } = collection;
  const item = (file: string, text: string) =>
    `<li><code>${escape(file)}</code>: ${escape(text)}</li>`;
  const parts = [
    refused.length > 0
      ? `<h2>Refused</h2>\n<ul class="refused">${refused.map(({ file, reason }) => item(file, reason)).join("\n")}</ul>`
      : "",
    repeated.length > 0
      ? `<h2>Serial numbers that occur more than once</h2>\n<ul>${repeated
          .map(({ serial, reports }) => `<li><b>${escape(serial)}</b>: ${reports} reports</li>`)
          .join("\n")}</ul>`
      : "",
    copies.length > 0
      ? `<h2>The same report again, counted once</h2>\n<ul>${copies.map(({ file, of }) => item(file, `as ${of}`)).join("\n")}</ul>`
      : "",
    unnamed > 0 ? `<p>${countOf(unnamed, "report")} without a serial number.</p>` : "",
    others > 0 ? `<p>${countOf(others, "other JSON file")} passed over.</p>` : "",
    collection.boxes.length === 0 ? "<p>There is no report of zshield's factory tests.</p>" : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "" : `<section class="notes">\n${parts.join("\n")}\n</section>`;
}

interface Column {
  readonly title: string;
  readonly kind: string;
  /** What is sorted by, where it is not the text that is shown. */
  readonly sortedBy?: (box: Box) => string | number | undefined;
  /** Markup. */
  readonly show: (box: Box, index: number, longest: number) => string;
}

const RESULT: Column = {
  title: "Result",
  kind: "result",
  show: (box, index) =>
    `<button type="button" class="more" aria-expanded="false" aria-controls="tests-${index}" ` +
    `aria-label="tests of ${escape(serialOf(box))}"></button><b class="verdict">${box.verdict}</b>`,
};

const SERIAL: Column = {
  title: "Serial number",
  kind: "serial",
  sortedBy: ({ serial }) => serial,
  show: (box) =>
    escape(serialOf(box)) +
    (box.reportsOfSerial > 1
      ? ` <span class="twice" title="${box.reportsOfSerial} reports carry this serial number">×${box.reportsOfSerial}</span>`
      : ""),
};

const MODEL: Column = { title: "Model", kind: "", show: ({ model }) => escape(model) };
const GOLDEN: Column = { title: "Version", kind: "", show: ({ version }) => escape(version) };

const REST: readonly Column[] = [
  {
    title: "Ended (UTC)",
    kind: "moment",
    sortedBy: ({ endedAt }) => (printMoment(endedAt) === "" ? "" : endedAt),
    show: ({ endedAt }) => escape(printMoment(endedAt)),
  },
  {
    title: "Installation",
    kind: "number",
    sortedBy: ({ installSeconds }) => installSeconds,
    show: ({ installSeconds }) => (installSeconds === undefined ? "" : printSpan(installSeconds)),
  },
  {
    title: "Tests",
    kind: "number",
    sortedBy: ({ testSeconds }) => testSeconds,
    show: ({ testSeconds }) => printSpan(testSeconds),
  },
  {
    title: "Both",
    kind: "number",
    sortedBy: bothOf,
    show(box, _index, longest) {
      const { installSeconds = 0, testSeconds } = box;
      const parts = [
        [installSeconds, "installed"],
        [testSeconds, "tested"],
      ] as const;
      return `${bar(parts, longest, 100)} <span>${printSpan(bothOf(box))}</span>`;
    },
  },
  { title: "First failure", kind: "reason", show: ({ reason }) => escape(reason) },
];

function bothOf({ installSeconds = 0, testSeconds }: Box): number {
  return installSeconds + testSeconds;
}

function boxTable({ shared }: Summary, boxes: readonly Box[]): string {
  if (boxes.length === 0) return "";
  const columns = [
    RESULT,
    SERIAL,
    ...(shared.model === undefined ? [MODEL] : []),
    ...(shared.version === undefined ? [GOLDEN] : []),
    ...REST,
  ];
  const longest = Math.max(...boxes.map(bothOf));
  const headers = columns.map(({ title, kind }, index) => {
    const sort = index === 0 ? "ascending" : "none";
    return `<th scope="col" class="${kind}" aria-sort="${sort}"><button type="button">${title}</button></th>`;
  });
  return `<section>
<h2>Boxes</h2>
<p class="hint">A heading sorts. The arrow before a result shows that box's tests.</p>
<table class="boxes" id="boxes">
<thead><tr>${headers.join("")}</tr></thead>
${boxes.map((box, index) => boxBody(columns, box, index, longest)).join("\n")}
</table>
</section>`;
}

function boxBody(columns: readonly Column[], box: Box, index: number, longest: number): string {
  const cells = columns.map(({ kind, sortedBy, show }) => {
    const value = sortedBy ? ` data-value="${escape(String(sortedBy(box) ?? ""))}"` : "";
    return `<td class="${kind}"${value}>${show(box, index, longest)}</td>`;
  });
  return `<tbody class="${box.verdict.toLowerCase()}" id="box-${index}">
<tr>${cells.join("")}</tr>
<tr class="tests" id="tests-${index}" hidden><td colspan="${columns.length}">${testsOf(box)}</td></tr>
</tbody>`;
}

function testsOf(box: Box): string {
  const { disk, vendor, file, tests, untold, outputs } = box;
  const rows = tests.map(
    ({ name, origin, outcome, reason, seconds }) =>
      `<tr class="${outcome}"><td><b>${outcome.toUpperCase()}</b></td><td>${escape(name)}</td><td>${origin}</td>` +
      `<td class="number">${printSpan(seconds)}</td><td>${escape(reason)}</td></tr>`,
  );
  const facts = [
    vendor,
    disk.model === "" ? "disk without a model name" : `disk ${disk.model}`,
    disk.serial === "" ? "" : `disk serial ${disk.serial}`,
    printSize(disk.sizeBytes),
    file,
  ].filter((fact) => fact !== "");
  return `<p>${facts.map((fact) => `<span>${escape(fact)}</span>`).join(" · ")}</p>
<table><tbody>
${rows.join("\n")}
</tbody></table>
${untold > 0 ? `<p>${countOf(untold, "more test")}</p>` : ""}
${outputs.map(({ name, text }) => `<p>What ${escape(name)} printed:</p>\n<pre>${escape(text)}</pre>`).join("\n")}`;
}

function serialOf({ serial }: Box): string {
  return serial === "" ? "(none)" : serial;
}

/** Lengths beside each other; the words beside it say the same, so it is hidden from readers of the page. */
function bar(
  parts: readonly (readonly [value: number, kind: string])[],
  most: number,
  width: number,
): string {
  let left = 0;
  const rects = parts.map(([value, kind]) => {
    const share = most > 0 ? Math.min(1, Math.max(0, value / most)) : 0;
    const length = Number((share * width).toFixed(1));
    const rect = `<rect class="${kind}" x="${left.toFixed(1)}" width="${length}" height="8"/>`;
    left += length;
    return rect;
  });
  return `<svg aria-hidden="true" width="${width}" height="8">${rects.join("")}</svg>`;
}

/** For text and for attributes in double quotes. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function digestOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}

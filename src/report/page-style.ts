/*
 * The style of the page: light and dark as the reader's system has it, and plain on paper, where the tests of the
 * boxes that failed are shown.
 */
export const STYLE = `
:root {
  --ground: #f6f7f9; --panel: #fff; --ink: #1b1f24; --faint: #5c6670; --line: #dfe3e8;
  --pass: #18713a; --pass-soft: #e3f4e8; --fail: #b3202a; --fail-soft: #fdeaea;
  --bar: #4a78b5; --bar-soft: #a9c3e2; --mark: #7a5200; --mark-soft: #fff0cc;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b; --panel: #1c2026; --ink: #e6e9ed; --faint: #9aa4ae; --line: #323840;
    --pass: #6fd08c; --pass-soft: #1b3324; --fail: #ff8a8a; --fail-soft: #402022;
    --bar: #7fa9e0; --bar-soft: #3e5c84; --mark: #f3cf7a; --mark-soft: #40330f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; padding: 20px 28px 40px; background: var(--ground); color: var(--ink);
  font: 14px/1.45 system-ui, "Segoe UI", "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif;
}
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 16px; }
h1 { font-size: 22px; margin: 0; }
header p, .hint, small { color: var(--faint); }
header p { margin: 0; }
h2 { font-size: 15px; margin: 0 0 8px; }
section {
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 14px 16px; margin-top: 14px;
}
.beside { display: flex; flex-wrap: wrap; gap: 0 14px; }
.beside section { flex: 1 1 420px; min-width: 0; }
.tiles { display: flex; flex-wrap: wrap; gap: 14px; margin: 14px 0 0; }
.tile {
  display: flex; flex-direction: column-reverse; justify-content: flex-end; min-width: 132px; padding: 10px 16px;
  background: var(--panel); border: 1px solid var(--line); border-radius: 8px;
}
.tile dt { font-weight: 600; color: var(--faint); }
.tile dd { margin: 0; font-size: 28px; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.tile small { display: inline-block; margin-left: 10px; font-size: 13px; font-weight: 400; }
.tile.pass { background: var(--pass-soft); border-color: var(--pass); }
.tile.fail { background: var(--fail-soft); border-color: var(--fail); }
.tile.pass dt, .tile.pass dd { color: var(--pass); }
.tile.fail dt, .tile.fail dd { color: var(--fail); }
.tile.pass small, .tile.fail small { color: inherit; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 5px 16px 5px 0; overflow-wrap: anywhere; unicode-bidi: isolate; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
svg { vertical-align: baseline; }
rect { fill: var(--bar); }
rect.failed { fill: var(--fail); }
rect.installed { fill: var(--bar-soft); }
.failing th, .failing td { padding: 3px 10px 3px 0; }
.failing th { font-weight: 600; padding-right: 20px; min-width: 110px; }
.failing a { display: inline-block; max-width: 100%; }
.failing .which { color: var(--faint); }
.failing td.bar { padding: 3px 14px; }
a { color: inherit; text-underline-offset: 2px; }
.notes h2 { margin-top: 10px; }
.notes h2:first-child { margin-top: 0; }
.notes ul { margin: 0; padding-left: 20px; }
.notes li { overflow-wrap: anywhere; }
.notes .refused { color: var(--fail); }
.notes p { margin: 8px 0 0; }
code, pre { font-family: ui-monospace, "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: 12.5px; }
.number span { display: inline-block; min-width: 76px; }
.hint { margin: -6px 0 4px; font-size: 13px; }
.boxes { width: 100%; }
.boxes > thead th {
  position: sticky; top: 0; z-index: 1; padding: 0; background: var(--panel); box-shadow: inset 0 -2px var(--line);
}
.boxes > thead button {
  all: unset; box-sizing: border-box; width: 100%; padding: 7px 16px 7px 0; cursor: pointer; font-weight: 600;
  white-space: nowrap;
}
.boxes > thead th:not(.number) button::after, .boxes > thead .number button::before {
  content: "▲"; margin: 0 4px; font-size: 9px; visibility: hidden;
}
.boxes > thead th[aria-sort=ascending] button::after, .boxes > thead th[aria-sort=ascending] button::before {
  visibility: visible;
}
.boxes > thead th[aria-sort=descending] button::after, .boxes > thead th[aria-sort=descending] button::before {
  content: "▼"; visibility: visible;
}
.boxes > thead button:hover { text-decoration: underline; text-underline-offset: 3px; }
button:focus-visible, a:focus-visible { outline: 2px solid var(--bar); outline-offset: 1px; border-radius: 3px; }
.boxes > tbody { border-bottom: 1px solid var(--line); scroll-margin-top: 40px; }
.boxes > tbody:target > tr:first-child { background: var(--mark-soft); }
.boxes > tbody > tr > td:first-child { white-space: nowrap; }
.verdict { display: inline-block; padding: 0 8px; border-radius: 4px; font-size: 12.5px; letter-spacing: .03em; }
.pass .verdict { color: var(--pass); background: var(--pass-soft); }
.fail .verdict { color: var(--panel); background: var(--fail); }
.serial { font-weight: 600; }
.moment { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.reason { color: var(--fail); min-width: 180px; }
.twice { padding: 0 5px; border-radius: 4px; color: var(--mark); background: var(--mark-soft); font-weight: 600; }
.more { all: unset; cursor: pointer; width: 18px; text-align: center; color: var(--faint); display: inline-block; }
.more::before { content: "▸"; }
.more[aria-expanded=true]::before { content: "▾"; }
.tests > td { padding: 2px 10px 12px 18px; }
.tests p { margin: 4px 0; color: var(--faint); overflow-wrap: anywhere; }
.tests td { padding: 2px 14px 2px 0; }
.tests .fail td { color: var(--fail); }
.tests .skip td { color: var(--faint); }
pre {
  margin: 4px 0; padding: 8px 10px; max-height: 320px; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  background: var(--ground); border: 1px solid var(--line); border-radius: 6px;
}
@media print {
  :root {
    --ground: #fff; --panel: #fff; --ink: #000; --faint: #444; --line: #bbb;
    --pass: #18713a; --pass-soft: #fff; --fail: #b3202a; --fail-soft: #fff; --mark: #000; --mark-soft: #fff;
  }
  body { padding: 0; font-size: 10.5px; }
  section { border: 0; padding: 0; }
  .hint, .more, .boxes > thead button::after, .boxes > thead button::before { display: none; }
  .boxes > thead th { position: static; box-shadow: none; border-bottom: 1px solid; }
  .boxes > tbody { break-inside: avoid; }
  .boxes > tbody.fail > tr.tests[hidden] { display: table-row; }
  .verdict, .fail .verdict { padding: 0 3px; background: none; }
  .fail .verdict { color: var(--fail); border: 1px solid; }
  pre { max-height: none; }
  rect, .tile { print-color-adjust: exact; }
}
`;

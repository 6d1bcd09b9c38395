/*
 * TAP, versions 12 to 14 (testanything.org): a plan, points that are ok or not, and what makes one not count.
 * Read line by line, so that an output of any length takes no memory. Stricter than most readers: whatever does not
 * add up is a failure. Pure.
 */
import { because } from "../../model/reasons.ts";
import { KIB } from "../../model/size.ts";
import { count, cut, failed, passed, type Finding } from "./box.ts";

/** Whether a program that prints this as its first line that is not blank means TAP. */
export function isTap(line: string): boolean {
  return /^(TAP version \d+\s*$|1\.\.\d|(not )?ok( |$))/.test(line);
}

export interface TapReader {
  add(line: string): void;
  /** What came of it; for a program that ended by itself with exit code 0. */
  end(): Finding;
}

/** As much of a line as is looked at; a directive stands before that. */
const LONGEST_LINE = 2 * KIB;

// `s`: whatever character a line holds, its rest goes to its end. A rest that stops before it is looked for again
// and again, from every blank: seconds, in which nothing else of this process has a turn.
const POINT = /^(not )?ok(?:\s+(\d+))?(?:\s+(.*))?$/s;
const PLAN = /^1\.\.(\d+)\s*(?:#\s*(.*))?$/s;
const BAIL = /^\s*Bail out!\s*(.*)$/s;
/** One that is written `\#` belongs to the description. */
const DIRECTIVE = /(?:^|[^\\])#\s*(skip\S*|todo\b)/i;

export function makeTapReader(): TapReader {
  let plan: { readonly tests: number; readonly remark: string } | undefined;
  let points = 0;
  let skipped = 0;
  let blockEnd: RegExp | undefined;
  /** The first that is wrong. A test that is not ok says more than a sum that is wrong because of it. */
  let notOk: string | undefined;
  let fault: string | undefined;

  const addPlan = (tests: number, remark: string) => {
    if (plan) fault ??= because("vendor.two-plans");
    plan ??= { tests, remark };
  };
  const addPoint = (isOk: boolean, number: string | undefined, text: string) => {
    points++;
    if (number !== undefined && Number(number) !== points) {
      fault ??= because("vendor.odd-number", number, String(points));
    }
    const directive = DIRECTIVE.exec(text)?.[1]?.toLowerCase() ?? "";
    if (directive.startsWith("skip")) skipped++;
    if (isOk || directive !== "") return;
    const name = text.replace(/^-\s*/, "").trim();
    notOk ??= `not ok ${points}${name === "" ? "" : ` - ${name}`}`;
  };

  return {
    add(whole) {
      const line = cut(whole, LONGEST_LINE);
      // A block of YAML below a point may hold anything.
      if (blockEnd) {
        if (blockEnd.test(line)) blockEnd = undefined;
        return;
      }
      const begin = /^(\s+)---\s*$/.exec(line);
      if (begin) {
        blockEnd = new RegExp(`^${begin[1]}\\.\\.\\.\\s*$`);
        return;
      }
      // Of a test in a test only this counts: its own points are summed up by the point behind it.
      const bail = BAIL.exec(line);
      if (bail) {
        const what = because("vendor.bailed-out");
        notOk ??= bail[1] ? because("vendor.last", what, bail[1]) : what;
      }
      const planned = PLAN.exec(line);
      if (planned) addPlan(Number(planned[1]), planned[2] ?? "");
      const point = POINT.exec(line);
      if (point) addPoint(point[1] === undefined, point[2], point[3] ?? "");
    },
    end() {
      if (notOk !== undefined) return failed(notOk);
      if (fault !== undefined) return failed(fault);
      if (!plan) return failed(because("vendor.no-plan", String(points)));
      if (plan.tests !== points) {
        return failed(because("vendor.other-sum", String(plan.tests), String(points)));
      }
      if (points === 0) {
        const why = plan.remark.replace(/^skip\S*\s*/i, "");
        return { outcome: "skip", reason: why === "" ? "it planned no test" : why };
      }
      if (skipped === points) {
        return { outcome: "skip", reason: `${count(points, "test")}, every one skipped` };
      }
      return passed(`${count(points, "test")} ok${skipped === 0 ? "" : `, ${skipped} skipped`}`);
    },
  };
}

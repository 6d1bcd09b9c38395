/*
 * `zshield report collect`: many factory reports, one table.
 */
import { writeFileSync } from "node:fs";
import { EXIT, Failure, messageOf } from "../errors.ts";
import { readReportFiles } from "../host/report-files.ts";
import { printCsv } from "../report/csv.ts";
import { gather, summarise } from "../report/gather.ts";
import { printPage } from "../report/page.ts";
import { reportLines } from "../ui/report-lines.ts";
import { nowSeconds } from "./facts.ts";

export interface CollectOptions {
  readonly csv: string | undefined;
  readonly html: string | undefined;
  readonly json: boolean;
}

export async function collect(
  directories: readonly string[],
  { csv, html, json }: CollectOptions,
): Promise<void> {
  const collection = gather(readReportFiles(directories));
  const { boxes, refused, copies, others } = collection;
  if (csv !== undefined) writeTo(csv, printCsv(collection));
  if (html !== undefined) writeTo(html, printPage(collection, nowSeconds()));
  if (json) {
    const { failing, ...summary } = summarise(collection);
    const counted = failing.map(({ name, boxes }) => ({ name, boxes: boxes.length }));
    const document = { schema: 1, ...summary, failing: counted, boxes, refused, copies, others };
    console.log(JSON.stringify(document, null, 2));
  } else {
    const colour = process.stdout.isTTY && process.env["NO_COLOR"] === undefined;
    const columns = process.stdout.isTTY ? process.stdout.columns : Infinity;
    // Its texts are visible already; what is not is the colour.
    for (const line of reportLines(collection, { columns, colour })) console.log(line);
  }
  if (boxes.length === 0 || refused.length > 0) process.exitCode = EXIT.trouble;
}

function writeTo(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new Failure(
      `${path} cannot be written: ${messageOf(error)}`,
      "what is in it may not be whole; the reports are as they were",
    );
  }
}

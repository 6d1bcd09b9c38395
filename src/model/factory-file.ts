/*
 * A factory report as a file: one line of JSON, and a second line with its SHA-256, so that a report whose bytes were
 * changed on its way is found. It tells of accidents, not of forgers: whoever changes a report can make a digest too.
 * Owns: the format. No I/O.
 */
import { createHash } from "node:crypto";
import { Refusal, messageOf } from "../errors.ts";
import { parseDocument } from "./document.ts";
import { FactoryReport } from "./factory.ts";

const DIGEST = /^([^\n]+)\nsha256:([0-9a-f]{64})\n$/;

export function printFactoryReport(report: FactoryReport): string {
  const json = JSON.stringify(report);
  return `${json}\nsha256:${digestOf(json)}\n`;
}

/** `name`: of the file, for what is said. @throws Refusal if it is no report, or its digest does not match. */
export function parseFactoryReport(name: string, text: string): FactoryReport {
  const match = DIGEST.exec(text);
  if (!match) throw new Refusal(`${name} is no report of zshield's factory tests, or is cut off`);
  const [, json = "", digest] = match;
  if (digestOf(json) !== digest) {
    throw new Refusal(`${name} does not match its digest: it was changed or damaged`);
  }
  try {
    return parseDocument(FactoryReport, JSON.parse(json), name);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw new Refusal(`${name} is not JSON: ${messageOf(error)}`);
  }
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

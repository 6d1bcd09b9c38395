/*
 * The result as a QR code: a few words for a phone, small enough for 80×24. Pure.
 */
import qrcode from "qrcode-generator";
import type { Result } from "../../model/result.ts";

/** Light modules around the code, which readers need to find it. */
const QUIET = 4;
/** What the alphanumeric mode of QR codes knows; it packs two characters into eleven bits. */
const UNKNOWN = /[^0-9A-Z $%*+\-./:]/g;
/** Characters that fit into the smallest sizes of code with the lowest error correction. */
const ROOM = { 1: 25, 2: 47 } as const;
export type CodeSize = keyof typeof ROOM;

/**
 * `ZS1 FAILED DEFAULT E4.12 BOX-1 0.1.0`: outcome, operation, exit code and step, the machine's serial number,
 * version. Where that is too long the serial number keeps its end and the version its beginning.
 */
export function codeText(result: Result, machineSerial: string, size: CodeSize): string {
  const { outcome, operation, error, version } = result;
  const code = { success: "E0", refused: "E3", failed: "E4" }[outcome];
  const step = /^step (\d+) of /.exec(error?.message ?? "")?.[1];
  const fixed =
    size === 1
      ? ["ZS1", outcome.slice(0, 1), operation.slice(0, 1), code]
      : ["ZS1", outcome === "success" ? "ok" : outcome, operation, code];
  const head = `${fixed.join(" ")}${step === undefined ? "" : `.${step}`}`;
  const serial = machineSerial.slice(size === 1 ? -6 : -14);
  const words = [head, serial, version].filter((word) => word !== "");
  return words.join(" ").toUpperCase().replace(UNKNOWN, "-").slice(0, ROOM[size]);
}

/** The modules, `true` dark, with the quiet zone around them. */
export function codeModules(text: string, size: CodeSize, quiet: number = QUIET): boolean[][] {
  const code = qrcode(size, "L");
  code.addData(text, "Alphanumeric");
  code.make();
  const count = code.getModuleCount();
  const inside = (at: number) => at >= 0 && at < count;
  const line = Array.from({ length: count + 2 * quiet }, (_, index) => index - quiet);
  return line.map((row) =>
    line.map((column) => inside(row) && inside(column) && code.isDark(row, column)),
  );
}

/*
 * Paths inside a tree, absolute and with the root as `/`. Owns: who lies in which directory, and patterns. Pure.
 */

/** Of the root: the root. */
export function parentOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Without `.`, `..` and doubled slashes; above the root is the root. */
export function normalise(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** `**` is anything, `*` anything without a slash, `?` one character; a pattern takes what lies below it along. */
export function makeMatcher(patterns: readonly string[]): (path: string) => string | undefined {
  const compiled = patterns.map((pattern) => ({ pattern, expression: toExpression(pattern) }));
  return (path) => compiled.find(({ expression }) => expression.test(path))?.pattern;
}

function toExpression(pattern: string): RegExp {
  const text = pattern.replaceAll(/\*\*|[*?]|[.+^${}()|[\]\\]/g, (found) =>
    found === "**" ? ".*" : found === "*" ? "[^/]*" : found === "?" ? "[^/]" : `\\${found}`,
  );
  return new RegExp(`^${text}(/.*)?$`, "s");
}

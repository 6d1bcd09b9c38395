/*
 * Small roots on the disk, with a dpkg database, from which a harvest takes one tool.
 */
import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { checkRecipe } from "../../src/model/recipe.ts";

/** When all files of them were written. */
export const DAY = 1_700_000_000;

export function write(root: string, path: string, text: string, mode = 0o644): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text, { mode });
  utimesSync(file, DAY, DAY);
}

export function makeRootAt(root: string): string {
  write(root, "etc/os-release", 'ID=debian\nVERSION_ID="12"\n');
  write(root, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
  write(root, "etc/group", "root:x:0:\n");
  symlinkSync("usr/bin", join(root, "bin"));
  write(root, "usr/bin/sh", "shell\n", 0o755);
  write(root, "var/lib/dpkg/info/dash.list", "/.\n/bin\n/bin/sh\n");
  write(root, "var/lib/dpkg/status", stanza("dash", "Essential: yes\n"));
  return root;
}

export const stanza = (name: string, more = "") =>
  `Package: ${name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.5-2\n${more}\n`;

export function makeToolRootAt(root: string, program = "#!/bin/sh\n"): string {
  makeRootAt(root);
  write(root, "usr/bin/tool", program, 0o755);
  write(
    root,
    "var/lib/dpkg/status",
    stanza("dash", "Essential: yes\n") + stanza("tool", "Depends: dash\n"),
  );
  write(root, "var/lib/dpkg/info/tool.list", "/.\n/bin\n/bin/tool\n");
  return root;
}

export const recipe = checkRecipe(
  {
    ...{ format: 1, name: "tool", kind: "extra", sequence: 9, revision: 3, mask: "00000A" },
    ...{ packages: ["tool"], description: "a tool", health: ["/usr/bin/tool"] },
  },
  "tool.toml",
);

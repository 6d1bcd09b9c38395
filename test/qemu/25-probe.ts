/*
 * The real probe on real disks of every kind of content, behind loop devices of this host: each is
 * recognised, and looking changes no byte. No machine is started.
 */
import { join } from "node:path";
import { command } from "../lab/command.ts";
import type { Scenario } from "../lab/scenario.ts";
import { PROJECT } from "../lab/scratch.ts";

export const scenario: Scenario = {
  name: "probe-on-loops",
  title:
    "every kind of foreign content is recognised by the tools themselves, and stays to the byte",
  minutes: 1,
  needs: [],
  async run(context) {
    const { stdout } = await command(["bun", join(PROJECT, "test/lab/probe-on-loops.ts")]);
    context.note(stdout.trim().split("\n").at(-1) ?? "");
  },
};

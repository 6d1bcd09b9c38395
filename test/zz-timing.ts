import { openContext } from "/work/main/test/lab/scenario.ts";
import { startRescue, readResult, blankDisk, disk } from "/work/main/test/lab/recovery.ts";
const variants: [string, string[], string?][] = JSON.parse(process.argv[2] ?? "[]");
for (const [name, parameters, cpu] of variants) {
  const context = openContext("dev-timing", 1);
  const card = await context.card("small");
  const image = await blankDisk(context);
  const began = Date.now();
  let first = 0;
  const machine = await startRescue(context, { card, drives: [disk(image)], parameters, name, ...(cpu ? { cpu } : {}) });
  await machine.waitFor(/zshield: step 1\//, 200); first = (Date.now() - began) / 1000;
  const result = await readResult(machine);
  console.log(name, "first step", first.toFixed(1), "all", ((Date.now() - began) / 1000).toFixed(1), result.outcome, result.steps.filter((s) => s.seconds > 0.8).map((s) => `${s.kind} ${s.seconds}`).join(", "));
  await machine.kill();
}
process.exit(0);

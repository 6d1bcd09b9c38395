/*
 * Words in, exit code out. The only place that prints an error and ends the process.
 */
import { runCommand, usageOf } from "./commands.ts";
import { EXIT, Failure, Refusal, StepError, UsageError } from "./errors.ts";
import { quote } from "./host/command.ts";
import { visible } from "./model/text.ts";
import { explain } from "./ui/explain.ts";

try {
  await runCommand(process.argv.slice(2));
} catch (error) {
  // At once: readers of terminals and timers would keep a process alive that nobody leads any more.
  process.exit(report(error));
}

function report(error: unknown): number {
  const say = (line: string) => console.error(visible(line));
  if (error instanceof UsageError) {
    say(`zshield: ${error.message}`);
    console.error(usageOf(error.verb));
    return EXIT.usage;
  }
  if (error instanceof Refusal) {
    for (const line of error.message.split("\n")) say(`zshield: ${line}`);
    if (error.hint !== "") for (const line of error.hint.split("\n")) say(`  ${line}`);
    return EXIT.refused;
  }
  for (const line of explain(error, quote).lines) say(line);
  return error instanceof StepError || error instanceof Failure ? EXIT.failed : EXIT.bug;
}

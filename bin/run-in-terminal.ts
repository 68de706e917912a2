/**
 * A training run on the command line. In: a stream of events that listens to a signal. Out: what is shown while it runs, and
 * the exit code. Ctrl-C (or SIGTERM) stops the run after the step under way, with a checkpoint; a second one stops at once.
 */
import { join } from "node:path";
import type { FinishEvent, TrainEvent } from "../src/train/events.js";
import { formatLoss } from "../src/view/format.js";
import { followInTerminal } from "../src/view/terminal.js";

// 128 + the number of the signal, as shells have it.
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;
type Stop = keyof typeof exitCodes;

/**
 * Follows a run to its end.
 *
 * @param begin starts the run; aborting the signal stops it in order
 * @param outputDir where its checkpoints lie, for what is said at the end
 * @param isExplained whether model, data and steps were said before
 * @returns 0 when the run ended by itself, 130 after Ctrl-C, 143 after SIGTERM
 */
export async function runInTerminal(
  begin: (signal: AbortSignal) => AsyncIterable<TrainEvent>,
  outputDir: string,
  isExplained = false,
): Promise<number> {
  const controller = new AbortController();
  let stoppedBy: Stop | undefined;
  const stop = (name: Stop) => {
    if (stoppedBy) process.exit(exitCodes[name]);
    stoppedBy = name;
    controller.abort();
    process.stderr.write("\nstopping after the step under way, with a checkpoint; Ctrl-C again stops at once\n");
  };
  const names = Object.keys(exitCodes) as Stop[];
  for (const name of names) process.on(name, stop);
  try {
    const { stdout } = process;
    const finish = await followInTerminal(begin(controller.signal), {
      write: (text) => void stdout.write(text),
      ...{ isTerminal: stdout.isTTY === true, isExplained },
      columns: () => stdout.columns || 80,
    });
    if (finish) stdout.write(endingOf(finish, outputDir));
    if (finish?.reason !== "aborted") return 0;
    return exitCodes[stoppedBy ?? "SIGINT"];
  } finally {
    for (const name of names) process.off(name, stop);
  }
}

// What it has come to, and what to do next.
function endingOf(finish: FinishEvent, outputDir: string): string {
  const { finalModelDir, step, bestStep, baseValidationLoss, bestValidationLoss } = finish;
  if (finalModelDir === undefined) return step > 0 ? `go on with: fledge resume ${outputDir}\n` : "";
  const losses = `validation loss ${formatLoss(baseValidationLoss)} before training, ${formatLoss(bestValidationLoss)} at its best, step ${bestStep}`;
  return `${losses}; curves in ${join(finalModelDir, "training_plot.html")}
next: fledge generate ${finalModelDir} "The" · fledge eval ${finalModelDir}
`;
}

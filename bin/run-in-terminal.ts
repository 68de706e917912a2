/**
 * A training run on the command line. In: a stream of events that listens to a signal. Out: what is shown while it runs, and
 * the exit code. Ctrl-C (or SIGTERM) stops the run after the step under way, with a checkpoint; a second one stops at once.
 */
import type { TrainEvent } from "../src/train/events.js";
import { followInTerminal } from "../src/view/terminal.js";

// 128 + the number of the signal, as shells have it.
const exitCodes = { SIGINT: 130, SIGTERM: 143 } as const;
type Stop = keyof typeof exitCodes;

/**
 * Follows a run to its end.
 *
 * @param begin starts the run; aborting the signal stops it in order
 * @returns 0 when the run ended by itself, 130 after Ctrl-C, 143 after SIGTERM
 */
export async function runInTerminal(begin: (signal: AbortSignal) => AsyncIterable<TrainEvent>): Promise<number> {
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
      isTerminal: stdout.isTTY === true,
      columns: () => stdout.columns || 80,
    });
    if (finish?.reason !== "aborted") return 0;
    return exitCodes[stoppedBy ?? "SIGINT"];
  } finally {
    for (const name of names) process.off(name, stop);
  }
}

/**
 * The run log: one event a line, in `events.jsonl` of the output folder. In: events as they come. Out: the same stream, kept
 * on disk, and the events of earlier processes when a run resumes. It draws nothing and knows no engine.
 */
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, writeFileAtomic } from "../files.js";
import { problem } from "../message.js";
import type { TrainEvent } from "./events.js";

/** Name of the run log in `outputDir`: one event a line. */
const logName = "events.jsonl";

/** A log that is open for the events of a run. */
export interface RunLog {
  /** What the run said up to the checkpoint it resumes from. */
  readonly history: readonly TrainEvent[];
  append(event: TrainEvent): Promise<void>;
}

/** Opens the log of a run: a fresh run starts a new one, a resumed one drops what was logged after its checkpoint. */
export async function openRunLog(outputDir: string, step: number): Promise<RunLog> {
  const file = join(outputDir, logName);
  const logged = step > 0 && (await exists(file)) ? await readRunLog(outputDir) : [];
  const history = logged.filter((event) => keepsFor(event, step));
  await writeFileAtomic(file, history.map(logLine).join(""));
  return { history, append: (event) => appendFile(file, logLine(event)) };
}

/** Passes events on, each logged first. Leaving the loop reaches the trainer, which then writes its checkpoint. */
export async function* logged<Result>(
  events: AsyncGenerator<TrainEvent, Result>,
  log: RunLog,
): AsyncGenerator<TrainEvent, Result> {
  let finished = false;
  try {
    while (true) {
      const next = await events.next();
      if (next.done) {
        finished = true;
        return next.value;
      }
      await log.append(next.value);
      yield next.value;
    }
  } finally {
    if (!finished) await events.return(undefined as never);
  }
}

/**
 * Reads the events of a run back, those of before an interruption included.
 *
 * @param outputDir the run's `outputDir`
 * @throws RangeError when no run has written there
 */
export async function readRunLog(outputDir: string): Promise<TrainEvent[]> {
  const file = join(outputDir, logName);
  if (!(await exists(file))) {
    const fix = "run train() first, or give the outputDir of a run";
    throw new RangeError(problem({ cannot: `read the run log of ${outputDir}`, found: "none", expected: file, fix }));
  }
  // What follows the last line break is empty, or a line that a killed process did not finish.
  const lines = (await readFile(file, "utf8")).split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as TrainEvent);
}

function logLine(event: TrainEvent): string {
  return `${JSON.stringify(event)}\n`;
}

function keepsFor(event: TrainEvent, step: number): boolean {
  return "step" in event && event.type !== "finish" && event.step <= step;
}

/**
 * Follows a training run in a terminal or a pipe. In: the stream of events. Out: on a terminal one moving line with a bar,
 * below what stays; in a pipe a plain line every so often, without control codes. It changes nothing in the run and ends no
 * process. What is shown in a notebook is live.ts's business.
 */
import type { FinishEvent, PreflightEvent, TrainEvent } from "../train/events.js";
import { busyClock } from "./busy.js";
import { engineWords, lineOf, noteOf, wholeSeconds } from "./lines.js";
import { type Progress, progressAfter, progressLine, progressShare } from "./progress.js";

/** Where to show a run, and how. */
export interface TerminalOptions {
  readonly write: (text: string) => void;
  /** Whether the line may move; else only whole lines are written. */
  readonly isTerminal: boolean;
  /** Whether model, data and steps were said before; then the beginning of the run is its engine alone. Default false. */
  readonly isExplained?: boolean;
  /** Width in characters, asked at every drawing; default 80. */
  readonly columns?: () => number;
  /** The clock, in milliseconds; default `performance.now`. */
  readonly now?: () => number;
}

/** Shortest time between two drawings of the moving line, and between two progress lines in a pipe, in milliseconds. */
const drawEveryMs = 100;
const lineEveryMs = 10_000;

const barWidth = 20;

/**
 * Follows a run to its end.
 *
 * @returns its last event; undefined when the stream ended without one
 * @throws what the stream throws; the moving line is then cleared
 * @example
 * const screen = { write: (text) => process.stdout.write(text), isTerminal: process.stdout.isTTY };
 * await followInTerminal(train({ datasetName: "my-texts/", blockSize: 64, maxSteps: 2 }), screen);
 */
export async function followInTerminal(
  events: AsyncIterable<TrainEvent>,
  { write, isTerminal, isExplained = false, columns = () => 80, now = () => performance.now() }: TerminalOptions,
): Promise<FinishEvent | undefined> {
  let progress: Progress = {};
  let shownAt = now();
  const clear = () => (isTerminal ? write("\r\x1b[2K") : undefined);
  const draw = (shown = progress) => write(`\r\x1b[2K${statusLine(shown, columns() - 1)}`);
  const busy = busyClock((shown) => isTerminal && draw(shown), now);
  try {
    for await (const event of events) {
      progress = progressAfter(progress, event);
      busy.after(progress);
      // A log event says what the moving line, or the line of every ten seconds, says already.
      const said = noteOf(event) ?? (event.type === "log" ? undefined : lineOf(event, progress));
      const line = isExplained && event.type === "start" ? engineWords(event) : said;
      if (line !== undefined) {
        clear();
        write(`${line}\n`);
        const shorter = event.type === "preflight" && shorterRun(event, progress);
        if (shorter) write(`${shorter}\n`);
      }
      const isLate = now() - shownAt >= (isTerminal ? drawEveryMs : lineEveryMs);
      const isDue = isLate || (isTerminal && (line !== undefined || event.type === "compile"));
      if (event.type === "finish" || !isDue) continue;
      shownAt = now();
      if (isTerminal) draw();
      else if (event.type === "step" || progress.activity) write(`${progressLine(progress)}\n`);
    }
    return progress.finish;
  } finally {
    busy.stop();
    if (!progress.finish) clear();
  }
}

// Who waits for longer than this should know how to wait less.
const longSeconds = 15 * 60;

function shorterRun(event: PreflightEvent, { start }: Progress): string | undefined {
  const { measuredStepSeconds, estimatedEvaluationSeconds } = event;
  if (wholeSeconds(event) <= longSeconds || (start?.config.maxMinutes ?? 0) > 0) return undefined;
  // One evaluation before, one after.
  const steps = Math.floor((longSeconds - 2 * estimatedEvaluationSeconds) / measuredStepSeconds / 10) * 10;
  const stopped = "Ctrl-C stops at any time with a checkpoint, `fledge resume` goes on";
  return steps < 10 ? stopped : `for about ${longSeconds / 60} minutes instead: --max-steps ${steps}; ${stopped}`;
}

function statusLine(progress: Progress, width: number): string {
  const filled = Math.round(barWidth * progressShare(progress));
  const line = `${"█".repeat(filled)}${"░".repeat(barWidth - filled)} ${progressLine(progress)}`;
  const letters = [...line];
  return letters.length <= width ? line : `${letters.slice(0, Math.max(1, width - 1)).join("")}…`;
}

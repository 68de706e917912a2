/**
 * Watches a training run. In: the stream of events. Out: in a notebook one progress display and one chart that move
 * while the run goes on, in a terminal one line for what matters; at the end a summary with all events. It changes
 * nothing in the run: when it is interrupted it ends the stream (its `return()` is called and awaited) and redraws once.
 */
import { randomUUID } from "node:crypto";
import type { FinishEvent, TrainEvent } from "../train/events.js";
import { busyClock } from "./busy.js";
import { trainingFigure } from "./chart.js";
import { type Displayable, display, jupyterDisplay, notebookHook, notebookSignal } from "./display.js";
import { type Figure, figureBundle } from "./figure.js";
import { formatBytes, formatCount, formatDuration } from "./format.js";
import { lineOf, noteOf } from "./lines.js";
import { optimiserFigures } from "./optimiser-chart.js";
import { type Progress, progressAfter, progressDisplay } from "./progress.js";

/** How to watch; every field has a default. */
export interface WatchOptions {
  /** Stops watching, and with it the run, at the next event; default: the Stop button of the cell, in a notebook. */
  readonly signal?: AbortSignal;
  /** Shortest time between two updates of the displays, in milliseconds; default 500. */
  readonly minimumIntervalMs?: number;
  /** The clock, in milliseconds; default `performance.now`. */
  readonly now?: () => number;
  /** First part of the names of both displays; default random, so that two runs do not share a chart. */
  readonly displayId?: string;
  /** Where lines go; default standard output. */
  readonly print?: (line: string) => void;
}

/** What came out of a run; shows itself as its sentence. */
export interface TrainingSummary extends Displayable {
  /** Every event in order, but notices of downloads and compiling. */
  readonly events: readonly TrainEvent[];
  /** The run's last event; absent when the stream ended without one. */
  readonly finish?: FinishEvent;
  /** The chart of the run. */
  readonly figure: Figure;
  /** Validation loss before the first step and at its best, nats per token, as far as they were measured. */
  readonly baseValidationLoss?: number;
  readonly bestValidationLoss?: number;
  /** One sentence with the numbers above. */
  readonly description: string;
}

/**
 * Follows a run to its end and shows it on the way.
 *
 * @param events the stream, such as `train(config)`.
 * @param options signal, interval, clock and outlet; see WatchOptions.
 * @returns all events, the finish event, the chart and the best losses.
 * @throws what the stream throws, or the signal's reason when it is aborted; the displays are brought up to date first.
 * @example
 * const run = await watch(train({ datasetName: "my-texts/", blockSize: 64, maxSteps: 2 }));
 * run.bestValidationLoss;
 */
export async function watch(events: AsyncIterable<TrainEvent>, options: WatchOptions = {}): Promise<TrainingSummary> {
  const { now = () => performance.now(), minimumIntervalMs = 500, displayId = `training-${randomUUID()}` } = options;
  const print = options.print ?? ((line: string) => void process.stdout.write(`${line}\n`));
  const signal = options.signal ?? notebookSignal();
  const inNotebook = notebookHook() !== undefined;
  const seen: TrainEvent[] = [];
  let progress: Progress = {};
  let lastShown = Number.NEGATIVE_INFINITY;
  let broken = false;

  let hasProgress = false;
  // Hours of training must not end because a picture could not be shown; say it once and go on.
  const safely = (draw: () => void) => {
    try {
      draw();
    } catch (error) {
      const because = error instanceof Error ? error.message : String(error);
      if (!broken) print(`warning: the run goes on, but cannot be shown: ${because}`);
      broken = true;
    }
  };
  const showProgress = (shown: Progress) => {
    display(progressDisplay(shown), { displayId: `${displayId}-progress`, update: hasProgress });
    hasProgress = true;
  };
  const busy = busyClock((shown) => inNotebook && safely(() => showProgress(shown)), now);
  const show = (final: boolean) => {
    const update = lastShown !== Number.NEGATIVE_INFINITY;
    lastShown = now();
    safely(() => {
      showProgress(progress);
      // The PNG takes longer to draw than all the rest, so only the picture that stays has one.
      display(figureBundle(trainingFigure(seen), { png: final }), { displayId: `${displayId}-chart`, update });
      const { learningRate, gradientNorm } = optimiserFigures(seen);
      display(figureBundle(learningRate, { png: final }), { displayId: `${displayId}-rate`, update });
      display(figureBundle(gradientNorm, { png: final }), { displayId: `${displayId}-norm`, update });
    });
  };

  try {
    signal?.throwIfAborted();
    for await (const event of events) {
      const isNotice = event.type === "compile" || event.type === "download" || event.type === "tokenize";
      if (!isNotice) seen.push(event);
      progress = progressAfter(progress, event);
      busy.after(progress);
      const line = inNotebook ? noteOf(event) : (noteOf(event) ?? lineOf(event, progress));
      if (inNotebook && isNotice && progress.activity) safely(() => showProgress(progress));
      else if (inNotebook && seen.length > 0 && now() - lastShown >= minimumIntervalMs) show(false);
      if (line !== undefined) print(line);
      signal?.throwIfAborted();
    }
  } catch (error) {
    // In a notebook the run itself says so.
    if (!inNotebook && signal?.aborted && progress.step) {
      print(`stopped after step ${formatCount(progress.step.step)}; a checkpoint is saved: go on with resume: true`);
    }
    throw error;
  } finally {
    busy.stop();
    if (inNotebook && seen.length > 0) show(true);
  }
  return summaryOf(seen, progress);
}

function summaryOf(events: readonly TrainEvent[], { finish, bestValidationLoss }: Progress): TrainingSummary {
  const figure = trainingFigure(events);
  const base = events.find((event) => event.type === "evaluation" && event.step === 0);
  const baseLoss = finish?.baseValidationLoss ?? (base?.type === "evaluation" ? base.validationLoss : undefined);
  const bestLoss = finish?.bestValidationLoss ?? bestValidationLoss;
  const end = finish
    ? ` It took ${formatDuration(finish.seconds)} and at most ${formatBytes(finish.peakMemoryBytes)} of memory.${finish.finalModelDir ? ` The model is in ${finish.finalModelDir}.` : ""}`
    : "";
  const description = `${figure.description}${end}`;
  return {
    events,
    figure,
    description,
    ...(finish && { finish }),
    ...(baseLoss !== undefined && { baseValidationLoss: baseLoss }),
    ...(bestLoss !== undefined && { bestValidationLoss: bestLoss }),
    [jupyterDisplay]: () => ({ "text/plain": description }),
  };
}

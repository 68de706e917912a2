/**
 * One line that answers every question about a running training: how far, how good, how fast, how long, how big. In:
 * the events as they come. Out: a small record, its line of text, and a display with a bar for notebooks. It holds no
 * state of its own: each event turns one record into the next.
 */
import type { CompileEvent } from "../engine/watch-compile.js";
import type { EvaluationEvent, FinishEvent, StartEvent, StepEvent, TrainEvent } from "../train/events.js";
import { type Displayable, jupyterDisplay } from "./display.js";
import { escapeMarkup } from "./escape.js";
import { formatBytes, formatCount, formatDuration, formatLoss, formatShare } from "./format.js";

/** The newest of each kind of event. */
export interface Progress {
  readonly start?: StartEvent;
  readonly step?: StepEvent;
  readonly evaluation?: EvaluationEvent;
  /** Lowest validation loss so far, nats per token. */
  readonly bestValidationLoss?: number;
  readonly finish?: FinishEvent;
  /** What the run is busy with before it can go on, in words; absent while it trains. */
  readonly activity?: string;
  /** How long it has been busy with it, where someone counts. */
  readonly activitySeconds?: number;
}

/**
 * The record after one more event.
 *
 * @param progress the record before it; `{}` at the start.
 * @param event the event.
 * @returns a new record.
 * @example
 * progressAfter({}, { type: "warning", message: "slow disk" }); // {}
 */
export function progressAfter(
  { activity: _, activitySeconds: __, ...progress }: Progress,
  event: TrainEvent,
): Progress {
  const activity = activityOf(event);
  if (activity !== undefined) return { ...progress, activity };
  if (event.type === "start") return { start: event };
  if (event.type === "step") return { ...progress, step: event };
  if (event.type === "finish") return { ...progress, finish: event };
  if (event.type !== "evaluation") return progress;
  const best = Math.min(progress.bestValidationLoss ?? Number.POSITIVE_INFINITY, event.validationLoss);
  return { ...progress, evaluation: event, ...(Number.isFinite(best) && { bestValidationLoss: best }) };
}

/**
 * The line.
 *
 * @param progress the record.
 * @returns share, step, epoch, loss, validation loss, speed, time left and memory, as far as they are known.
 * @example
 * progressLine({}); // "starting"
 */
export function progressLine(progress: Progress): string {
  const { start, step, evaluation, bestValidationLoss, finish } = progress;
  const { done, total } = steps(progress);
  const { activity, activitySeconds = 0 } = progress;
  const busy = activity && `${activity}${activitySeconds >= 1 ? ` ${formatDuration(activitySeconds)}` : ""}`;
  if (total === 0) return busy ?? "starting";
  const parts = [`${formatShare(done, total)}`, `step ${formatCount(done)} of ${formatCount(total)}`];
  if (step) parts.push(`epoch ${step.epoch.toFixed(2)}`, `loss ${formatLoss(step.loss)}`);
  if (evaluation) {
    const best = bestValidationLoss !== undefined && bestValidationLoss < evaluation.validationLoss;
    parts.push(
      `validation loss ${formatLoss(evaluation.validationLoss)}${best ? ` (best ${formatLoss(bestValidationLoss)})` : ""}`,
    );
  }
  if (step) parts.push(`${formatCount(step.tokensPerSecond)} tokens/s`);
  if (finish)
    parts.push(
      `${endings[finish.reason]} after ${formatDuration(finish.seconds)}`,
      `peak memory ${formatBytes(finish.peakMemoryBytes)}`,
    );
  else if (busy) parts.push(busy);
  else if (step) parts.push(`${formatDuration(step.etaSeconds)} left`, formatBytes(step.memoryBytes));
  else if (start) parts.push(evaluation ? "first step" : "evaluating the model before training");
  return parts.join(" · ");
}

/**
 * What a run is busy with, in words.
 *
 * @returns undefined for events that end a wait or have nothing to do with one
 * @example
 * activityOf({ type: "compile", phase: "start", program: "step" }); // "compiling the training step…"
 */
export function activityOf(event: TrainEvent): string | undefined {
  switch (event.type) {
    case "compile":
      return event.phase === "start" ? `compiling ${programInWords(event)}…` : undefined;
    case "download":
      return `downloading ${event.file} of ${event.repository}: ${formatBytes(event.receivedBytes)} of ${formatBytes(event.totalBytes)}`;
    case "tokenize":
      return `turning texts into tokens: ${formatCount(event.documents)} documents, ${formatCount(event.tokens)} tokens`;
    default:
      return undefined;
  }
}

/** A program by what it is for. */
export function programInWords({ program }: CompileEvent): string {
  if (program === "step" || program.startsWith("accumulate")) return "the training step";
  if (program === "evaluate") return "the evaluation";
  return program === "products" ? "a test of speed" : `the program "${program}"`;
}

/**
 * The line as a display: text, and for notebooks the same with a progress bar that screen readers know.
 *
 * @param progress the record.
 * @returns a displayable with text/plain and text/html.
 * @example
 * display(progressDisplay({}), { displayId: "run" });
 */
export function progressDisplay(progress: Progress): Displayable {
  const line = progressLine(progress);
  const { done, total } = steps(progress);
  const bar = `<progress max="${Math.max(1, total)}" value="${done}" aria-label="training progress" style="width: 100%"></progress>`;
  const html = `<div>${bar}<div style="font-variant-numeric: tabular-nums">${escapeMarkup(line)}</div></div>`;
  return { [jupyterDisplay]: () => ({ "text/html": html, "text/plain": line }) };
}

/** How much of a run is done, 0 to 1. */
export function progressShare(progress: Progress): number {
  const { done, total } = steps(progress);
  return total > 0 ? done / total : 0;
}

const endings: Readonly<Record<FinishEvent["reason"], string>> = {
  completed: "completed",
  "early-stopping": "stopped early",
  "time-limit": "out of time",
  aborted: "stopped by hand",
};

function steps({ start, step, finish }: Progress): { done: number; total: number } {
  const total = step?.totalSteps ?? start?.totalSteps ?? 0;
  return { done: finish?.step ?? step?.step ?? start?.resumedFromStep ?? 0, total };
}

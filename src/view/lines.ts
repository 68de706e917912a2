/**
 * Events in words: one line each for those that a person should read. In: an event, the progress after it. Out: a line, or
 * nothing. It prints nothing; live.ts and terminal.ts do.
 */
import type { PreflightEvent, StartEvent, TrainEvent } from "../train/events.js";
import { formatBytes, formatCount, formatDuration, formatLoss, formatNumber } from "./format.js";
import { type Progress, programInWords, progressLine } from "./progress.js";

/** What everyone should see, wherever the run is watched; undefined for the rest. */
export function noteOf(event: TrainEvent): string | undefined {
  if (event.type === "warning") return `warning: ${event.message}`;
  if (event.type === "preflight") return preflightNote(event);
  if (event.type === "skipped") return `step ${formatCount(event.step)} refused: ${event.reason}`;
  if (event.type === "spike") {
    return `step ${formatCount(event.step)}: loss ${formatLoss(event.loss)} is a spike, usual is ${formatLoss(event.meanLoss)} (z-score ${event.zScore.toFixed(1)})`;
  }
  if (event.type === "out-of-memory") {
    return `step ${formatCount(event.step)}: memory ran out; going on with micro-batches of ${event.microBatchSize}, ${event.microBatches} a step`;
  }
  if (event.type === "sample") return `sample at step ${formatCount(event.step)}: ${event.prompt}│${event.text}`;
  return undefined;
}

function preflightNote(event: PreflightEvent): string {
  const { predictedBytes, measuredBytes, predictedStepSeconds, measuredStepSeconds } = event;
  const { totalSteps, evaluations } = event;
  const time = `a step takes ${formatNumber(measuredStepSeconds)} s (predicted ${formatNumber(predictedStepSeconds)} s)`;
  const all = `${formatCount(totalSteps)} steps and ${formatCount(evaluations)} evaluations about ${formatDuration(wholeSeconds(event))}`;
  return `preflight: ${time}, ${all}; two steps took ${formatBytes(measuredBytes)} (predicted for the whole run: ${formatBytes(predictedBytes)})`;
}

/** What a run will take by what its preflight has measured. */
export function wholeSeconds(event: PreflightEvent): number {
  const { totalSteps, measuredStepSeconds, evaluations, estimatedEvaluationSeconds } = event;
  return totalSteps * measuredStepSeconds + evaluations * estimatedEvaluationSeconds;
}

/** What a terminal says of an event, notes left out; undefined where it says nothing. */
export function lineOf(event: TrainEvent, progress: Progress): string | undefined {
  switch (event.type) {
    case "start":
      return [
        `training ${event.modelName} (${formatCount(event.parameters)} parameters) on ${event.datasetName}`,
        `${formatCount(event.trainTokens)} tokens for training, ${formatCount(event.validationTokens)} for validation`,
        `${formatCount(event.totalSteps)} steps of ${formatCount(event.tokensPerStep)} tokens`,
        engineWords(event),
        ...(event.resumedFromStep > 0 ? [`resumed from step ${formatCount(event.resumedFromStep)}`] : []),
      ].join(" · ");
    case "log":
      return progressLine(progress);
    case "evaluation": {
      const best = event.isBest
        ? ", best so far"
        : `, no better for ${formatCount(event.evaluationsWithoutImprovement)}`;
      return `evaluation at step ${formatCount(event.step)}: validation loss ${formatLoss(event.validationLoss)}, perplexity ${event.perplexity.toFixed(1)}, ${event.bitsPerByte.toFixed(3)} bits per byte${event.step === 0 ? " (before training)" : best}`;
    }
    case "compile":
      // Shorter ones nobody has noticed.
      return (event.seconds ?? 0) >= 1
        ? `compiled ${programInWords(event)} in ${formatDuration(event.seconds ?? 0)}`
        : undefined;
    case "checkpoint":
      return `checkpoint at step ${formatCount(event.step)}: ${event.folder}${event.isBest ? " (best)" : ""}`;
    case "finish":
      return `${progressLine(progress)}${event.finalModelDir ? ` · model saved in ${event.finalModelDir}` : ""}`;
    default:
      return undefined;
  }
}

/** Which engine computes and why. */
export function engineWords({ engine, engineReason }: StartEvent): string {
  return engineReason.startsWith(`${engine}:`) ? `engine ${engineReason}` : `engine ${engine} (${engineReason})`;
}

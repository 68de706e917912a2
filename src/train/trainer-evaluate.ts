/**
 * Measures a model on held-out text. In: a compiled evaluation, packed blocks. Out: nats per token, perplexity, bits per
 * byte, and the run's record of its best. It decides nothing about when to measure or when to stop.
 */
import { evaluationBatches } from "../data/batches.js";
import type { PackedBlocks } from "../data/pack.js";
import { problem } from "../message.js";
import type { EvaluationEvent } from "./events.js";
import type { compileEvaluation } from "./optimizer.js";
import type { RunPlan } from "./plan.js";
import { calmerSettings, type Progress, type TrainingRun } from "./trainer-run.js";

/** The summed loss of one micro-batch in nats. */
export type Evaluate = Awaited<ReturnType<typeof compileEvaluation>>;

/**
 * Evaluates a run where it stands and brings its progress up to date.
 *
 * @throws RangeError when the loss is not finite
 */
export async function evaluateRun(
  run: TrainingRun,
  plan: RunPlan,
  progress: Progress,
  evaluate: Evaluate,
): Promise<EvaluationEvent> {
  const { validation, config } = run;
  const { loss: validationLoss } = await meanLoss(evaluate, validation, progress.microBatchSize);
  if (!Number.isFinite(validationLoss)) {
    const damaged = "choose another model: the weights of this one are damaged";
    throw new RangeError(
      problem({
        cannot: `evaluate the model at step ${progress.step}`,
        found: `validation loss ${validationLoss}`,
        expected: "a finite number",
        fix: progress.step === 0 ? damaged : calmerSettings(config),
      }),
    );
  }
  const isBest = validationLoss < progress.best.validationLoss;
  if (isBest) progress.best = { step: progress.step, validationLoss };
  const isImproved = validationLoss < progress.improvedLoss - config.minDelta;
  if (isImproved) progress.improvedLoss = validationLoss;
  progress.evaluationsWithoutImprovement = isImproved ? 0 : progress.evaluationsWithoutImprovement + 1;
  progress.lastLoss = validationLoss;
  if (progress.step === 0) progress.baseLoss = validationLoss;
  progress.evaluatedStep = progress.step;
  return {
    type: "evaluation",
    step: progress.step,
    epoch: progress.step / plan.perEpoch,
    validationLoss,
    ...readableLoss(validationLoss, validation),
    isBest,
    evaluationsWithoutImprovement: progress.evaluationsWithoutImprovement,
  };
}

/** Mean loss over blocks, in nats per token, and the number of tokens it was measured on. */
export async function meanLoss(
  evaluate: Awaited<ReturnType<typeof compileEvaluation>>,
  blocks: PackedBlocks,
  batchSize: number,
): Promise<{ loss: number; tokens: number }> {
  let nats = 0;
  let tokens = 0;
  for (const batch of evaluationBatches(blocks, { batchSize })) {
    nats += await evaluate(batch);
    tokens += batch.targetCount;
  }
  return { loss: nats / tokens, tokens };
}

/**
 * A loss in the other two units that people compare.
 *
 * @param loss nats per token
 * @returns perplexity = e^loss; bits per byte = loss / ln 2 × tokens / bytes, comparable between tokenizers
 */
export function readableLoss(loss: number, blocks: PackedBlocks): { perplexity: number; bitsPerByte: number } {
  const bitsPerByte = (loss / Math.LN2) * (blocks.sourceTokens / blocks.textBytes);
  return { perplexity: Math.exp(loss), bitsPerByte };
}

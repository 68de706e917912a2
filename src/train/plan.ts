/**
 * What a run is going to do, before it does it. In: the knobs and how many blocks there are to train on. Out: steps, tokens
 * of an update, the steps at which it evaluates, when early stopping can first end it. Pure arithmetic: the trainer, the
 * explanation and the checks all take it from here.
 */
import type { TrainingConfig } from "../config/training-config.js";

/** The course of a run. */
export interface RunPlan {
  /** Optimiser steps of one pass over the training text. */
  readonly perEpoch: number;
  /** Optimiser steps of the whole run, unless early stopping or `maxMinutes` ends it. */
  readonly total: number;
  /** Tokens of a full accumulation window. */
  readonly tokensPerStep: number;
  /** Steps after which the run is evaluated, ascending, from 0 (before training) to the last. */
  readonly evaluationSteps: ReadonlySet<number>;
  /** The first step after which early stopping may end the run; absent when it cannot before the last step. */
  readonly earliestStop?: number;
}

/** The knobs that decide the course. */
export type PlanKnobs = Pick<
  TrainingConfig,
  | "batchSize"
  | "blockSize"
  | "earlyStoppingPatience"
  | "evaluateEverySteps"
  | "evaluationsPerEpoch"
  | "gradientAccumulation"
  | "maxSteps"
  | "numEpochs"
>;

/**
 * Plans a run.
 *
 * @param trainBlocks blocks of the training text
 * @example
 * planRun(resolveConfig({ numEpochs: 2 }), 800).total; // 200: 800 blocks an epoch, 4 × 2 a step
 */
export function planRun(knobs: PlanKnobs, trainBlocks: number): RunPlan {
  const { batchSize, gradientAccumulation, blockSize, numEpochs, maxSteps, earlyStoppingPatience } = knobs;
  const perEpoch = Math.ceil(Math.ceil(trainBlocks / batchSize) / gradientAccumulation);
  const all = perEpoch * numEpochs;
  const total = maxSteps > 0 ? Math.min(all, maxSteps) : all;
  const steps = evaluationSteps(knobs, perEpoch, total);
  const earliestStop = earlyStoppingPatience > 0 ? steps[earlyStoppingPatience] : undefined;
  return {
    perEpoch,
    total,
    tokensPerStep: batchSize * gradientAccumulation * blockSize,
    evaluationSteps: new Set(steps),
    ...(earliestStop !== undefined && earliestStop < total && { earliestStop }),
  };
}

function evaluationSteps(
  { evaluateEverySteps, evaluationsPerEpoch }: PlanKnobs,
  perEpoch: number,
  total: number,
): number[] {
  const steps = new Set([0]);
  const every = evaluateEverySteps > 0 ? evaluateEverySteps : perEpoch / evaluationsPerEpoch;
  for (let k = 1; Math.round(k * every) < total; k++) {
    if (Math.round(k * every) > 0) steps.add(Math.round(k * every));
  }
  return [...steps, total];
}

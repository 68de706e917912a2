/**
 * Knobs that cannot all hold. In: a complete configuration, and later the model and the data it meets. Out: nothing, or the
 * error that names both numbers and the knob to change. Values of single knobs are checked before, in config.ts.
 */
import { problem } from "../message.js";
import type { RunPlan } from "../train/plan.js";
import type { TrainingConfig } from "./training-config.js";

/**
 * Contradictions that show without model and data.
 *
 * @throws RangeError saying which knob to change
 */
export function checkKnobsTogether(config: TrainingConfig): void {
  const { validationFraction, testFraction, warmupSteps, maxSteps, evaluateEverySteps, keepBest } = config;
  if (validationFraction + testFraction >= 1) {
    throw new RangeError(
      problem({
        cannot: "split the dataset",
        found: `validationFraction ${validationFraction} and testFraction ${testFraction}`,
        expected: "a sum below 1, so that something is left to train on",
        fix: "set validationFraction: 0.1 and testFraction: 0.1",
      }),
    );
  }
  if (config.loraRank > 0 && config.initialWeights === "random") {
    throw new RangeError(
      problem({
        cannot: `use loraRank: ${config.loraRank}`,
        found: 'initialWeights "random", which adapters would leave random',
        expected: "pretrained weights beside adapters",
        fix: 'set initialWeights: "pretrained", or loraRank: 0',
      }),
    );
  }
  if (maxSteps > 0) checkWarmup(warmupSteps, maxSteps);
  if (keepBest && evaluateEverySteps === 0 && config.evaluationsPerEpoch * config.numEpochs < 1) {
    throw noEvaluation(`evaluationsPerEpoch ${config.evaluationsPerEpoch}`, "evaluationsPerEpoch: 2");
  }
  if (keepBest && maxSteps > 0 && evaluateEverySteps > maxSteps) {
    throw noEvaluation(`evaluateEverySteps ${evaluateEverySteps} in ${maxSteps} steps`, evaluateSooner(maxSteps));
  }
  if (evaluateEverySteps === 0) checkEvaluationsOfEpochs(config);
}

// The first evaluation nearly always improves on the base model, so stopping takes one more than the patience.
function checkEvaluationsOfEpochs({ earlyStoppingPatience, evaluationsPerEpoch, numEpochs }: TrainingConfig): void {
  const evaluations = Math.floor(evaluationsPerEpoch * numEpochs + 1e-9);
  if (earlyStoppingPatience === 0 || earlyStoppingPatience + 1 < evaluations) return;
  const more = Math.floor((earlyStoppingPatience + 1) / numEpochs) + 1;
  throw cannotStop(earlyStoppingPatience, evaluations, `evaluationsPerEpoch: ${more}`);
}

/**
 * Contradictions between the knobs and the model's positions.
 *
 * @throws RangeError when a block is longer than the model can look at
 */
export function checkPositions({ blockSize, modelName }: TrainingConfig, positions: number): void {
  if (blockSize <= positions) return;
  throw new RangeError(
    problem({
      cannot: `use blockSize: ${blockSize}`,
      found: `a model "${modelName}" of ${positions} positions`,
      expected: `at most ${positions}`,
      fix: `set blockSize: ${positions}`,
    }),
  );
}

/**
 * Contradictions between the knobs and the amount of training text. A run that `maxSteps` or `maxMinutes` cuts short on
 * purpose may have too few evaluations for early stopping; its explanation says so.
 *
 * @param trainBlocks blocks of the training text
 * @throws RangeError saying which knob to change
 */
export function checkPlan(config: TrainingConfig, plan: RunPlan, trainBlocks: number): void {
  const { batchSize, warmupSteps, earlyStoppingPatience, evaluateEverySteps, keepBest, maxSteps, maxMinutes } = config;
  if (batchSize > trainBlocks) {
    throw new RangeError(
      problem({
        cannot: `use batchSize: ${batchSize}`,
        found: `${trainBlocks} blocks of training text`,
        expected: `at most ${trainBlocks}`,
        fix: `set batchSize: ${trainBlocks}, a smaller blockSize, or give more text`,
      }),
    );
  }
  checkWarmup(warmupSteps, plan.total);
  if (keepBest && evaluateEverySteps > plan.total) {
    const found = `evaluateEverySteps ${evaluateEverySteps} in ${plan.total} steps`;
    throw noEvaluation(found, evaluateSooner(plan.total));
  }
  const isCutShort = maxSteps > 0 || maxMinutes > 0;
  const evaluations = plan.evaluationSteps.size - 1;
  if (earlyStoppingPatience === 0 || isCutShort || earlyStoppingPatience + 1 < evaluations) return;
  const every = Math.max(1, Math.floor(plan.total / (earlyStoppingPatience + 2)));
  throw cannotStop(earlyStoppingPatience, evaluations, `evaluateEverySteps: ${every}`);
}

function checkWarmup(warmupSteps: number, totalSteps: number): void {
  if (warmupSteps < totalSteps) return;
  throw new RangeError(
    problem({
      cannot: `use warmupSteps: ${warmupSteps}`,
      found: `a run of ${totalSteps} steps, which would never reach its learning rate`,
      expected: `fewer than ${totalSteps}`,
      fix: `set warmupSteps: ${Math.floor(totalSteps / 10)}`,
    }),
  );
}

function cannotStop(patience: number, evaluations: number, more: string): RangeError {
  return new RangeError(
    problem({
      cannot: `use earlyStoppingPatience: ${patience}`,
      found: `${evaluations} ${evaluations === 1 ? "evaluation" : "evaluations"} in the whole run, so that it could never stop early`,
      expected: `more than ${patience + 1} evaluations`,
      fix: `set ${more}, or earlyStoppingPatience: 0 to run all epochs`,
    }),
  );
}

function noEvaluation(found: string, sooner: string): RangeError {
  return new RangeError(
    problem({
      cannot: "keep the best weights",
      found: `no evaluation on the way: ${found}`,
      expected: "at least one evaluation to choose by",
      fix: `set ${sooner}, or keepBest: false to keep the last weights`,
    }),
  );
}

function evaluateSooner(totalSteps: number): string {
  return `evaluateEverySteps: ${Math.max(1, Math.floor(totalSteps / 4))}`;
}

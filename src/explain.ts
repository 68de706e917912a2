/**
 * Says what a run will do before it does it. In: knobs, or a run that is prepared. Out: one sentence a topic, and the
 * numbers in them. It opens no engine and writes nothing.
 */
import { availableMemory } from "./available-memory.js";
import type { TrainingConfig } from "./config.js";
import { choosePrecision } from "./engine/choose.js";
import { type Gpt2Config, parameterCount } from "./model/gpt2-config.js";
import { type PreparedRun, type PrepareOptions, prepareRun } from "./prepare.js";
import { predictedMemory } from "./train/preflight.js";
import { type Displayable, jupyterDisplay } from "./view/display.js";
import { formatBytes, formatCount } from "./view/format.js";

/** What a run will do; shows itself as its lines. */
export interface Explanation extends Displayable {
  readonly totalSteps: number;
  readonly stepsPerEpoch: number;
  readonly tokensPerStep: number;
  /** Evaluations, the one before the first step included. */
  readonly evaluations: number;
  /** The step after which early stopping can first end the run; absent when it cannot. */
  readonly earliestStop?: number;
  /** Predicted peak memory. */
  readonly memoryBytes: number;
  /** Size of one checkpoint: weights and Adam's two moments. */
  readonly checkpointBytes: number;
  /** Most that checkpoints and the finished model take on disk at once. */
  readonly diskBytes: number;
  readonly lines: readonly string[];
}

/**
 * Explains a run: model and data are loaded, nothing is trained.
 *
 * @param settings knobs to change
 * @param options texts that are already in memory, and whom to tell about downloads
 * @throws what `train` would throw for these settings before it begins
 * @example
 * (await explainConfig({ numEpochs: 1, evaluationsPerEpoch: 4 })).totalSteps;
 */
export async function explainConfig(
  settings: Partial<TrainingConfig> = {},
  options: PrepareOptions = {},
): Promise<Explanation> {
  return explainRun(await prepareRun(settings, options));
}

/** Explains a run that is prepared. */
export function explainRun(run: PreparedRun): Explanation {
  const { config, model, plan } = run;
  const checkpointBytes = 3 * weightBytes(model.config);
  // The best, the last, and the one that is being written; then the finished model.
  const diskBytes = 3 * checkpointBytes + weightBytes(model.config);
  const memoryBytes = predictedMemory(model.config, config, choosePrecision(config.mixedPrecision).precision);
  const evaluations = plan.evaluationSteps.size;
  const lines = [
    modelAndData(run),
    stepsLine(run),
    rateLine(run),
    evaluationLine(run),
    stoppingLine(run),
    ...(config.preflight ? ["time: two steps, measured before the first one, will tell"] : []),
    `memory: about ${formatBytes(memoryBytes)} at the peak (predicted), ${formatBytes(availableMemory())} are free`,
    `checkpoints: ${formatBytes(checkpointBytes)} each, at most ${formatBytes(diskBytes)} on disk, in ${config.outputDir}; the finished model in ${config.finalModelDir}`,
  ];
  return {
    totalSteps: plan.total,
    stepsPerEpoch: plan.perEpoch,
    tokensPerStep: plan.tokensPerStep,
    evaluations,
    ...(plan.earliestStop !== undefined && { earliestStop: plan.earliestStop }),
    ...{ memoryBytes, checkpointBytes, diskBytes, lines },
    [jupyterDisplay]: () => ({ "text/plain": lines.join("\n") }),
  };
}

function times(count: number): string {
  return count === 1 ? "once" : `${formatCount(count)} times`;
}

function weightBytes(config: Gpt2Config): number {
  return parameterCount(config) * Float32Array.BYTES_PER_ELEMENT;
}

function modelAndData({ config, model, data }: PreparedRun): string {
  const { train, validation, dataset } = data;
  const start = config.initialWeights === "random" ? ", from random weights" : "";
  return `model: ${config.modelName}, ${formatCount(parameterCount(model.config))} parameters${start}; data: ${dataset.name}, ${formatCount(train.sourceTokens)} tokens to train on and ${formatCount(validation.sourceTokens)} to validate`;
}

function stepsLine({ config, plan }: PreparedRun): string {
  const { batchSize, blockSize, gradientAccumulation, maxMinutes } = config;
  const epochs = plan.total / plan.perEpoch;
  const batches = `${batchSize} × ${formatCount(blockSize)}${gradientAccumulation > 1 ? `, ${gradientAccumulation} times` : ""}`;
  const limit = maxMinutes > 0 ? `, or until ${formatCount(maxMinutes)} minutes are over` : "";
  return `steps: ${formatCount(plan.total)} in ${Number(epochs.toFixed(2))} ${epochs === 1 ? "epoch" : "epochs"} of ${formatCount(plan.perEpoch)}, each of ${formatCount(plan.tokensPerStep)} tokens (${batches})${limit}`;
}

// Below this many parameters the guide's rate, which is that of larger models, learns slowly.
const smallParameters = 20e6;

function rateLine({ config, model, plan: { total } }: PreparedRun): string {
  const { learningRate, schedule, warmupSteps, decayFraction } = config;
  const warmup = warmupSteps > 0 ? `, after ${formatCount(warmupSteps)} steps of warm-up` : "";
  const isSlow = learningRate < 1e-4 && parameterCount(model.config) < smallParameters;
  const slow = isSlow ? " (a model as small as this learns faster with 1e-3)" : "";
  const shapes = {
    linear: "falling in a straight line to 0",
    cosine: "falling along a cosine to 0",
    constant: "constant",
    wsd: `constant, falling to 0 in the last ${formatCount(Math.max(1, Math.round(total * decayFraction)))} steps`,
  };
  return `learning rate: ${learningRate < 1e-3 ? learningRate.toExponential() : learningRate}, ${shapes[schedule]}${warmup}${slow}`;
}

function evaluationLine({ config, plan }: PreparedRun): string {
  const [, first = plan.total, second] = [...plan.evaluationSteps];
  const every = second === undefined ? "" : `, about every ${formatCount(second - first)} steps`;
  const kept = config.keepBest ? "the best and the last weights are kept" : "the last weights are kept";
  return `evaluations: ${formatCount(plan.evaluationSteps.size)}, before the first step, then after step ${formatCount(first)}${every}; ${kept}`;
}

function stoppingLine({ config, plan }: PreparedRun): string {
  const { earlyStoppingPatience, minDelta } = config;
  if (earlyStoppingPatience === 0) return "early stopping: off";
  if (plan.earliestStop === undefined) {
    return `early stopping: cannot fire, since the run is evaluated only ${times(plan.evaluationSteps.size - 1)} after a step and patience is ${earlyStoppingPatience}`;
  }
  const margin = minDelta > 0 ? ` of more than ${minDelta} nats` : "";
  return `early stopping: after ${earlyStoppingPatience} evaluations in a row without improvement${margin}, at step ${formatCount(plan.earliestStop)} at the earliest`;
}

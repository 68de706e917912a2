/**
 * What a training step takes on the machine it will run on: two steps made and refused, beside what was predicted. In: a run whose
 * engine holds its variables. Out: one event. Weights, moments and every later number of the run keep their bits.
 */
import * as tf from "@tensorflow/tfjs";
import type { TrainingConfig } from "../config/training-config.js";
import { batchesOf } from "../data/batches.js";
import type { Engine } from "../engine/engine.js";
import { sizeOf } from "../engine/program.js";
import { keyOf } from "../engine/random-numbers.js";
import { type Gpt2Config, weightShapes } from "../model/gpt2-config.js";
import type { PreflightEvent } from "./events.js";
import type { MicroBatch, TrainingSteps } from "./optimizer.js";
import type { RunPlan } from "./plan.js";
import type { Progress, TrainingRun } from "./trainer-run.js";

// A step of a small model spends about this share of its time in matrix products: docs/decisions.md.
const shareOfProducts = 0.5;
// Backward takes twice the forward pass.
const shareOfForward = 1 / 3;
const side = 512;
const products = 4;

/**
 * Floating-point operations of an optimiser step: 6 for each weight of a product and token, 6·T·C a layer and token for attention,
 * and a third more where blocks are computed again.
 */
export function stepFlops(model: Gpt2Config, config: TrainingConfig): number {
  const { blockSize: T, batchSize, gradientAccumulation, gradientCheckpointing } = config;
  const matrices = [...weightShapes(model)].filter(([name, { length }]) => length === 2 && !name.includes(".wpe."));
  // With a head of its own, the token embeddings are looked up and never multiplied.
  const multiplied = matrices.filter(([name]) => !(model.untiedHead && name.includes(".wte.")));
  const weights = multiplied.reduce((sum, [, shape]) => sum + sizeOf(shape), 0);
  const perToken = 6 * weights + 6 * T * model.width * model.layers;
  return perToken * (gradientCheckpointing ? 4 / 3 : 1) * batchSize * gradientAccumulation * T;
}

/**
 * Predicts the time of an optimiser step from its operations and the speed at which the engine multiplies.
 *
 * @returns seconds
 */
export async function predictSeconds(
  { engine, modelConfig, config, now }: Pick<TrainingRun, "engine" | "modelConfig" | "config" | "now">,
  size: number = side,
): Promise<number> {
  const rate = await productRate(engine, now, size);
  return stepFlops(modelConfig, config) / (rate * shareOfProducts);
}

// Floating-point operations a second: the best of three runs of a few square products, after one that warms up.
async function productRate(engine: Engine, now: () => number, size: number): Promise<number> {
  const scale = { scale: { shape: [], dtype: "float32" } } as const;
  const program = await engine.compile("products", scale, (inputs) => {
    let product = tf.mul(tf.ones([size, size]), inputs.scale) as tf.Tensor2D;
    for (let i = 0; i < products; i++) product = tf.matMul(product, product);
    return { mean: tf.mean(product) };
  });
  const seconds: number[] = [];
  for (let run = 0; run < 4; run++) {
    const began = now();
    await program.run({ scale: Float32Array.of(1 / size) });
    seconds.push((now() - began) / 1000);
  }
  return (products * 2 * size ** 3) / Math.min(...seconds.slice(1));
}

/** Most memory that was in use so far, in bytes: of the engine's device, where it has its own, else of this process. */
export function peakMemory(engine: Engine): number {
  return engine.deviceMemory?.()?.peak ?? process.resourceUsage().maxRSS * 1024;
}

/**
 * Makes two steps whose number of tokens is not a number: like every step that is not finite they change nothing.
 *
 * @param steps compiled for the micro-batch of `progress`
 * @returns what the second of them took, the first having compiled what it needs
 */
export async function measureSteps(
  run: TrainingRun,
  { microBatchSize }: Progress,
  steps: TrainingSteps,
  plan: RunPlan,
): Promise<PreflightEvent> {
  const { config, train, validation, now, preflight = { bytes: Number.NaN, seconds: Number.NaN } } = run;
  const blocks = Uint32Array.from({ length: Math.min(train.count, microBatchSize) }, (_, i) => i);
  const plain = [...batchesOf(train, blocks, microBatchSize)][0] as MicroBatch;
  const batch = config.dropout > 0 ? { ...plain, randomKey: Int32Array.from(keyOf(config.seed)) } : plain;
  const microBatches = Math.ceil((config.batchSize * config.gradientAccumulation) / microBatchSize);
  const refused = { step: 1, learningRate: 0, weightDecay: 0, clipNorm: 1, tokens: Number.NaN };
  let seconds = 0;
  for (let round = 0; round < 2; round++) {
    const began = now();
    if (microBatches > 1) await steps.accumulate(batch);
    const accumulated = now();
    await steps.step(batch, refused);
    seconds = ((accumulated - began) * (microBatches - 1) + (now() - accumulated)) / 1000;
  }
  return {
    type: "preflight",
    predictedBytes: preflight.bytes,
    measuredBytes: peakMemory(run.engine),
    predictedStepSeconds: preflight.seconds,
    measuredStepSeconds: seconds,
    totalSteps: plan.total,
    evaluations: plan.evaluationSteps.size,
    estimatedEvaluationSeconds: (seconds * shareOfForward * validation.count * config.blockSize) / plan.tokensPerStep,
  };
}

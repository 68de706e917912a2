/**
 * Whether a run fits into memory, before anything is allocated. In: the model's shape, the knobs, how much memory there is. Out:
 * the predicted peak, or a refusal with the smallest change that fits. The prediction itself is memory.ts; it measures nothing.
 */
import { availableMemory } from "../available-memory.js";
import type { TrainingConfig } from "../config.js";
import type { Precision } from "../engine/engine.js";
import { sizeOf } from "../engine/program.js";
import { problem } from "../message.js";
import { type Gpt2Config, parameterCount } from "../model/gpt2-config.js";
import { trainableOf } from "./lora.js";
import { estimateMemory } from "./memory.js";

// What a run holds beside a bare training step: its texts and tokenizers, and per layer the programs of evaluation and samples.
const besidesBytes = 93e6;
const programBytesPerLayer = 8e6;
// Rows and slots of the cache for the samples of the model card: decoder.ts rounds both up to powers of two.
const cardCache = { rows: 4, slots: 128 };

/**
 * Predicted peak memory of a whole run, in bytes: a training step, the caches of samples, and what a checkpoint copies to the
 * host (weights, moments, and in the end the best weights once more), for the allocator seldom gives back what a step took.
 */
export function predictedMemory(model: Gpt2Config, config: TrainingConfig, precision: Precision): number {
  const { batchSize, blockSize, gradientAccumulation, gradientCheckpointing, dropout } = config;
  const { samplePrompts, sampleTokens } = config;
  const trainable = trainableOf(model, config);
  const shape = { B: batchSize, T: blockSize, gradientCheckpointing, dropoutRate: dropout };
  const step = estimateMemory(model, shape, { precision, gradientAccumulation, trainable });
  const trained = [...trainable.shapes.values()].reduce((sum, dimensions) => sum + sizeOf(dimensions), 0);
  const rows = Math.max(samplePrompts.length, cardCache.rows);
  const slots = Math.min(2 * Math.max(sampleTokens, cardCache.slots / 2), 2 * model.positions);
  const besides = besidesBytes + programBytesPerLayer * model.layers;
  const caches = 2 * 4 * model.layers * rows * slots * model.width;
  return step.peakBytes + besides + caches + 8 * parameterCount(model) + 8 * trained;
}

/**
 * Refuses a run that would not fit.
 *
 * @param available bytes, as `availableMemory()` gives them; `memoryLimitGB` takes their place where it is set
 * @returns the predicted peak in bytes
 * @throws RangeError with the smallest change that fits: a smaller micro-batch of the same effective batch, then
 * checkpointing, then shorter blocks
 */
export function checkMemory(
  model: Gpt2Config,
  config: TrainingConfig,
  precision: Precision,
  available: number = availableMemory(),
): number {
  const limit = config.memoryLimitGB > 0 ? config.memoryLimitGB * 1e9 : available;
  const predicted = predictedMemory(model, config, precision);
  if (predicted <= limit) return predicted;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(2)} GB`;
  throw new RangeError(
    problem({
      cannot: `train with batchSize ${config.batchSize} and blockSize ${config.blockSize}`,
      found: `a predicted peak of ${gigabytes(predicted)}`,
      expected: `at most ${gigabytes(limit)}, ${config.memoryLimitGB > 0 ? "memoryLimitGB" : "what this machine has free"}`,
      fix: smallestChange(model, config, precision, limit),
    }),
  );
}

// Micro-batches change nothing but time, and less of it than checkpointing; shorter blocks change what is learned.
function smallestChange(model: Gpt2Config, config: TrainingConfig, precision: Precision, limit: number): string {
  const { batchSize, gradientAccumulation, blockSize } = config;
  const window = batchSize * gradientAccumulation;
  const half = (size: number, least: number): number[] => (size < least ? [] : [size, ...half(size >> 1, least)]);
  const batches = half(batchSize >> 1, 1).map((size) => ({
    batchSize: size,
    gradientAccumulation: Math.ceil(window / size),
  }));
  const checkpointed = config.gradientCheckpointing ? {} : { gradientCheckpointing: true };
  const least = { ...batches.at(-1), ...checkpointed };
  const all: Partial<TrainingConfig>[] = [
    ...batches,
    checkpointed,
    ...batches.map((batch) => ({ ...batch, ...checkpointed })),
    ...half(blockSize >> 1, 16).map((shorter) => ({ ...least, blockSize: shorter })),
  ];
  const found = all.find((changes) => predictedMemory(model, { ...config, ...changes }, precision) <= limit);
  if (!found) return "choose a smaller model, train adapters with loraRank: 8, or free memory";
  const words = Object.entries(found).map(([name, value]) => `${name}: ${value}`);
  const listed = [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
  return `set ${listed}${found.blockSize || !found.batchSize ? "" : ", the same effective batch"}`;
}

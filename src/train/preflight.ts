/**
 * Whether a run fits into memory, before anything is allocated. In: the model's shape, the knobs, how much memory there is. Out:
 * the predicted peak, or a refusal with the smallest change that fits. The prediction itself is memory.ts; it measures nothing.
 */
import { readFileSync } from "node:fs";
import { freemem } from "node:os";
import type { TrainingConfig } from "../config.js";
import type { Precision } from "../engine/engine.js";
import { problem } from "../message.js";
import type { Gpt2Config } from "../model/gpt2-config.js";
import { trainableOf } from "./lora.js";
import { estimateMemory } from "./memory.js";

/**
 * Memory that this process may still take: what the machine has free, or what a container's limit leaves.
 *
 * @param read gives the text of a file, undefined where there is none; default: the file system
 * @returns bytes
 */
export function availableMemory(read: (path: string) => string | undefined = readText): number {
  const free = Number(/^MemAvailable:\s+(\d+) kB/m.exec(read("/proc/meminfo") ?? "")?.[1] ?? Number.NaN) * 1024;
  // Version 2 of cgroups, then version 1; "max" and absurdly large numbers mean no limit.
  const limits = [
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"],
    ["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"],
  ].map(([limit, used]) => Number(read(limit as string) ?? Number.NaN) - Number(read(used as string) ?? 0));
  const known = [Number.isFinite(free) ? free : freemem(), ...limits.filter(Number.isFinite)];
  return Math.max(0, Math.min(...known));
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Predicted peak memory of a run, in bytes. */
export function predictedMemory(model: Gpt2Config, config: TrainingConfig, precision: Precision): number {
  const { batchSize, blockSize, gradientAccumulation } = config;
  const options = { precision, gradientAccumulation, trainable: trainableOf(model, config) };
  return estimateMemory(model, { B: batchSize, T: blockSize }, options).peakBytes;
}

/**
 * Refuses a run that would not fit.
 *
 * @param available bytes, as `availableMemory()` gives them; `memoryLimitGB` takes their place where it is set
 * @returns the predicted peak in bytes
 * @throws RangeError with the smallest change that fits: a smaller micro-batch of the same effective batch, then shorter blocks
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

function smallestChange(model: Gpt2Config, config: TrainingConfig, precision: Precision, limit: number): string {
  const fits = (changes: Partial<TrainingConfig>) =>
    predictedMemory(model, { ...config, ...changes }, precision) <= limit;
  const { batchSize, gradientAccumulation, blockSize } = config;
  const window = batchSize * gradientAccumulation;
  for (let smaller = Math.floor(batchSize / 2); smaller >= 1; smaller = Math.floor(smaller / 2)) {
    const changes = { batchSize: smaller, gradientAccumulation: Math.ceil(window / smaller) };
    if (fits(changes)) {
      return `set batchSize: ${changes.batchSize} and gradientAccumulation: ${changes.gradientAccumulation}, the same effective batch`;
    }
  }
  for (let shorter = Math.floor(blockSize / 2); shorter >= 16; shorter = Math.floor(shorter / 2)) {
    if (fits({ batchSize: 1, gradientAccumulation: window, blockSize: shorter })) {
      return `set batchSize: 1, gradientAccumulation: ${window} and blockSize: ${shorter}`;
    }
  }
  return "choose a smaller model, train adapters with loraRank: 8, or free memory";
}

/**
 * How much memory a training step will take, before anything is allocated. In: a model, the shape of a micro-batch, precision.
 * Out: bytes by what they are for. It measures nothing: the formula counts the arrays that gpt2.ts, attention.ts, loss.ts and
 * optimizer.ts keep at the same time; docs/decisions.md has it beside measured peaks.
 */
import type { Precision } from "../engine/engine.js";
import { sizeOf } from "../engine/program.js";
import { rowsOfBlock } from "../model/attention.js";
import { type Gpt2Config, weightShapes } from "../model/gpt2-config.js";
import { rowsPerChunk } from "../model/loss.js";
import type { BatchShape, Trainable } from "./optimizer.js";

/** What the estimate depends on beside the model and the micro-batch. */
export interface MemoryOptions {
  /** Default `float32`. */
  readonly precision?: Precision;
  /** Micro-batches an optimiser step; above 1, the sum of the gradients is kept. Default 1. */
  readonly gradientAccumulation?: number;
  /** Default: every weight. */
  readonly trainable?: Trainable;
}

/** Bytes of a training step at its peak, by what they are for. */
export interface MemoryEstimate {
  /** Node, TensorFlow and its code. */
  readonly runtimeBytes: number;
  /** The weights as they were read, which a run keeps on the host. */
  readonly hostBytes: number;
  /** Weights and moments, sums of gradients, and bfloat16 copies of the weights. */
  readonly stateBytes: number;
  /** What the forward pass keeps for the backward pass. */
  readonly activationBytes: number;
  /** What exists for a while on top: logits and the embedding's gradient, or all gradients at the end of a step. */
  readonly workBytes: number;
  readonly peakBytes: number;
}

// Resident size of a process that has opened TensorFlow 2.21 and run one step of a model of a few thousand weights.
const runtimeBytes = 420e6;
// TensorFlow's allocator hands out powers of its own, and leaves holes: 10 % on the shapes of the benchmark.
const holes = 1.1;

/**
 * Estimates the peak memory of training.
 *
 * With N = B·T, P weights, P′ of them trained, and 4-byte numbers: weights and moments take 4P + 8P′, a layer keeps 17·N·C
 * numbers (13.5 with bfloat16 products, whose inputs are kept in two bytes; with checkpointing only N·C, but one layer), a
 * chunk of n rows of logits takes 2·n·V (3·n·V), beside 2·V·C of the embedding's gradient; the end of a step takes P′ of
 * gradients instead. With dropout, the largest mask is there four times while it is drawn: N·C, or that of a block of
 * attention, of B·H·T·128.
 *
 * @param shape of a micro-batch
 * @example
 * estimateMemory(config, { B: 4, T: 512 }).peakBytes / 1e9; // 3.1 for distilgpt2
 */
export function estimateMemory(
  config: Gpt2Config,
  { B, T, gradientCheckpointing = false, dropoutRate = 0 }: BatchShape,
  { precision = "float32", gradientAccumulation = 1, trainable }: MemoryOptions = {},
): MemoryEstimate {
  const { width: C, vocabularySize: V, layers, heads: H } = config;
  const N = B * T;
  const narrow = precision === "bfloat16";
  const count = (shapes: ReadonlyMap<string, readonly number[]>) =>
    [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const P = count(weightShapes(config));
  const trained = trainable ? count(trainable.shapes) : P;
  const hostBytes = 4 * P;
  const sums = gradientAccumulation > 1 ? 4 * trained : 0;
  const stateBytes = 4 * P + 8 * trained + sums + (narrow ? 2 * P : 0);
  const ofLayer = 4 * N * C * (narrow ? 13.5 : 17);
  const activationBytes = gradientCheckpointing ? ofLayer + 4 * N * C * layers : ofLayer * layers;
  const logits = (narrow ? 3 : 2) * 4 * rowsPerChunk(N, V) * V;
  const loss = logits + 8 * V * C;
  const masks = dropoutRate > 0 ? 4 * 4 * Math.max(N * C, B * H * T * Math.min(T, rowsOfBlock)) : 0;
  const workBytes = Math.max(loss, 4 * trained - activationBytes) + masks;
  const peakBytes = runtimeBytes + hostBytes + holes * (stateBytes + activationBytes + workBytes);
  return { runtimeBytes, hostBytes, stateBytes, activationBytes, workBytes, peakBytes };
}

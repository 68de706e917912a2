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
  /** Node, TensorFlow, its code and the compiled programs. */
  readonly runtimeBytes: number;
  /** Weights and moments, and sums of gradients. */
  readonly stateBytes: number;
  /** What the forward pass keeps for the backward pass. */
  readonly activationBytes: number;
  /** What exists for a while on top: the loss with the embedding's gradient and bfloat16 copies of the weights, or all gradients at the end. */
  readonly workBytes: number;
  readonly peakBytes: number;
}

// Resident size of a process that has opened TensorFlow 2.21 and run one step of a model of a few thousand weights, and what it
// is while TensorFlow is loaded.
const emptyBytes = 190e6;
const openingBytes = 400e6;
// What TensorFlow keeps of a compiled program beside its arrays.
const programBytesPerLayer = 7e6;
// What comes and goes in a step never fits into what is free: TensorFlow's allocator gives nothing back, and leaves holes.
const holes = 1.45;

/**
 * Estimates the peak memory of training.
 *
 * With N = B·T, P weights, P′ of them trained, and 4-byte numbers: weights and moments take P + 2P′ numbers, a layer keeps 15·N·C
 * (12 with bfloat16 products, whose inputs are kept in two bytes; with checkpointing only N·C, but one layer). Where a chunk of
 * n rows of logits is not all of them there are V·C of the embedding's gradient, and beside it n·V of logits and V·C of the chunk's own
 * gradient; with bfloat16 products the largest of 1.5·n·V, n·V/2 + V·C/2 and 1.5·V·C, and P/2 of copies of the weights. The end of a
 * step takes P′ of gradients instead of all this. With dropout, the largest mask is there four times while it is drawn: N·C, or that of a
 * block of attention, of B·H·T·128. Before the first step, the weights are there once more while they are handed over.
 *
 * @param shape of a micro-batch
 * @example
 * estimateMemory(config, { B: 4, T: 512 }).peakBytes / 1e9; // 2.7 for distilgpt2
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
  const sums = gradientAccumulation > 1 ? 4 * trained : 0;
  const stateBytes = 4 * P + 8 * trained + sums;
  const ofLayer = 4 * N * C * (narrow ? 12 : 15);
  const activationBytes = gradientCheckpointing ? ofLayer + 4 * N * C * layers : ofLayer * layers;
  const n = rowsPerChunk(N, V);
  const [logits, gradient] = [4 * n * V, 4 * V * C];
  const chunk = narrow ? Math.max(1.5 * logits, (logits + gradient) / 2, 1.5 * gradient) : logits + gradient;
  const loss = chunk + (n < N ? gradient : 0) + (narrow ? 2 * P : 0);
  const masks = dropoutRate > 0 ? 4 * 4 * Math.max(N * C, B * H * T * Math.min(T, rowsOfBlock)) : 0;
  const workBytes = Math.max(loss, 4 * trained - activationBytes) + masks;
  // The first micro-batch, those between and the last have programs of their own.
  const runtimeBytes = emptyBytes + programBytesPerLayer * layers * Math.min(3, gradientAccumulation);
  const step = stateBytes + holes * (activationBytes + workBytes);
  const peakBytes = Math.max(openingBytes, runtimeBytes + Math.max(step, stateBytes + 4 * P));
  return { runtimeBytes, stateBytes, activationBytes, workBytes, peakBytes };
}

/** The shapes that the benchmarks measure, what a step of them computes, and what each side reports. */
import type { Gpt2Config } from "../src/model/gpt2-config.js";
import { median } from "./figures.js";

/** One training step to be measured on either side. */
export interface Workload {
  readonly name: string;
  readonly config: Gpt2Config;
  /** B blocks of T tokens a step. */
  readonly B: number;
  readonly T: number;
  readonly steps: number;
}

const common = { layerNormEpsilon: 1e-5, endOfTextId: 0 };
const base: Gpt2Config = { ...common, vocabularySize: 4096, positions: 512, width: 256, layers: 4, heads: 4 };
const distilgpt2: Gpt2Config = { ...common, vocabularySize: 50_257, positions: 1024, width: 768, layers: 6, heads: 12 };

export const workloads: readonly Workload[] = [
  { name: "fledge-base 8 × 256", config: base, B: 8, T: 256, steps: 12 },
  { name: "distilgpt2 4 × 512", config: distilgpt2, B: 4, T: 512, steps: 5 },
  { name: "distilgpt2 1 × 128", config: distilgpt2, B: 1, T: 128, steps: 12 },
  { name: "distilgpt2 1 × 1024", config: distilgpt2, B: 1, T: 1024, steps: 5 },
];

/** What bench/train-gpu.ts measures: enough tokens a step to fill a large GPU. */
export const gpuWorkloads: readonly Workload[] = [
  { name: "distilgpt2 16 × 1024", config: distilgpt2, B: 16, T: 1024, steps: 12 },
  { name: "gpt2 16 × 1024", config: { ...distilgpt2, layers: 12 }, B: 16, T: 1024, steps: 12 },
  {
    name: "gpt2-medium 8 × 1024",
    config: { ...distilgpt2, width: 1024, layers: 24, heads: 16 },
    ...{ B: 8, T: 1024, steps: 12 },
  },
];

/** A line of the tables: a workload in one of the precisions. */
export type Row = Workload & { readonly mixedPrecision: boolean };

/** The products of a row in words. */
export function productsOf({ mixedPrecision }: Row): "bfloat16" | "float32" {
  return mixedPrecision ? "bfloat16" : "float32";
}

/** The rows whose name and products, after a space, contain every word of the command line, or else every default one. */
export function rowsOf(works: readonly Workload[], defaults: readonly string[]): Row[] {
  const given = process.argv.slice(2);
  const words = given.length > 0 ? given : defaults;
  return works
    .flatMap((work): Row[] => [false, true].map((mixedPrecision) => ({ ...work, mixedPrecision })))
    .filter((row) => words.every((word) => ` ${row.name} ${productsOf(row)}`.includes(word)));
}

/** What each side reports. */
export interface Measurement {
  /** Median over the steps after the first two. */
  readonly secondsPerStep: number;
  /** Processor time of a step, all cores together: what other work on the machine changes least. */
  readonly processorSecondsPerStep: number;
  /** The first step less a later one: tracing, building and planning the program. */
  readonly compileSeconds: number;
  /** Resident size of the process, or memory of the GPU. */
  readonly peakMemoryBytes: number;
  readonly loss: number;
}

/** Threads of every side, set explicitly: TensorFlow and OpenMP read these, PyTorch's scripts are told in words. */
export const threads = 2;
export const threadEnvironment = {
  ...{ OMP_NUM_THREADS: `${threads}`, MKL_NUM_THREADS: `${threads}` },
  ...{ TF_NUM_INTRAOP_THREADS: `${threads}`, TF_NUM_INTEROP_THREADS: `${threads}` },
};

/**
 * Floating-point operations of a step that no implementation can leave out, with N = B·T tokens, C width, L layers, V words:
 * 6·N·(12·L·C² + V·C) of the products with weights, forward and both gradients, and 6·N·T·C·L of causal attention.
 */
export function flopsOf({ config, B, T }: Workload): number {
  const { width: C, layers: L, vocabularySize: V } = config;
  return 6 * B * T * (12 * L * C ** 2 + V * C + T * C * L);
}

/** Median of the times after the two that warm up; of a single time, that one. */
export function medianAfterWarmUp(times: readonly number[]): number {
  return median(times.slice(Math.min(2, times.length - 1)));
}

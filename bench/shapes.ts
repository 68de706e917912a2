/** The shapes that the benchmarks measure, what a step of them computes, and what each side reports. */
import type { Gpt2Config } from "../src/model/gpt2-config.js";

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
  { name: "distilgpt2 4 × 512", config: distilgpt2, B: 4, T: 512, steps: 6 },
  { name: "distilgpt2 1 × 128", config: distilgpt2, B: 1, T: 128, steps: 12 },
  { name: "distilgpt2 1 × 1024", config: distilgpt2, B: 1, T: 1024, steps: 6 },
];

/** What each side reports. */
export interface Measurement {
  /** Median over the steps after the first two. */
  readonly secondsPerStep: number;
  /** The first step less a later one: tracing, building and planning the program. */
  readonly compileSeconds: number;
  readonly peakMemoryBytes: number;
  readonly loss: number;
}

/** Sizes of one product of matrices: [rows, inner] · [inner, columns]. */
export interface Product {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
  /** How often a step computes it, forward; twice as many of its size are in the backward pass. */
  readonly count: number;
}

/** The products with weights that a forward pass is made of; those of attention depend on the way it is computed. */
export function productsOf({ config, B, T }: Workload): Product[] {
  const { width: C, layers: count, vocabularySize: V } = config;
  const rows = B * T;
  return [
    { rows, inner: C, columns: 3 * C, count },
    { rows, inner: C, columns: C, count },
    { rows, inner: C, columns: 4 * C, count },
    { rows, inner: 4 * C, columns: C, count },
    { rows, inner: C, columns: V, count: 1 },
  ];
}

/** Floating-point operations of a step: 6 for each weight of a product and token, and 6·T·C a layer and token for causal attention. */
export function flopsOf(work: Workload): number {
  const products = productsOf(work).reduce((sum, p) => sum + 6 * p.rows * p.inner * p.columns * p.count, 0);
  return products + 6 * work.B * work.T * work.T * work.config.width * work.config.layers;
}

/** Median of the times after the two that warm up. */
export function medianAfterWarmUp(seconds: readonly number[]): number {
  const sorted = seconds.slice(2).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

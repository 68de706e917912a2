/** The shapes that the benchmarks measure: a model, a batch and a number of steps. */
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
  { name: "distilgpt2 4 × 512", config: distilgpt2, B: 4, T: 512, steps: 5 },
];

/** What each side reports. */
export interface Measurement {
  /** Median over the steps after the first two. */
  readonly secondsPerStep: number;
  readonly peakMemoryBytes: number;
  readonly loss: number;
}

/** Median of the times after the two that warm up. */
export function medianAfterWarmUp(seconds: readonly number[]): number {
  const sorted = seconds.slice(2).sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

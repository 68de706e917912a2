/** PyTorch's numbers for a tiny GPT-2 (test/fixtures/golden-gpt2-tiny), and how near a result comes to them. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../src/paths.js";

export const goldenFolder = join(packageRoot(), "test/fixtures/golden-gpt2-tiny");

/** One optimiser step of the PyTorch trace. */
export interface GoldenStep {
  readonly step: number;
  readonly loss: number;
  readonly grad_norm: number;
  readonly lr_used: number;
}

/** What golden.json holds, as far as the tests use it. */
export interface Golden {
  readonly batches: {
    readonly input_ids: number[][][];
    readonly attention_mask: number[][][];
    readonly labels: number[][][];
  };
  readonly loss_f64: number;
  readonly ntok: number;
  readonly trace_num_items: GoldenStep[];
  readonly final_eval_num_items: { readonly token_mean: number };
  readonly greedy: number[];
}

export const golden: Golden = JSON.parse(readFileSync(join(goldenFolder, "golden.json"), "utf8"));

/** A padded golden batch as the trainer sees it: inputs [B*T], targets [B*T] shifted by one, −1 where there is none. */
export function goldenBatch(index: number) {
  const ids = golden.batches.input_ids[index] as number[][];
  const labels = golden.batches.labels[index] as number[][];
  const targets = labels.map((row) =>
    row.map((_, t) => (row[t + 1] === undefined || row[t + 1] === -100 ? -1 : row[t + 1])),
  );
  const flat = targets.flat() as number[];
  return {
    inputs: Int32Array.from(ids.flat()),
    targets: Int32Array.from(flat),
    batchSize: ids.length,
    blockSize: ids[0]?.length as number,
    targetCount: flat.filter((target) => target >= 0).length,
  };
}

/** Largest difference, as a share of the largest expected value. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let scale = 0;
  for (let i = 0; i < expected.length; i++) {
    difference = Math.max(difference, Math.abs((actual[i] as number) - (expected[i] as number)));
    scale = Math.max(scale, Math.abs(expected[i] as number));
  }
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  return difference / (scale || 1);
}

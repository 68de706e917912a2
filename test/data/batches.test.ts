import assert from "node:assert/strict";
import { test } from "node:test";
import { type Batch, batchCount, evaluationBatches, trainingBatches } from "../../src/data/batches.js";
import type { PackedBlocks } from "../../src/data/pack.js";

const T = 8;
const blocks = blocksOf(21);
const options = { batchSize: 4, seed: 42, epoch: 0 };

// Token p of the row is p, so that a block shows which one it is.
function blocksOf(count: number): PackedBlocks {
  const tokens = Uint32Array.from({ length: count * T + 1 }, (_, i) => i);
  const block = (i: number) => tokens.subarray(i * T, (i + 1) * T + 1);
  return { tokens, blockSize: T, count, droppedTokens: 0, textBytes: 0, sourceTokens: tokens.length, block };
}

/** The blocks a batch holds, each checked to be whole: inputs as in the row, targets one on. */
function blocksIn(batch: Batch): number[] {
  const found: number[] = [];
  for (let row = 0; row < batch.batchSize; row++) {
    const inputs = batch.inputs.subarray(row * T, (row + 1) * T);
    const targets = batch.targets.subarray(row * T, (row + 1) * T);
    if (targets[0] === -1) {
      assert.ok(targets.every((target) => target === -1));
      assert.ok(inputs.every((input) => input === 0));
      continue;
    }
    const first = inputs[0] ?? 0;
    assert.deepEqual(
      [...inputs],
      Array.from({ length: T }, (_, i) => first + i),
    );
    assert.deepEqual(
      [...targets],
      Array.from({ length: T }, (_, i) => first + i + 1),
    );
    found.push(first / T);
  }
  assert.equal(batch.targetCount, found.length * T);
  return found;
}

test("trainingBatches() covers each block exactly once an epoch", () => {
  const seen = [...trainingBatches(blocks, options)].flatMap(blocksIn);
  assert.deepEqual(
    seen.sort((a, b) => a - b),
    Array.from({ length: 21 }, (_, i) => i),
  );
});

test("trainingBatches() gives every batch one shape and masks the rows that the last one lacks", () => {
  const batches = [...trainingBatches(blocks, options)];
  assert.equal(batches.length, batchCount(blocks, 4));
  assert.deepEqual(
    batches.map(({ targetCount }) => targetCount),
    [32, 32, 32, 32, 32, 8],
  );
  for (const batch of batches) {
    assert.equal(batch.inputs.length, 4 * T);
    assert.equal(batch.targets.length, 4 * T);
  }
});

test("trainingBatches() resumes at any batch with exactly what would have come", () => {
  const whole = [...trainingBatches(blocks, options)];
  for (let startBatch = 0; startBatch <= whole.length; startBatch++) {
    assert.deepEqual([...trainingBatches(blocks, { ...options, startBatch })], whole.slice(startBatch));
  }
});

test("trainingBatches() has an order of its own for each seed and epoch", () => {
  const order = (seed: number, epoch: number) =>
    [...trainingBatches(blocks, { ...options, seed, epoch })].flatMap(blocksIn).join();
  assert.equal(order(42, 0), order(42, 0));
  assert.equal(new Set([order(42, 0), order(42, 1), order(43, 0), order(1, 42), order(42, 2)]).size, 5);
});

test("evaluationBatches() gives every block once, in order", () => {
  const batches = [...evaluationBatches(blocks, { batchSize: 4 })];
  assert.deepEqual(
    batches.flatMap(blocksIn),
    Array.from({ length: 21 }, (_, i) => i),
  );
  assert.equal(batches.at(-1)?.targetCount, T);
  assert.deepEqual([...evaluationBatches(blocks, { batchSize: 100 })].flatMap(blocksIn).length, 21);
});

test("trainingBatches() refuses numbers out of range", () => {
  const cases = [
    [{ ...options, batchSize: 0 }, "Cannot use batchSize: 0, expected an integer ≥ 1. Fix: set batchSize: 4."],
    [{ ...options, epoch: -1 }, "Cannot use epoch: -1, expected an integer ≥ 0. Fix: count epochs from 0."],
    [{ ...options, startBatch: -1 }, "Cannot use startBatch: -1, expected an integer ≥ 0. Fix: set startBatch: 0."],
    [
      { ...options, startBatch: 7 },
      "Cannot use startBatch: 7, expected at most 6, the batches of an epoch. Fix: resume with the data and batchSize of the interrupted run.",
    ],
  ] as const;
  for (const [wrong, message] of cases) {
    assert.throws(() => trainingBatches(blocks, wrong).next(), { name: "RangeError", message });
  }
  assert.throws(() => evaluationBatches(blocks, { batchSize: 1.5 }).next(), { name: "RangeError" });
});

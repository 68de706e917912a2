import assert from "node:assert/strict";
import { test } from "node:test";
import { type Batch, batchesOf, epochOrder, evaluationBatches } from "../../src/data/batches.js";
import type { PackedBlocks } from "../../src/data/pack.js";

const T = 8;
const blocks = blocksOf(21);

// Token p of the row is p, so that a block shows which one it is.
function blocksOf(count: number): PackedBlocks {
  const tokens = Uint32Array.from({ length: count * T + 1 }, (_, i) => i);
  const views = { block: (i: number) => tokens.subarray(i * T, (i + 1) * T + 1), documentsOf: () => [] };
  return { blockSize: T, count, droppedTokens: 0, textBytes: 0, sourceTokens: tokens.length, ...views };
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

test("epochOrder() has each block exactly once, in an order of its own for each seed and epoch", () => {
  const order = (seed: number, epoch: number) => [...epochOrder(blocks, { seed, epoch })];
  assert.deepEqual(
    order(42, 0).sort((a, b) => a - b),
    Array.from({ length: 21 }, (_, i) => i),
  );
  assert.deepEqual(order(42, 0), order(42, 0));
  assert.equal(new Set([order(42, 0), order(42, 1), order(43, 0), order(1, 42), order(42, 2)].map(String)).size, 5);
});

test("batchesOf() gives every batch one shape and masks the rows that the last one lacks", () => {
  const indices = epochOrder(blocks, { seed: 42, epoch: 0 });
  const batches = [...batchesOf(blocks, indices, 4)];
  assert.deepEqual(batches.flatMap(blocksIn), [...indices]);
  assert.deepEqual(
    batches.map(({ targetCount }) => targetCount),
    [32, 32, 32, 32, 32, 8],
  );
  for (const batch of batches) {
    assert.equal(batch.inputs.length, 4 * T);
    assert.equal(batch.targets.length, 4 * T);
  }
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

test("epochOrder() and batchesOf() refuse numbers out of range", () => {
  assert.throws(() => epochOrder(blocks, { seed: 42, epoch: -1 }), {
    name: "RangeError",
    message: "Cannot use epoch: -1, expected an integer ≥ 0. Fix: count epochs from 0.",
  });
  assert.throws(() => batchesOf(blocks, Uint32Array.of(0), 0).next(), {
    name: "RangeError",
    message: "Cannot use batchSize: 0, expected an integer ≥ 1. Fix: set batchSize: 4.",
  });
  assert.throws(() => evaluationBatches(blocks, { batchSize: 1.5 }).next(), { name: "RangeError" });
});

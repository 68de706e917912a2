/**
 * Deals blocks out as batches. In: PackedBlocks. Out: inputs and targets [B*T], row after row, every batch of the same shape.
 * Each epoch has its own order, fixed by (seed, epoch), and can be entered at any batch, which is what makes a resumed run
 * exact. Rows that are missing in the last batch are masked: their targets are -1 and carry no loss.
 */
import { problem } from "../message.js";
import type { PackedBlocks } from "./pack.js";
import { seededRandom, shuffledIndices } from "./random.js";

/** What one forward pass takes. */
export interface Batch {
  /** Token ids [B*T]; 0 in masked rows. */
  readonly inputs: Int32Array;
  /** The token after each input [B*T]; -1 where it is masked. */
  readonly targets: Int32Array;
  /** Place of each input in its document [B*T], from 0; there when the blocks keep documents apart. */
  readonly positions?: Int32Array;
  /** B, masked rows included. */
  readonly batchSize: number;
  /** T. */
  readonly blockSize: number;
  /** Targets that are not masked. */
  readonly targetCount: number;
}

/** Which batches of which epoch. */
export interface TrainingBatchOptions {
  /** B: blocks in a batch. At least 1. */
  readonly batchSize: number;
  readonly seed: number;
  /** Counted from 0; with the seed it fixes the order. */
  readonly epoch: number;
  /** Batches to pass over, as when a run resumes (default 0). */
  readonly startBatch?: number;
}

/** Batches of one pass over the blocks, the last one filled up. */
export function batchCount(blocks: PackedBlocks, batchSize: number): number {
  checkAtLeast("batchSize", batchSize, 1, "set batchSize: 4");
  return Math.ceil(blocks.count / batchSize);
}

/**
 * One epoch in random order: every block exactly once.
 *
 * @throws {RangeError} When batchSize, epoch or startBatch is out of range; on the first `next()`.
 * @example
 * for (const batch of trainingBatches(blocks, { batchSize: 4, seed: 42, epoch: 0 })) batch.inputs.length; // 4 * T
 */
export function* trainingBatches(
  blocks: PackedBlocks,
  { batchSize, seed, epoch, startBatch = 0 }: TrainingBatchOptions,
): Generator<Batch> {
  const batches = batchCount(blocks, batchSize);
  checkAtLeast("epoch", epoch, 0, "count epochs from 0");
  checkAtLeast("startBatch", startBatch, 0, "set startBatch: 0");
  if (startBatch > batches) {
    throw new RangeError(
      problem({
        cannot: "use startBatch",
        found: String(startBatch),
        expected: `at most ${batches}, the batches of an epoch`,
        fix: "resume with the data and batchSize of the interrupted run",
      }),
    );
  }
  const order = shuffledIndices(blocks.count, seededRandom(seed, epoch));
  for (let i = startBatch; i < batches; i++) {
    yield toBatch(blocks, order.subarray(i * batchSize, (i + 1) * batchSize), batchSize);
  }
}

/**
 * Every block once, in order: the same loss each time.
 *
 * @throws {RangeError} When batchSize is no positive integer; on the first `next()`.
 */
export function* evaluationBatches(
  blocks: PackedBlocks,
  { batchSize }: { readonly batchSize: number },
): Generator<Batch> {
  const batches = batchCount(blocks, batchSize);
  const order = Uint32Array.from({ length: blocks.count }, (_, i) => i);
  for (let i = 0; i < batches; i++)
    yield toBatch(blocks, order.subarray(i * batchSize, (i + 1) * batchSize), batchSize);
}

function toBatch(blocks: PackedBlocks, indices: Uint32Array, batchSize: number): Batch {
  const { blockSize, documentEnd } = blocks;
  const inputs = new Int32Array(batchSize * blockSize);
  const targets = new Int32Array(batchSize * blockSize).fill(-1);
  indices.forEach((index, row) => {
    const block = blocks.block(index); // [T+1]
    inputs.set(block.subarray(0, blockSize), row * blockSize);
    targets.set(block.subarray(1), row * blockSize);
  });
  const positions = documentEnd === undefined ? {} : { positions: documentPositions(inputs, blockSize, documentEnd) };
  return { inputs, targets, ...positions, batchSize, blockSize, targetCount: indices.length * blockSize };
}

// A document that began in an earlier block counts from where this block takes it up.
function documentPositions(inputs: Int32Array, blockSize: number, documentEnd: number): Int32Array {
  const positions = new Int32Array(inputs.length);
  for (let i = 0; i < inputs.length; i++) {
    const isStart = i % blockSize === 0 || inputs[i - 1] === documentEnd;
    positions[i] = isStart ? 0 : (positions[i - 1] as number) + 1;
  }
  return positions;
}

function checkAtLeast(name: string, value: number, least: number, fix: string): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new RangeError(
    problem({ cannot: `use ${name}`, found: String(value), expected: `an integer ≥ ${least}`, fix }),
  );
}

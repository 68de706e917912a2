/**
 * Deals blocks out as batches. In: PackedBlocks. Out: inputs and targets [B*T], row after row, every batch of the same shape.
 * Each epoch has its own order, fixed by (seed, epoch), so that a resumed run can enter it anywhere and be
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

/**
 * The blocks of an epoch in the order in which they are trained: each exactly once.
 *
 * @param epoch counted from 0; with the seed it fixes the order
 * @throws {RangeError} When the epoch is negative or no integer.
 * @example
 * epochOrder(blocks, { seed: 42, epoch: 0 }).subarray(0, 8); // the first accumulation window of 4 × 2
 */
export function epochOrder(
  blocks: PackedBlocks,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): Uint32Array {
  checkAtLeast("epoch", epoch, 0, "count epochs from 0");
  return shuffledIndices(blocks.count, seededRandom(seed, epoch));
}

/**
 * Blocks as batches of one shape, in the order given.
 *
 * @param indices of the blocks
 * @param batchSize B, at least 1
 * @throws {RangeError} When batchSize is no positive integer; on the first `next()`.
 * @example
 * for (const batch of batchesOf(blocks, epochOrder(blocks, { seed: 42, epoch: 0 }), 4)) batch.inputs.length; // 4 * T
 */
export function* batchesOf(blocks: PackedBlocks, indices: Uint32Array, batchSize: number): Generator<Batch> {
  checkAtLeast("batchSize", batchSize, 1, "set batchSize: 4");
  for (let i = 0; i < indices.length; i += batchSize) {
    yield toBatch(blocks, indices.subarray(i, i + batchSize), batchSize);
  }
}

/**
 * Every block once, in order: the same loss each time.
 *
 * @throws {RangeError} When batchSize is no positive integer; on the first `next()`.
 */
export function evaluationBatches(
  blocks: PackedBlocks,
  { batchSize }: { readonly batchSize: number },
): Generator<Batch> {
  return batchesOf(
    blocks,
    Uint32Array.from({ length: blocks.count }, (_, i) => i),
    batchSize,
  );
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

/**
 * Causal attention in blocks of queries, so that scores [B*H, T, T] never exist whole and what a mask would blank is not
 * computed. In: queries, keys, values by head. Out: the mixed values. Its gradient keeps no probabilities: it makes them
 * again from queries and keys, block by block (Dao et al. 2022, with whole rows of keys, so that one softmax suffices).
 * Dimensions: G = B*H, T positions, D width of a head, R queries of a block, S keys that they may see (the first S of T).
 */
import * as tf from "@tensorflow/tfjs";
import { hostTiling } from "../engine/engine.js";
import { after } from "../engine/operations.js";
import { type Dropout, dropoutMask } from "./dropout.js";

/** Queries of a block where masks of dropout are drawn, a stream of random numbers a block. */
export const rowsOfBlock = hostTiling.attentionRows;

/**
 * Attention of every query to the keys at and before its own position.
 *
 * @param q [G, T, D], scaled
 * @param k [G, T, D]
 * @param v [G, T, D]
 * @param mask [1, T, T], or [B, T, T] where rows of the batch differ: added to the scores
 * @param dropout of the probabilities; default none
 * @param attentionRows queries of a block, where nothing is dropped
 * @returns [G, T, D]; differentiable by q, k and v
 */
export function attend(
  q: tf.Tensor,
  k: tf.Tensor,
  v: tf.Tensor,
  mask: tf.Tensor,
  dropout?: AttentionDropout,
  attentionRows: number = rowsOfBlock,
): tf.Tensor {
  const blocks = blocksOf(q.shape[1] as number, dropout ? rowsOfBlock : attentionRows);
  const withGradient = tf.customGrad((...values) => {
    const [q, k, v, save] = values as unknown as [tf.Tensor3D, tf.Tensor3D, tf.Tensor3D, Save];
    const mixed: tf.Tensor[] = [];
    for (const block of blocks) {
      const inTurn = (x: tf.Tensor) => after(x, mixed.at(-1) ?? q); // one block after the other
      const probabilities = scores(inTurn(q), inTurn(k), mask, block); // [G, R, S]
      const kept = keptOf(block, probabilities, dropout);
      mixed.push(tf.matMul(kept ? tf.mul(probabilities, kept) : probabilities, rows(inTurn(v), 0, block.end))); // [G, R, D]
    }
    const value = tf.concat(mixed, 1); // [G, T, D]
    save([q, k, v, value, mask]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => attendGradient(dy, saved, blocks, dropout);
    return { value, gradFunc };
  });
  return withGradient(q, k, v);
}

/** Dropout, and the first of the streams of random numbers that the blocks use. */
export interface AttentionDropout extends Dropout {
  readonly stream: number;
}

type Save = (tensors: tf.Tensor[]) => void;

/** Queries `begin` … `end` − 1, which see the keys 0 … `end` − 1. */
interface Block {
  readonly begin: number;
  readonly end: number;
}

function blocksOf(T: number, size: number): Block[] {
  const count = Math.ceil(T / size);
  return Array.from({ length: count }, (_, i) => ({ begin: i * size, end: Math.min(T, (i + 1) * size) }));
}

// With P the probabilities, M the mask of dropout (1 without) and δ = Σ dy·y of each query: dV = (P M)ᵀ dy,
// dS = P (M (dy Vᵀ) − δ), dQ = dS K, dK = dSᵀ Q.
function attendGradient(
  dy: tf.Tensor,
  saved: tf.Tensor[],
  blocks: readonly Block[],
  dropout?: AttentionDropout,
): tf.Tensor[] {
  const [q, k, v, value, mask] = saved as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor];
  const along = tf.sum(tf.mul(dy, value), -1, true); // [G, T, 1]
  const dq: tf.Tensor[] = [];
  const dk = blocks.map((): tf.Tensor[] => []);
  const dv = blocks.map((): tf.Tensor[] => []);
  for (const block of blocks) {
    const { begin, end } = block;
    // One block after the other. Without the wait the first keys and values would be those of the forward pass, kept until now.
    const [queries, keys, values] = [q, k, v].map((x) => after(x, dq.at(-1) ?? dy)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const dyOfBlock = rows(dy, begin, end); // [G, R, D]
    const P = scores(queries, keys, mask, block); // [G, R, S]
    const kept = keptOf(block, P, dropout);
    const dropped = (x: tf.Tensor) => (kept ? tf.mul(x, kept) : x);
    const dP = dropped(tf.matMul(dyOfBlock, rows(values, 0, end), false, true)); // [G, R, S]
    const dS = tf.mul(P, tf.sub(dP, rows(along, begin, end))); // [G, R, S]
    dq.push(tf.matMul(dS, rows(keys, 0, end))); // [G, R, D]
    const dkOfBlock = tf.matMul(dS, rows(queries, begin, end), true, false); // [G, S, D]
    const dvOfBlock = tf.matMul(dropped(P), dyOfBlock, true, false); // [G, S, D]
    blocks.slice(0, dq.length).forEach((seen, i) => {
      dk[i]?.push(rows(dkOfBlock, seen.begin, seen.end));
      dv[i]?.push(rows(dvOfBlock, seen.begin, seen.end));
    });
  }
  return [dq, dk.map((parts) => tf.addN(parts)), dv.map((parts) => tf.addN(parts))].map((parts) => tf.concat(parts, 1));
}

// The mask of a block [G, R, S], the same each time, drawn once its probabilities are there.
function keptOf({ begin }: Block, P: tf.Tensor, dropout?: AttentionDropout): tf.Tensor | undefined {
  if (!dropout) return undefined;
  const now = { ...dropout, key: after(dropout.key, P) };
  return dropoutMask(P.shape, now, dropout.stream + begin / rowsOfBlock);
}

// Probabilities of a block [G, R, S].
function scores(q: tf.Tensor, k: tf.Tensor, mask: tf.Tensor, { begin, end }: Block): tf.Tensor {
  const [G, R] = [q.shape[0] as number, end - begin];
  const B = mask.shape[0] as number;
  const products = tf.matMul(rows(q, begin, end), rows(k, 0, end), false, true); // [G, R, S]
  const seen = tf.slice(mask, [0, begin, 0], [B, R, end]); // [B, R, S]
  if (B === 1) return tf.softmax(tf.add(products, seen));
  const byRow = tf.add(tf.reshape(products, [B, G / B, R, end]), tf.reshape(seen, [B, 1, R, end])); // [B, H, R, S]
  return tf.softmax(tf.reshape(byRow, [G, R, end]));
}

// Positions `begin` … `end` − 1 of [G, T, …].
function rows(x: tf.Tensor, begin: number, end: number): tf.Tensor {
  const [G, T, D] = x.shape as [number, number, number];
  return begin === 0 && end === T ? x : tf.slice(x, [0, begin, 0], [G, end - begin, D]);
}

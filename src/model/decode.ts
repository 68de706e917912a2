/**
 * GPT-2 one token at a time, with a cache of keys and values. In: token ids, the weights, where each row of a left-padded
 * batch begins. Out: logits of the token that follows each row; the cache is written through the functions that are given.
 * The layers are those of gpt2.ts. It samples nothing and knows no engine.
 * Dimensions: B rows, T positions of a prompt, P slots of the cache, C width, H heads, D = C / H, V vocabulary.
 */
import * as tf from "@tensorflow/tfjs";
import { gelu, layerNorm, linear, type WeightReader } from "./gpt2.js";
import { type Gpt2Config, headName } from "./gpt2-config.js";

// Far below any score, yet finite: a row that may look nowhere, as padding does, must not become NaN.
const maskedScore = -1e9;

/** The cache of one layer: keys or values, [B*H, P, D]. */
export type CachePart = "key" | "value";

/**
 * Reads whole prompts at once and fills the cache.
 *
 * @param tokens [B*T] int32, each row padded on its left to T
 * @param starts [B] int32, how many of a row's tokens are padding, 0 … T-1
 * @param dimensions B, T and P ≥ T
 * @param write takes each layer's keys and values [B*H, P, D]; slots T … P-1 are zero
 * @returns [B, V], logits of what follows the last token of each row
 */
export function prefill(
  tokens: tf.Tensor,
  starts: tf.Tensor,
  { B, T, P }: { readonly B: number; readonly T: number; readonly P: number },
  weight: WeightReader,
  config: Gpt2Config,
  write: (layer: number, part: CachePart, values: tf.Tensor) => void,
): tf.Tensor {
  const { width: C, heads: H } = config;
  const D = C / H;
  const slots = tf.tensor(
    Int32Array.from({ length: T }, (_, slot) => slot),
    [1, T],
    "int32",
  );
  const first = tf.reshape(starts, [B, 1]);
  const places = tf.reshape(tf.maximum(tf.sub(slots, first), tf.scalar(0, "int32")), [B * T]);
  const columns = tf.reshape(slots, [1, 1, T]);
  const seen = tf.logicalAnd(
    tf.greaterEqual(columns, tf.reshape(starts, [B, 1, 1])),
    tf.lessEqual(columns, tf.reshape(slots, [1, T, 1])),
  ); // [B, T, T]
  const mask = tf.reshape(penalty(seen), [B, 1, T, T]);
  const hidden = layers(embed(tokens, places, weight), { B, T }, weight, config, (layer, q, k, v) => {
    for (const [part, values] of [["key", k] as const, ["value", v] as const]) {
      write(layer, part, P === T ? values : tf.concat([values, tf.zeros([B * H, P - T, D])], 1));
    }
    return attend(q, k, v, mask, H);
  });
  const last = tf.slice(tf.reshape(hidden, [B, T, C]), [0, T - 1, 0], [B, 1, C]);
  return head(tf.reshape(last, [B, C]), weight, config);
}

/**
 * Takes in one token a row.
 *
 * @param tokens [B] int32
 * @param slot [] int32, where the cache keeps this token, the same for every row
 * @param starts [B] int32, as at {@link prefill}
 * @param dimensions B, and P as at {@link prefill}
 * @param extend puts each layer's new key or value [B*H, 1, D] at `slot` and returns the whole [B*H, P, D]
 * @returns [B, V], logits of what follows
 */
export function decodeStep(
  tokens: tf.Tensor,
  slot: tf.Tensor,
  starts: tf.Tensor,
  { B, P }: { readonly B: number; readonly P: number },
  weight: WeightReader,
  config: Gpt2Config,
  extend: (layer: number, part: CachePart, value: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const columns = tf.tensor(
    Int32Array.from({ length: P }, (_, slot) => slot),
    [1, P],
    "int32",
  );
  const seen = tf.logicalAnd(tf.greaterEqual(columns, tf.reshape(starts, [B, 1])), tf.lessEqual(columns, slot)); // [B, P]
  const mask = tf.reshape(penalty(seen), [B, 1, P]);
  const hidden = layers(embed(tokens, tf.sub(slot, starts), weight), { B, T: 1 }, weight, config, (layer, q, k, v) => {
    const keys = extend(layer, "key", k);
    return attendOne(q, keys, extend(layer, "value", v), mask);
  });
  return head(hidden, weight, config);
}

function embed(tokens: tf.Tensor, places: tf.Tensor, weight: WeightReader): tf.Tensor {
  const tokenVectors = tf.gather(weight("transformer.wte.weight"), tokens as tf.Tensor1D);
  return tf.add(tokenVectors, tf.gather(weight("transformer.wpe.weight"), places as tf.Tensor1D)); // [B*T, C]
}

// All blocks; `mix` gets queries, keys and values [B*H, T, D] and returns what attention makes of them, [B*H, T, D].
function layers(
  embedded: tf.Tensor,
  { B, T }: { readonly B: number; readonly T: number },
  weight: WeightReader,
  { layers, heads: H, width: C, layerNormEpsilon }: Gpt2Config,
  mix: (layer: number, q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const D = C / H;
  let x = embedded; // [B*T, C]
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `transformer.h.${layer}`;
    const norm = (input: tf.Tensor, name: string) =>
      layerNorm(input, weight(`${prefix}.${name}.weight`), weight(`${prefix}.${name}.bias`), layerNormEpsilon);
    const qkv = linear(norm(x, "ln_1"), weight, `${prefix}.attn.c_attn`); // [B*T, 3C]
    const [q, k, v] = tf.split(qkv, 3, 1).map((part) => {
      // With one position a row's heads already lie one after the other.
      if (T === 1) return tf.reshape(part, [B * H, 1, D]);
      return tf.reshape(tf.transpose(tf.reshape(part, [B, T, H, D]), [0, 2, 1, 3]), [B * H, T, D]);
    }) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const mixed = mix(layer, tf.mul(q, 1 / Math.sqrt(D)), k, v); // [B*H, T, D]
    const joined = T === 1 ? mixed : tf.transpose(tf.reshape(mixed, [B, H, T, D]), [0, 2, 1, 3]);
    x = tf.add(x, linear(tf.reshape(joined, [B * T, C]), weight, `${prefix}.attn.c_proj`));
    const expanded = gelu(linear(norm(x, "ln_2"), weight, `${prefix}.mlp.c_fc`)); // [B*T, 4C]
    x = tf.add(x, linear(expanded, weight, `${prefix}.mlp.c_proj`));
  }
  return x;
}

// q [B*H, T, D], k and v [B*H, K, D], mask [B, 1, T, K].
function attend(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor, H: number): tf.Tensor {
  const [B, , T, K] = mask.shape as [number, number, number, number];
  const scores = tf.reshape(tf.matMul(q, k, false, true), [B, H, T, K]);
  return tf.matMul(tf.reshape(tf.softmax(tf.add(scores, mask)), [B * H, T, K]), v);
}

// The same for one query a row: q [B*H, 1, D], mask [B, 1, P]. Sums of products instead of products of matrices, and a softmax
// of single operations: TensorFlow wakes its threads for each of those, which takes longer than so little work.
function attendOne(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  const [rows, P] = k.shape as [number, number];
  const B = mask.shape[0] as number;
  const products = tf.reshape(tf.sum(tf.mul(q, k), 2), [B, rows / B, P]);
  const scores = tf.reshape(tf.add(products, mask), [rows, P, 1]);
  const shares = tf.exp(tf.sub(scores, tf.max(scores, 1, true)));
  return tf.div(tf.sum(tf.mul(shares, v), 1, true), tf.sum(shares, 1, true)); // [B*H, 1, D]
}

function penalty(seen: tf.Tensor): tf.Tensor {
  return tf.mul(tf.sub(1, tf.cast(seen, "float32")), maskedScore);
}

function head(hidden: tf.Tensor, weight: WeightReader, config: Gpt2Config): tf.Tensor {
  const [scale, shift] = [weight("transformer.ln_f.weight"), weight("transformer.ln_f.bias")];
  const normal = layerNorm(hidden, scale, shift, config.layerNormEpsilon); // [B, C]
  return tf.matMul(normal as tf.Tensor2D, weight(headName(config)) as tf.Tensor2D, false, true); // [B, V]
}

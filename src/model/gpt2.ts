/**
 * GPT-2 as Hugging Face computes it, in TensorFlow.js operations, read bottom-up: gelu, layer norm, attention, block, model.
 * In: weights by their Hugging Face names and token ids. Out: hidden states, from which loss.ts makes a loss and generate/
 * makes logits. It keeps no state and runs on any TensorFlow.js backend. Linear weights are [in, out] (Conv1D).
 * Sources: Radford et al. 2019; transformers' modeling_gpt2.py for what the published weights mean.
 * Dimensions: B batch, T positions, C width, H heads, D = C / H, V vocabulary.
 */
import * as tf from "@tensorflow/tfjs";
import type { Tiling } from "../engine/engine.js";
import { after } from "../engine/operations.js";
import { attend } from "./attention.js";
import { type Dropout, dropped, streamOf } from "./dropout.js";
import { type Gpt2Config, weightShapes } from "./gpt2-config.js";

/** Reads a weight by its Hugging Face name. */
export type WeightReader = (name: string) => tf.Tensor;

// How tf.customGrad keeps what the gradient needs.
type Save = (tensors: tf.Tensor[]) => void;

// Far below any score, yet finite, so that no row of a softmax can become NaN.
const maskedScore = -1e9;

/**
 * GELU by its tanh approximation, "gelu_new" in Hugging Face's configs (Hendrycks & Gimpel 2016, section 2), written as
 * x·h with h = (1 + tanh u) / 2, u = √(2/π) (x + 0.044715 x³); then d/dx = h (1 + 2x u′ (1 − h)).
 *
 * @param x any shape
 * @returns the same shape
 */
export function gelu(x: tf.Tensor): tf.Tensor {
  const c = Math.sqrt(2 / Math.PI);
  const cubic = 0.044715 * c;
  const half = (x: tf.Tensor) => {
    const u = tf.mul(x, tf.add(tf.mul(tf.square(x), cubic), c));
    return tf.mul(tf.add(tf.tanh(u), 1), 0.5);
  };
  const withGradient = tf.customGrad((...values) => {
    const [x, save] = values as unknown as [tf.Tensor, Save];
    const h = half(x);
    save([x]);
    const gradFunc = (dy: tf.Tensor, [saved]: tf.Tensor[]) => {
      const x = after(saved as tf.Tensor, dy); // h is made again: keeping it would cost [N, 4C] a layer
      const h = half(x);
      const twiceSlope = tf.mul(x, tf.add(tf.mul(tf.square(x), 6 * cubic), 2 * c)); // 2x u′
      return tf.mul(dy, tf.mul(h, tf.add(tf.mul(twiceSlope, tf.sub(1, h)), 1)));
    };
    return { value: tf.mul(x, h), gradFunc };
  });
  return withGradient(x);
}

/**
 * Normalises each row to mean 0 and variance 1, then scales and shifts (Ba et al. 2016). Its gradient is written out, with
 * x̂ the normalised rows and g = dy·scale: dx = (g − mean g − x̂ mean(g x̂)) / σ.
 *
 * @param x [N, C]
 * @param scale [C]
 * @param shift [C]
 * @returns [N, C]
 */
export function layerNorm(x: tf.Tensor, scale: tf.Tensor, shift: tf.Tensor, epsilon: number): tf.Tensor {
  const withGradient = tf.customGrad((...values) => {
    const [x, scale, shift, save] = values as unknown as [tf.Tensor, tf.Tensor, tf.Tensor, Save];
    const centred = tf.sub(x, tf.mean(x, -1, true)); // [N, C]
    const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centred), -1, true), epsilon)); // 1 / σ, [N, 1]
    const normal = tf.mul(centred, inverse); // [N, C]
    save([normal, inverse, scale]);
    const gradFunc = (dy: tf.Tensor, saved: tf.Tensor[]) => {
      const [normal, inverse, scale] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
      const g = tf.mul(dy, scale); // [N, C]
      const along = tf.mean(tf.mul(g, normal), -1, true); // [N, 1]
      const dx = tf.mul(tf.sub(tf.sub(g, tf.mean(g, -1, true)), tf.mul(normal, along)), inverse);
      return [dx, tf.sum(tf.mul(dy, normal), 0), tf.sum(dy, 0)];
    };
    return { value: tf.add(tf.mul(normal, scale), shift), gradFunc };
  });
  return withGradient(x, scale, shift);
}

/**
 * One linear layer.
 *
 * @param x [N, in]
 * @param prefix of `<prefix>.weight` [in, out] and `<prefix>.bias` [out]
 * @returns [N, out]
 */
export function linear(x: tf.Tensor, weight: WeightReader, prefix: string): tf.Tensor {
  return tf.add(tf.matMul(x, weight(`${prefix}.weight`)), weight(`${prefix}.bias`));
}

/**
 * What attention adds to its scores so that no position sees a later one.
 *
 * @returns [1, T, T]: 0 on and below the diagonal, very negative above it
 */
export function causalMask(T: number): tf.Tensor {
  const values = new Float32Array(T * T);
  for (let query = 0; query < T; query++) values.fill(maskedScore, query * T + query + 1, (query + 1) * T);
  return tf.tensor(values, [1, T, T]);
}

/**
 * The mask of packed documents: no position sees a later one, or one of another document of its row.
 *
 * @param positions [B*T] int32, the place of each token in its document, from 0
 * @returns [B, T, T]: 0 where a query may look, very negative elsewhere
 */
export function documentMask(positions: tf.Tensor, { B, T }: Dimensions): tf.Tensor {
  const columns = Float32Array.from({ length: T }, (_, column) => column);
  const places = tf.reshape(tf.cast(positions, "float32"), [B, T]);
  const starts = tf.reshape(tf.sub(tf.tensor(columns, [1, T]), places), [B, T, 1]); // the column where its document begins
  const inside = tf.cast(tf.greaterEqual(tf.tensor(columns, [1, 1, T]), starts), "float32"); // [B, T, T]
  return tf.add(tf.mul(tf.sub(1, inside), maskedScore), causalMask(T));
}

/** Shapes that every layer needs. */
export interface Dimensions {
  readonly B: number;
  readonly T: number;
  /** Keep only the input of each block, and make its other values again for the gradient. Default false. */
  readonly gradientCheckpointing?: boolean;
  /** Of embeddings, attention and what blocks add, as in GPT-2; default none. */
  readonly dropout?: Dropout | undefined;
  /** Default: that of a processor. */
  readonly tiling?: Tiling | undefined;
}

/**
 * Multi-head causal self-attention (Vaswani et al. 2017, section 3.2).
 *
 * @param x [B*T, C]
 * @param mask [1, T, T], or [B, T, T] where rows differ
 * @returns [B*T, C]
 */
export function attention(
  x: tf.Tensor,
  mask: tf.Tensor,
  weight: WeightReader,
  layer: number,
  { B, T, dropout, tiling }: Dimensions,
  heads: number,
): tf.Tensor {
  const C = x.shape[1] as number;
  const D = C / heads;
  const qkv = linear(x, weight, `${prefixOf(layer)}.attn.c_attn`); // [B*T, 3C]
  const [q, k, v] = tf.split(qkv, 3, 1).map((part) => {
    const byHead = tf.transpose(tf.reshape(part, [B, T, heads, D]), [0, 2, 1, 3]); // [B, H, T, D]
    return tf.reshape(byHead, [B * heads, T, D]);
  }) as [tf.Tensor, tf.Tensor, tf.Tensor];
  const mixed = attend(
    ...[tf.mul(q, 1 / Math.sqrt(D)), k, v, mask],
    dropout && { ...dropout, stream: streamOf(layer, "attention") },
    tiling?.attentionRows,
  ); // [B*H, T, D]
  const joined = tf.transpose(tf.reshape(mixed, [B, heads, T, D]), [0, 2, 1, 3]); // [B, T, H, D]
  return linear(tf.reshape(joined, [B * T, C]), weight, `${prefixOf(layer)}.attn.c_proj`);
}

/**
 * One transformer block: attention and a feed-forward layer, each behind a layer norm and a residual.
 *
 * @param x [B*T, C]
 * @returns [B*T, C]
 */
export function block(
  x: tf.Tensor,
  mask: tf.Tensor,
  weight: WeightReader,
  layer: number,
  dimensions: Dimensions,
  config: Gpt2Config,
): tf.Tensor {
  const prefix = prefixOf(layer);
  const { dropout } = dimensions;
  const norm = (input: tf.Tensor, name: string) =>
    layerNorm(input, weight(`${prefix}.${name}.weight`), weight(`${prefix}.${name}.bias`), config.layerNormEpsilon);
  const mixed = attention(norm(x, "ln_1"), mask, weight, layer, dimensions, config.heads);
  const attended = tf.add(x, dropped(mixed, dropout, streamOf(layer, "attended")));
  const expanded = gelu(linear(norm(attended, "ln_2"), weight, `${prefix}.mlp.c_fc`)); // [B*T, 4C]
  const contracted = linear(expanded, weight, `${prefix}.mlp.c_proj`);
  return tf.add(attended, dropped(contracted, dropout, streamOf(layer, "expanded")));
}

// What the names of a block's weights begin with.
function prefixOf(layer: number): string {
  return `transformer.h.${layer}`;
}

/**
 * The same block, whose gradient runs it again from its input instead of keeping what it computed (Chen et al. 2016).
 *
 * @param x [B*T, C]
 * @returns [B*T, C]
 */
export function checkpointedBlock(
  ...[x, mask, weight, layer, dimensions, config]: Parameters<typeof block>
): tf.Tensor {
  const names = [...weightShapes(config).keys()].filter((name) => name.startsWith(`${prefixOf(layer)}.`));
  const run = (mask: tf.Tensor, gate?: tf.Tensor) => {
    const { dropout: once } = dimensions;
    const dropout = once && gate ? { ...once, key: after(once.key, gate) } : once; // else XLA would keep the masks
    return (x: tf.Tensor, ...weights: tf.Tensor[]) =>
      block(x, mask, (name) => weights[names.indexOf(name)] as tf.Tensor, layer, { ...dimensions, dropout }, config);
  };
  const withGradient = tf.customGrad((...values) => {
    const save = values.at(-1) as unknown as Save;
    const [x, ...weights] = values.slice(0, -1) as [tf.Tensor, ...tf.Tensor[]];
    save([mask, x, ...weights]);
    const gradFunc = (dy: tf.Tensor, [mask, x, ...weights]: tf.Tensor[]) =>
      gradientsWithin(run(mask as tf.Tensor, dy), [after(x as tf.Tensor, dy), ...weights], dy);
    return { value: run(mask)(x, ...weights), gradFunc };
  });
  return withGradient(x, ...names.map(weight));
}

// TensorFlow.js forgets the gradient under way when another begins at depth 0; one level down it does not.
function gradientsWithin(run: (...inputs: tf.Tensor[]) => tf.Tensor, inputs: tf.Tensor[], dy: tf.Tensor): tf.Tensor[] {
  const { state } = tf.engine();
  state.gradientDepth++;
  try {
    return tf.grads(run)(inputs, dy);
  } finally {
    state.gradientDepth--;
  }
}

/**
 * The whole model up to its last layer norm.
 *
 * @param tokens [B*T] int32, each in 0 … V-1
 * @param dimensions T must not exceed `config.positions`
 * @param positions [B*T] int32, the place of each token in its document: tokens then see their own document only;
 *   default: each row is one text
 * @returns [B*T, C]
 * @example
 * const hidden = hiddenStates(tokens, { B: 4, T: 512 }, (name) => tensors[name], config);
 * const logits = tf.matMul(hidden, tensors["transformer.wte.weight"], false, true); // [B*T, V]
 */
export function hiddenStates(
  tokens: tf.Tensor,
  dimensions: Dimensions,
  weight: WeightReader,
  config: Gpt2Config,
  positions?: tf.Tensor,
): tf.Tensor {
  const { B, T } = dimensions;
  const C = config.width;
  const positionTable = weight("transformer.wpe.weight"); // [P, C]
  const tokenVectors = tf.reshape(tf.gather(weight("transformer.wte.weight"), tokens as tf.Tensor1D), [B, T, C]);
  const positionVectors = positions
    ? tf.reshape(tf.gather(positionTable, positions as tf.Tensor1D), [B, T, C])
    : tf.slice(positionTable, [0, 0], [T, C]); // [T, C]
  const embedded = tf.reshape(tf.add(tokenVectors, positionVectors), [B * T, C]);
  let x = dropped(embedded, dimensions.dropout, streamOf(-1, "expanded"));
  const mask = positions ? documentMask(positions, dimensions) : causalMask(T);
  const blockOf = dimensions.gradientCheckpointing ? checkpointedBlock : block;
  for (let layer = 0; layer < config.layers; layer++) {
    x = blockOf(x, mask, weight, layer, dimensions, config);
  }
  return layerNorm(x, weight("transformer.ln_f.weight"), weight("transformer.ln_f.bias"), config.layerNormEpsilon);
}

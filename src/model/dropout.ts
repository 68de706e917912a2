/**
 * Dropout (Srivastava et al. 2014): in training, each value is 0 with some probability and scaled up otherwise. In: values, a key
 * that differs from step to step, the place in the model. Out: values. The mask is drawn again for the gradient, not kept.
 */
import * as tf from "@tensorflow/tfjs";
import { after, randomUniform } from "../engine/operations.js";

/** Dropout of one step; no value of it means none. */
export interface Dropout {
  /** Share of values that become 0, above 0 and below 1. */
  readonly rate: number;
  /** [2] int32: equal keys, equal masks. */
  readonly key: tf.Tensor;
}

/** Streams of random numbers that one place may use. */
const streamsOfPlace = 2 ** 12;

/** Stream of a place in the model: layer −1 is what comes before the first block. */
export function streamOf(layer: number, place: "attention" | "attended" | "expanded"): number {
  return ((layer + 1) * 3 + ["attention", "attended", "expanded"].indexOf(place)) * streamsOfPlace;
}

/**
 * What values are multiplied with: 0 for those that are dropped, 1 / (1 − rate) for the others.
 *
 * @returns float32 of the shape
 */
export function dropoutMask(shape: readonly number[], { rate, key }: Dropout, stream: number): tf.Tensor {
  // Not tf.where of two numbers: each would be a whole array, which TensorFlow makes when it plans and keeps for good.
  const kept = tf.cast(tf.greaterEqual(randomUniform(key, shape, stream), rate), "float32");
  return tf.mul(kept, 1 / (1 - rate));
}

/**
 * Values with some of them dropped; `x` itself without dropout.
 *
 * @returns the shape of x
 */
export function dropped(x: tf.Tensor, dropout: Dropout | undefined, stream: number): tf.Tensor {
  if (!dropout) return x;
  const withGradient = tf.customGrad((...values) => {
    const x = values[0] as tf.Tensor;
    const gradFunc = (dy: tf.Tensor) => {
      const again = { ...dropout, key: after(dropout.key, dy) };
      return tf.mul(dy, dropoutMask(dy.shape, again, stream));
    };
    // Else TensorFlow draws every mask of the model at once, before there is anything to drop.
    const now = { ...dropout, key: after(dropout.key, x) };
    return { value: tf.mul(x, dropoutMask(x.shape, now, stream)), gradFunc };
  });
  return withGradient(x);
}

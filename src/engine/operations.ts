/**
 * Operations that TensorFlow.js lacks and that a whole step needs fused: each is one operation of a program, and a few plain
 * TensorFlow.js ones where a backend has no kernel of its name. In and out: tensors. Their gradients are their users' work.
 */
import * as tf from "@tensorflow/tfjs";
import { sizeOf } from "./program.js";
import { uniformNumbers } from "./random-numbers.js";

/**
 * Sum of the squares of all elements, without an array of the squares.
 *
 * @returns scalar
 */
export function sumOfSquares(x: tf.Tensor): tf.Tensor {
  return fused("SumOfSquares", { x }) ?? tf.sum(tf.square(x));
}

/**
 * x·y, and 0 where y is 0, even if x is not finite there.
 *
 * @param y scalar
 * @returns the shape of x
 */
export function multiplyNoNan(x: tf.Tensor, y: tf.Tensor): tf.Tensor {
  const plain = () => tf.where(tf.equal(y, 0), tf.zerosLike(x), tf.mul(x, y));
  return fused("MultiplyNoNan", { a: x, b: y }) ?? plain();
}

/**
 * x, but not before `gate` has been computed: orders work that could run at once, so that it uses the same memory in turn.
 *
 * @returns the shape of x
 */
export function after(x: tf.Tensor, gate: tf.Tensor): tf.Tensor {
  return fused("After", { x, gate }) ?? x;
}

/**
 * Random numbers from 0 to below 1, evenly spread: the same ones for the same key, stream and place on every engine.
 *
 * @param key [2] int32
 * @param stream whole number; another one gives independent numbers
 * @returns float32 of the shape
 */
export function randomUniform(key: tf.Tensor, shape: readonly number[], stream: number): tf.Tensor {
  const plain = () => tf.tensor(uniformNumbers(key.dataSync(), stream, sizeOf(shape)), [...shape]);
  return fused("RandomUniform", { key }, { shape: [...shape], stream }) ?? plain();
}

/** Runs a kernel of the present backend, or says that it has none of this name. */
function fused(kernel: string, inputs: tf.NamedTensorMap, attributes: tf.NamedAttrMap = {}): tf.Tensor | undefined {
  if (!tf.getKernel(kernel, tf.getBackend())) return undefined;
  return tf.engine().runKernel(kernel, inputs, attributes) as tf.Tensor;
}

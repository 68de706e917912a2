/**
 * What the tracer is tested with, written down: functions of TensorFlow.js operations and the shapes of their inputs. More are
 * drawn from a seed in drawn-cases.ts. It runs nothing.
 */
import * as tf from "@tensorflow/tfjs";
import { multiplyNoNan, randomUniform, sumOfSquares } from "../../src/engine/operations.js";
import { sparseCrossEntropy } from "../../src/model/loss.js";

/** A function under test. */
export interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly compute: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** Inputs are drawn from (0.5, 1.5) instead of (-1, 1). */
  readonly positive?: boolean;
  /** Values only: the function has no gradient. */
  readonly discrete?: boolean;
}

const ids = () => tf.tensor1d([2, 0, 2, 1], "int32");
const float = (x: tf.Tensor) => tf.cast(x, "float32");
const int = (x: tf.Tensor) => tf.cast(tf.mul(x, 9), "int32");
const indices = (values: number[][], columns: number) => tf.tensor2d(values, [values.length, columns], "int32");

/** Cases by name. */
export const writtenCases: Readonly<Record<string, Case>> = {
  abs: { shapes: [[3, 4]], compute: (x) => tf.abs(x) },
  add: { shapes: [[2, 3], [3]], compute: (a, b) => tf.add(a, b) },
  "add of a scalar": { shapes: [[2, 3], []], compute: (a, b) => tf.add(a, b) },
  addN: {
    shapes: [
      [2, 3],
      [2, 3],
      [2, 3],
    ],
    compute: (...values) => tf.addN(values),
  },
  cast: { shapes: [[4]], compute: (x) => tf.cast(tf.greater(x, 0), "float32"), discrete: true },
  "cast to int32": {
    shapes: [[4]],
    compute: (x) => tf.cast(tf.cast(tf.mul(x, 9), "int32"), "float32"),
    discrete: true,
  },
  clone: { shapes: [[4]], compute: (x) => tf.add(tf.clone(x), x) },
  concat: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    compute: (a, b) => tf.concat([a, b], 1),
  },
  div: {
    shapes: [
      [2, 1, 3],
      [4, 1],
    ],
    compute: (a, b) => tf.div(a, b),
    positive: true,
  },
  equal: {
    shapes: [[3]],
    compute: (x) => tf.cast(tf.equal(tf.cast(x, "int32"), tf.scalar(0, "int32")), "float32"),
    discrete: true,
  },
  erf: { shapes: [[5]], compute: (x) => tf.erf(x) },
  exp: { shapes: [[5]], compute: (x) => tf.exp(x) },
  expandDims: { shapes: [[2, 3]], compute: (x) => tf.expandDims(x, -1) },
  fill: { shapes: [[3]], compute: (x) => tf.add(x, tf.fill([2, 3], 1.5)) },
  gather: { shapes: [[3, 4]], compute: (x) => tf.gather(x, ids()) },
  "gather of columns": { shapes: [[2, 3]], compute: (x) => tf.gather(x, ids(), 1), discrete: true },
  log: { shapes: [[5]], compute: (x) => tf.log(x), positive: true },
  matMul: {
    shapes: [
      [2, 3],
      [3, 4],
    ],
    compute: (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D),
  },
  "matMul transposed": {
    shapes: [
      [3, 2],
      [4, 3],
    ],
    compute: (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, true, true),
  },
  "matMul of batches": {
    shapes: [
      [5, 2, 3],
      [5, 4, 3],
    ],
    compute: (a, b) => tf.matMul(a, b, false, true),
  },
  max: { shapes: [[3, 4]], compute: (x) => tf.max(x, 1) },
  maximum: {
    shapes: [
      [3, 4],
      [3, 4],
    ],
    compute: (a, b) => tf.maximum(a, b),
  },
  mean: { shapes: [[3, 4]], compute: (x) => tf.mean(x, -1, true) },
  minimum: {
    shapes: [
      [3, 4],
      [3, 4],
    ],
    compute: (a, b) => tf.minimum(a, b),
  },
  mul: {
    shapes: [
      [3, 1],
      [1, 4],
    ],
    compute: (a, b) => tf.mul(a, b),
  },
  neg: { shapes: [[3]], compute: (x) => tf.neg(x) },
  pad: {
    shapes: [[2, 3]],
    compute: (x) =>
      tf.pad(
        x,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
  },
  pow: { shapes: [[2, 3], []], compute: (a, b) => tf.pow(a, b), positive: true },
  reciprocal: { shapes: [[4]], compute: (x) => tf.reciprocal(x), positive: true },
  reshape: { shapes: [[2, 6]], compute: (x) => tf.reshape(x, [3, -1]) },
  rsqrt: { shapes: [[4]], compute: (x) => tf.rsqrt(x), positive: true },
  slice: { shapes: [[4, 5]], compute: (x) => tf.slice(x, [1, 2], [2, -1]) },
  softmax: { shapes: [[3, 5]], compute: (x) => tf.softmax(x) },
  split: { shapes: [[2, 6]], compute: (x) => tf.mul(...(tf.split(x, 2, 1) as [tf.Tensor, tf.Tensor])) },
  sqrt: { shapes: [[4]], compute: (x) => tf.sqrt(x), positive: true },
  square: { shapes: [[4]], compute: (x) => tf.square(x) },
  squaredDifference: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    compute: (a, b) => tf.squaredDifference(a, b),
  },
  sub: {
    shapes: [
      [2, 3],
      [2, 1],
    ],
    compute: (a, b) => tf.sub(a, b),
  },
  "sum of a scalar": { shapes: [[]], compute: (x) => tf.sum(x) },
  "sum of nothing": { shapes: [[0, 3]], compute: (x) => tf.sum(x, 0) },
  sumOfSquares: { shapes: [[3, 4]], compute: (x) => sumOfSquares(x), discrete: true },
  tanh: { shapes: [[4]], compute: (x) => tf.tanh(x) },
  tile: { shapes: [[2, 3]], compute: (x) => tf.tile(x, [2, 1]) },
  transpose: { shapes: [[2, 3, 4]], compute: (x) => tf.transpose(x, [2, 0, 1]) },
  "sum with the gradient of a lookup": {
    shapes: [
      [3, 2],
      [4, 2],
    ],
    compute: (x, rows) => {
      const places = ids();
      const lookedUp = tf.sum(tf.mul(tf.gather(x, places), rows));
      return tf.add(lookedUp, tf.add(tf.mul(x, 2), tf.unsortedSegmentSum(rows, places, 3)));
    },
  },
  unsortedSegmentSum: { shapes: [[4, 3]], compute: (x) => tf.unsortedSegmentSum(x, ids(), 3) },
  where: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    compute: (a, b) => tf.where(tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], "bool"), a, tf.mul(b, 2)),
  },
  all: { shapes: [[3, 4]], compute: (x) => float(tf.all(tf.greater(x, -0.8), 1)), discrete: true },
  any: { shapes: [[3, 4]], compute: (x) => float(tf.any(tf.greater(x, 0.8), 0, true)), discrete: true },
  argMax: { shapes: [[3, 4, 2]], compute: (x) => float(tf.argMax(x, 1)), discrete: true },
  "argMax of equal elements": { shapes: [[4]], compute: (x) => float(tf.argMax(tf.mul(x, 0))), discrete: true },
  argMin: { shapes: [[3, 4]], compute: (x) => float(tf.argMin(x, -1)), discrete: true },
  clipByValue: { shapes: [[3, 4]], compute: (x) => tf.clipByValue(x, -0.5, 0.25) },
  "concat of nothing": {
    shapes: [
      [0, 3],
      [0, 3],
    ],
    compute: (a, b) => tf.concat([a, b], 0),
    discrete: true,
  },
  "concat with nothing": {
    shapes: [
      [0, 3],
      [2, 3],
    ],
    compute: (a, b) => tf.concat([a, b], 0),
  },
  cumprod: { shapes: [[3, 4]], compute: (x) => tf.cumprod(x, 1, true, true), discrete: true },
  cumsum: { shapes: [[3, 4]], compute: (x) => tf.cumsum(x, 1) },
  "cumsum exclusive and reversed": { shapes: [[3, 4]], compute: (x) => tf.cumsum(x, 1, true, true) },
  "cumsum of rows": { shapes: [[3, 4]], compute: (x) => tf.cumsum(x, 0), discrete: true },
  "einsum of matrices": {
    shapes: [
      [2, 3],
      [3, 4],
    ],
    compute: (a, b) => tf.einsum("ij,jk->ki", a, b),
    discrete: true,
  },
  "einsum of heads": {
    shapes: [
      [2, 3, 4, 5],
      [2, 3, 6, 5],
    ],
    compute: (a, b) => tf.einsum("bhqd,bhkd->bhqk", a, b),
    discrete: true,
  },
  "einsum of one tensor": { shapes: [[2, 3, 4]], compute: (a) => tf.einsum("ijk->kj", a), discrete: true },
  floorDiv: {
    shapes: [[5], [5]],
    compute: (a, b) => float(tf.floorDiv(int(a), tf.add(tf.abs(int(b)), 1))),
    discrete: true,
  },
  "fused matMul": {
    shapes: [[2, 3], [3, 4], [4]],
    compute: (a, b, bias) => tf.fused.matMul({ a: a as tf.Tensor2D, b: b as tf.Tensor2D, bias, activation: "relu" }),
  },
  "gather of the last axis": { shapes: [[2, 3]], compute: (x) => tf.gather(x, ids(), -1) },
  "gather of nothing": { shapes: [[3, 4]], compute: (x) => tf.gather(x, tf.tensor1d([], "int32")), discrete: true },
  "gather by row": {
    shapes: [[2, 3, 4]],
    compute: (x) =>
      tf.gather(
        x,
        indices(
          [
            [0, 2],
            [1, 1],
          ],
          2,
        ),
        1,
        1,
      ),
    discrete: true,
  },
  gatherND: {
    shapes: [[3, 4, 2]],
    compute: (x) =>
      tf.gatherND(
        x,
        indices(
          [
            [0, 3],
            [2, 1],
          ],
          2,
        ),
      ),
    discrete: true,
  },
  isNaN: { shapes: [[4]], compute: (x) => float(tf.isNaN(tf.sqrt(x))), discrete: true },
  isInf: { shapes: [[4]], compute: (x) => float(tf.isInf(tf.div(1, tf.maximum(x, 0)))), discrete: true },
  isFinite: { shapes: [[4]], compute: (x) => float(tf.isFinite(tf.log(tf.relu(x)))), discrete: true },
  linspace: { shapes: [[5]], compute: (x) => tf.mul(x, tf.linspace(-1, 3, 5)) },
  logSoftmax: { shapes: [[3, 5]], compute: (x) => tf.logSoftmax(x) },
  logSumExp: { shapes: [[3, 5]], compute: (x) => tf.logSumExp(x, 1) },
  logicalXor: {
    shapes: [[6], [6]],
    compute: (a, b) => float(tf.logicalXor(tf.greater(a, 0), tf.greater(b, 0))),
    discrete: true,
  },
  "matMul of nothing": {
    shapes: [
      [0, 3],
      [3, 4],
    ],
    compute: (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D),
  },
  "matMul of an empty sum": {
    shapes: [
      [2, 0],
      [0, 4],
    ],
    compute: (a, b) => tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D),
    discrete: true,
  },
  "matMul of broadcast batches": {
    shapes: [
      [2, 3, 4],
      [1, 4, 5],
    ],
    compute: (a, b) => tf.matMul(a, b),
    discrete: true,
  },
  "mean of integers": { shapes: [[5]], compute: (x) => tf.mean(int(x)), discrete: true },
  mod: { shapes: [[3, 4], [4]], compute: (a, b) => tf.mod(tf.mul(a, 5), b), discrete: true },
  "mod of integers": {
    shapes: [[8], [8]],
    compute: (a, b) => float(tf.mod(int(a), tf.sub(tf.mul(int(b), 2), 1))),
    discrete: true,
  },
  multiplyNoNan: {
    shapes: [[2, 3], []],
    compute: (x, y) => multiplyNoNan(tf.div(x, 0), tf.mul(y, 0)),
    discrete: true,
  },
  notEqual: { shapes: [[6], []], compute: (a, b) => float(tf.notEqual(int(a), int(b))), discrete: true },
  norm: { shapes: [[3, 4]], compute: (x) => tf.norm(x) },
  oneHot: { shapes: [[3]], compute: (x) => tf.mul(x, tf.oneHot(tf.tensor1d([2, 0, 5], "int32"), 3)) },
  "pad of integers": { shapes: [[3]], compute: (x) => float(tf.pad(int(x), [[1, 2]], 7)), discrete: true },
  prelu: { shapes: [[3, 4], [4]], compute: (x, alpha) => tf.prelu(x, alpha) },
  range: { shapes: [[5]], compute: (x) => tf.mul(x, tf.range(0, 5, 1, "float32")) },
  reverse: { shapes: [[3, 4]], compute: (x) => tf.reverse(x, [0, 1]) },
  scatterND: {
    shapes: [[3, 2]],
    compute: (x) =>
      tf.scatterND(
        indices(
          [
            [1, 0],
            [2, 3],
            [1, 0],
          ],
          2,
        ),
        x,
        [3, 4, 2],
      ),
    discrete: true,
  },
  randomUniform: {
    shapes: [[3, 4]],
    compute: (x) => tf.mul(x, randomUniform(tf.tensor1d([5, -9], "int32"), [3, 4], 2)),
  },
  "softmax of scores on another axis": { shapes: [[3, 5]], compute: (x) => tf.transpose(tf.softmax(tf.transpose(x))) },
  sparseCrossEntropy: {
    shapes: [[3, 5]],
    compute: (x) => {
      const { losses, gradient } = sparseCrossEntropy(x, tf.tensor1d([4, 0, 2], "int32"));
      return tf.mul(tf.reshape(losses, [3, 1]), gradient);
    },
    discrete: true,
  },
  "sparseCrossEntropy beside another and the softmax of the same logits": {
    shapes: [[3, 5]],
    compute: (x) => {
      const gradients = [
        [4, 0, 2],
        [1, 1, 3],
      ].map((ids) => sparseCrossEntropy(x, tf.tensor1d(ids, "int32")).gradient);
      return tf.concat([...gradients, tf.softmax(x)], 0);
    },
    discrete: true,
  },
  stack: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    compute: (a, b) => tf.stack([a, b], 1),
  },
  stridedSlice: { shapes: [[5, 6]], compute: (x) => tf.stridedSlice(x, [1, 0], [5, 6], [2, 3]), discrete: true },
  "stridedSlice backwards": {
    shapes: [[5, 6]],
    compute: (x) => tf.stridedSlice(x, [-1, 5], [-6, 0], [-2, -2]),
    discrete: true,
  },
  "stridedSlice of one row": {
    shapes: [[5, 6]],
    compute: (x) => tf.stridedSlice(x, [-2, 1], [0, 4], [1, 1], 0, 0, 0, 0, 1),
    discrete: true,
  },
  "stridedSlice of nothing": { shapes: [[5]], compute: (x) => tf.stridedSlice(x, [3], [3], [1]), discrete: true },
  topk: { shapes: [[3, 5]], compute: (x) => tf.topk(x, 2).values, discrete: true },
  "topk indices": {
    shapes: [[3, 5]],
    compute: (x) => float(tf.topk(tf.abs(tf.round(tf.mul(x, 2))), 4).indices),
    discrete: true,
  },
  unstack: { shapes: [[2, 3]], compute: (x) => tf.mul(...(tf.unstack(x, 0) as [tf.Tensor, tf.Tensor])) },
};

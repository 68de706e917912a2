import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "../../src/data/random.js";
import type { TensorSpec } from "../../src/engine/engine.js";
import { sizeOf } from "../../src/engine/program.js";
import { openForTest } from "../engines.js";

interface Case {
  readonly shapes: readonly (readonly number[])[];
  readonly compute: (...inputs: tf.Tensor[]) => tf.Tensor;
  /** Inputs are drawn from (0.5, 1.5) instead of (-1, 1). */
  readonly positive?: boolean;
  /** Values only: the function has no gradient. */
  readonly discrete?: boolean;
}

const ids = () => tf.tensor1d([2, 0, 2, 1], "int32");
const cases: Readonly<Record<string, Case>> = {
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
  tanh: { shapes: [[4]], compute: (x) => tf.tanh(x) },
  tile: { shapes: [[2, 3]], compute: (x) => tf.tile(x, [2, 1]) },
  transpose: { shapes: [[2, 3, 4]], compute: (x) => tf.transpose(x, [2, 0, 1]) },
  unsortedSegmentSum: { shapes: [[4, 3]], compute: (x) => tf.unsortedSegmentSum(x, ids(), 3) },
  where: {
    shapes: [
      [2, 3],
      [2, 3],
    ],
    compute: (a, b) => tf.where(tf.tensor2d([1, 0, 1, 0, 0, 1], [2, 3], "bool"), a, tf.mul(b, 2)),
  },
};

const engine = await openForTest("tensorflow");

for (const [name, { shapes, compute, positive = false, discrete = false }] of Object.entries(cases)) {
  test(`${name} is traced: values and gradients as TensorFlow.js computes them`, async (t) => {
    if (typeof engine === "string") return t.skip(engine);
    const random = seededRandom(name.length, shapes.length);
    const draw = () => (positive ? 0.5 + random.uniform() : 2 * random.uniform() - 1);
    const values = shapes.map((shape) => Float32Array.from({ length: sizeOf(shape) }, draw));
    const run = (inputs: tf.Tensor[]): Record<string, tf.Tensor> => {
      const y = compute(...inputs);
      if (discrete) return { y };
      // A weighted sum, so that every element of the gradient differs.
      const weight = tf.tensor(
        Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(i + 1)),
        y.shape,
      );
      const grads = tf.grads((...x) => tf.sum(tf.mul(compute(...x), weight)) as tf.Scalar)(inputs);
      return { y, ...Object.fromEntries(grads.map((gradient, i) => [`gradient ${i}`, gradient])) };
    };
    const specs = shapes.map((shape, i): [string, TensorSpec] => [`x${i}`, { shape, dtype: "float32" }]);
    const names = specs.map(([input]) => input);
    const step = await engine.compile(name, Object.fromEntries(specs), (inputs) =>
      run(names.map((i) => inputs[i] as tf.Tensor)),
    );
    const actual = await step.run(Object.fromEntries(names.map((input, i) => [input, values[i] as Float32Array])));
    await tf.setBackend("cpu");
    const expected = run(values.map((value, i) => tf.tensor(value, [...(shapes[i] as number[])])));
    assert.deepEqual(Object.keys(actual), Object.keys(expected));
    for (const [output, tensor] of Object.entries(expected)) {
      const wanted = await tensor.data();
      assert.equal(actual[output]?.length, wanted.length, output);
      wanted.forEach((value, i) => {
        const error = Math.abs((actual[output]?.[i] as number) - value);
        assert.ok(
          error <= 1e-5 * Math.max(1, Math.abs(value)),
          `${output}[${i}]: ${actual[output]?.[i]}, expected ${value}`,
        );
      });
    }
  });
}

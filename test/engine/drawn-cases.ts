/**
 * What the tracer is tested with, drawn from a seed: element by element functions and reductions on random shapes, broadcasting,
 * zero-size and scalar ones among them. It runs nothing.
 */
import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "../../src/data/random.js";
import { type Case, writtenCases } from "./operation-cases.js";

const unary: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  ceil: tf.ceil,
  cos: tf.cos,
  elu: tf.elu,
  expm1: tf.expm1,
  floor: tf.floor,
  leakyRelu: (x) => tf.leakyRelu(x, 0.1),
  log1p: tf.log1p,
  relu: tf.relu,
  relu6: (x) => tf.relu6(tf.mul(x, 9)),
  round: (x) => tf.round(tf.mul(x, 4)),
  selu: tf.selu,
  sigmoid: tf.sigmoid,
  sign: tf.sign,
  sin: tf.sin,
  softplus: tf.softplus,
  step: (x) => tf.step(x, 0.5),
};
const binary: Readonly<Record<string, (a: tf.Tensor, b: tf.Tensor) => tf.Tensor>> = {
  add: tf.add,
  atan2: tf.atan2,
  div: tf.div,
  maximum: tf.maximum,
  minimum: tf.minimum,
  mul: tf.mul,
  pow: tf.pow,
  squaredDifference: tf.squaredDifference,
  sub: tf.sub,
};
// TensorFlow.js' own gradients of these fail where shapes broadcast.
const sameShapeOnly = ["maximum", "minimum", "squaredDifference"];
const reductions: Readonly<Record<string, (x: tf.Tensor, axes: number[], keepDims: boolean) => tf.Tensor>> = {
  max: tf.max,
  mean: tf.mean,
  min: tf.min,
  prod: (x, axes, keepDims) => tf.prod(x, axes, keepDims),
  sum: tf.sum,
};

/** Every case by name; the drawn ones are the same at every run. */
export function operationCases(): Map<string, Case> {
  const random = seededRandom(4, 1);
  const below = (limit: number) => Math.floor(random.uniform() * limit);
  const shape = (rank: number) => Array.from({ length: rank }, () => 1 + below(4));
  const cases = new Map<string, Case>(Object.entries(writtenCases));
  const add = (name: string, shapes: number[][], compute: Case["compute"], rest: Partial<Case> = {}) => {
    cases.set(`${name} of ${shapes.map((s) => `[${s}]`).join(", ")}`, { shapes, compute, ...rest });
  };
  for (const [name, compute] of Object.entries(unary)) {
    for (const drawn of [shape(1 + below(4)), [], [0, 2]]) add(name, [drawn], compute, { positive: name === "log1p" });
  }
  for (const [name, compute] of Object.entries(binary)) {
    const full = shape(1 + below(3));
    const narrow = full.map((size) => (random.uniform() < 0.5 ? 1 : size)).slice(below(full.length));
    for (const shapes of [
      [full, narrow],
      [narrow, full],
      [[], full],
      [[], []],
      [[0, 2], [2]],
    ]) {
      const broadcast = String(shapes[0]) !== String(shapes[1]);
      add(name, shapes, compute, {
        positive: name === "pow" || name === "div",
        discrete: broadcast && sameShapeOnly.includes(name),
      });
    }
  }
  for (const [name, compute] of Object.entries(reductions)) {
    const drawn = shape(3);
    // TensorFlow.js has no gradient of a product over several axes that are not the last.
    const axes = name === "prod" ? [2] : ([[0], [0, 2], [0, 1, 2]][below(3)] ?? [0]);
    for (const keepDims of [false, true]) {
      add(`${name} over ${axes}${keepDims ? " kept" : ""}`, [drawn], (x) => compute(x, axes, keepDims));
    }
  }
  return cases;
}

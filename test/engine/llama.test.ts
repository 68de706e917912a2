/** One block of a Llama-family model (Touvron et al. 2023), forward and backward, traced and by plain TensorFlow.js. */
import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "../../src/data/random.js";
import type { StepFunction } from "../../src/engine/engine.js";
import { sizeOf } from "../../src/engine/program.js";
import { engineNames, openForTest } from "../engines.js";
import { relativeError } from "../golden.js";

// Batch, positions, vocabulary, width, query heads, key and value heads, head width, inner width.
const [B, T, V, C, H, G, D, F] = [2, 5, 11, 16, 4, 2, 4, 24];
const shapes: Readonly<Record<string, readonly number[]>> = {
  embedding: [V, C],
  attentionNorm: [C],
  query: [C, H * D],
  key: [C, G * D],
  value: [C, G * D],
  output: [H * D, C],
  mlpNorm: [C],
  gate: [C, F],
  up: [C, F],
  down: [F, C],
};
const names = Object.keys(shapes);

// x / √(mean x² + ε), scaled (Zhang & Sennrich 2019).
function rmsNorm(x: tf.Tensor, scale: tf.Tensor): tf.Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), 1e-5))), scale);
}

// Rotates the two halves of each head by the angle of its position (Su et al. 2021); x [B, heads, T, D].
function rotary(x: tf.Tensor): tf.Tensor {
  const frequencies = tf.pow(10_000, tf.div(tf.range(0, D / 2, 1, "float32"), -D / 2)); // [D/2]
  const angles = tf.mul(tf.reshape(tf.range(0, T, 1, "float32"), [T, 1]), frequencies); // [T, D/2]
  const both = (half: tf.Tensor) => tf.concat([half, half], -1); // [T, D]
  const [first, second] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
  const turned = tf.concat([tf.neg(second), first], -1);
  return tf.add(tf.mul(x, both(tf.cos(angles))), tf.mul(turned, both(tf.sin(angles))));
}

function loss(tokens: tf.Tensor, targets: tf.Tensor, w: Readonly<Record<string, tf.Tensor>>): tf.Scalar {
  const weight = (name: string) => w[name] as tf.Tensor2D;
  const rows = tf.gather(weight("embedding"), tokens as tf.Tensor1D); // [B*T, C]
  const normal = rmsNorm(rows, weight("attentionNorm")) as tf.Tensor2D;
  const heads = (name: string, count: number) =>
    tf.transpose(tf.reshape(tf.matMul(normal, weight(name)), [B, T, count, D]), [0, 2, 1, 3]); // [B, count, T, D]
  // Each key and value serves H / G queries.
  const repeated = (x: tf.Tensor) => tf.reshape(tf.tile(tf.reshape(x, [B * G, 1, T * D]), [1, H / G, 1]), [B, H, T, D]);
  const scores = tf.matMul(rotary(heads("query", H)), repeated(rotary(heads("key", G))), false, true); // [B, H, T, T]
  const causal = tf.greaterEqual(tf.reshape(tf.range(0, T), [T, 1]), tf.range(0, T)); // [T, T]
  const masked = tf.where(causal, tf.div(scores, Math.sqrt(D)), tf.fill([B, H, T, T], -1e9));
  const mixed = tf.transpose(tf.matMul(tf.softmax(masked), repeated(heads("value", G))), [0, 2, 1, 3]);
  const attended = tf.add(rows, tf.matMul(tf.reshape(mixed, [B * T, H * D]) as tf.Tensor2D, weight("output")));
  const second = rmsNorm(attended, weight("mlpNorm")) as tf.Tensor2D;
  const gate = tf.matMul(second, weight("gate"));
  const silu = tf.mul(gate, tf.sigmoid(gate)); // [B*T, F]
  const gated = tf.mul(silu, tf.matMul(second, weight("up"))) as tf.Tensor2D;
  const hidden = tf.add(attended, tf.matMul(gated, weight("down")));
  const logits = tf.matMul(hidden as tf.Tensor2D, weight("embedding"), false, true); // [B*T, V]
  const picked = tf.mul(tf.logSoftmax(logits), tf.oneHot(targets as tf.Tensor1D, V));
  return tf.neg(tf.div(tf.sum(picked), B * T));
}

const step: StepFunction = ({ tokens, targets }, variables) => {
  const weights = names.map((name) => variables.read(name));
  const byName = (values: tf.Tensor[]) => Object.fromEntries(names.map((name, i) => [name, values[i] as tf.Tensor]));
  const ofWeights = (...values: tf.Tensor[]) => loss(tokens as tf.Tensor, targets as tf.Tensor, byName(values));
  const { value, grads } = tf.valueAndGrads(ofWeights)(weights);
  return { loss: value, ...byName(grads) };
};

const random = seededRandom(7, 7);
const variables = new Map(
  Object.entries(shapes).map(([name, shape]) => {
    const values = Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() - 0.5);
    return [name, { shape, values }];
  }),
);
const ids = () => Int32Array.from({ length: B * T }, () => Math.floor(random.uniform() * V));
const inputs = { tokens: ids(), targets: ids() };
const spec = { shape: [B * T], dtype: "int32" } as const;

async function run(name: (typeof engineNames)[number]): Promise<Record<string, Float32Array> | string> {
  const engine = await openForTest(name);
  if (typeof engine === "string") return engine;
  await engine.createVariables(variables);
  const results = await (await engine.compile("llama", { tokens: spec, targets: spec }, step)).run(inputs);
  await engine.dispose();
  return results;
}

const expected = await run("cpu");

for (const name of engineNames.filter((engine) => engine !== "cpu")) {
  test(`a Llama block has the loss and the gradients of plain TensorFlow.js on ${name}`, async (t) => {
    const actual = await run(name);
    if (typeof actual === "string") return t.skip(actual);
    assert.ok(typeof expected !== "string");
    assert.deepEqual(Object.keys(actual), ["loss", ...names]);
    for (const [output, values] of Object.entries(actual)) {
      const error = relativeError(values, expected[output] as Float32Array);
      assert.ok(error < 1e-5, `${output}: relative error ${error}`);
    }
  });
}

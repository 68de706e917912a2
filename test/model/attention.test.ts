import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "../../src/data/random.js";
import type { Engine } from "../../src/engine/engine.js";
import { sizeOf } from "../../src/engine/program.js";
import { attend } from "../../src/model/attention.js";
import { causalMask, documentMask } from "../../src/model/gpt2.js";
import { engineNames, openForTest } from "../engines.js";
import { relativeError } from "../golden.js";

// Two whole blocks of queries and a short one, two texts of two heads each.
const [B, H, T, D] = [2, 2, 300, 4];
const shape = [B * H, T, D];

for (const name of engineNames) {
  test(`attend() and its gradient are those of whole attention, with either mask, on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    for (const separate of [false, true]) {
      const outputs = await both(engine, separate);
      for (const part of ["y", "dq", "dk", "dv"]) {
        const error = relativeError(outputs[`${part}-blocks`] ?? [], outputs[`${part}-whole`] ?? []);
        assert.ok(error < 1e-5, `${part}: relative error ${error}, separate documents: ${separate}`);
      }
    }
    await engine.dispose();
  });
}

test("attend() keeps no array of the scores of all positions", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  const spec = { shape: [1, 512, D], dtype: "float32" } as const;
  const step = await engine.compile("attend", { q: spec, k: spec, v: spec }, ({ q, k, v }) => {
    const mask = causalMask(512);
    const grads = tf.grads((...parts) => attend(...(parts as [tf.Tensor, tf.Tensor, tf.Tensor]), mask));
    const [dq, dk, dv] = grads([q, k, v]) as [tf.Tensor, tf.Tensor, tf.Tensor];
    return { dq, dk, dv };
  });
  const made = step.program?.operations.filter(({ name }) => name !== "constant").flatMap(({ outputs }) => outputs);
  const largest = Math.max(...(made ?? []).map((value) => sizeOf(value.shape)));
  assert.equal(largest, 128 * 512, "one block of queries by all keys");
  await engine.dispose();
});

async function both(engine: Engine, separate: boolean): Promise<Record<string, Float32Array>> {
  const random = seededRandom(5);
  const draw = () => Float32Array.from({ length: sizeOf(shape) }, () => random.uniform() * 4 - 2);
  const spec = { shape, dtype: "float32" } as const;
  const positions = Int32Array.from({ length: B * T }, (_, i) => i % (i < T ? 70 : T)); // documents of 70, and one of T
  const specs = { q: spec, k: spec, v: spec, dy: spec, positions: { shape: [B * T], dtype: "int32" } } as const;
  const step = await engine.compile(`attend-${separate}`, specs, ({ q, k, v, dy, positions }) => {
    const mask = separate ? documentMask(positions, { B, T }) : causalMask(T);
    const outputs: Record<string, tf.Tensor> = {};
    for (const [kind, compute] of Object.entries({ blocks: attend, whole })) {
      const weighted = (...parts: tf.Tensor[]) => {
        const [q, k, v] = parts as [tf.Tensor, tf.Tensor, tf.Tensor];
        return tf.sum(tf.mul(compute(q, k, v, mask), dy)) as tf.Scalar;
      };
      const [dq, dk, dv] = tf.grads(weighted)([q, k, v]) as [tf.Tensor, tf.Tensor, tf.Tensor];
      Object.assign(outputs, { [`y-${kind}`]: compute(q, k, v, mask) });
      Object.assign(outputs, { [`dq-${kind}`]: dq, [`dk-${kind}`]: dk, [`dv-${kind}`]: dv });
    }
    return outputs;
  });
  return step.run({ q: draw(), k: draw(), v: draw(), dy: draw(), positions });
}

function whole(q: tf.Tensor, k: tf.Tensor, v: tf.Tensor, mask: tf.Tensor): tf.Tensor {
  const scores = tf.reshape(tf.matMul(q, k, false, true), [B, H, T, T]);
  const seen = tf.add(scores, tf.reshape(mask, [mask.shape[0] as number, 1, T, T]));
  return tf.matMul(tf.reshape(tf.softmax(seen), [B * H, T, T]), v);
}

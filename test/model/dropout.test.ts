import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { compile } from "../../src/engine/compile.js";
import { randomUniform } from "../../src/engine/operations.js";
import { keyOf, uniformNumbers } from "../../src/engine/random-numbers.js";
import { attend } from "../../src/model/attention.js";
import { dropoutMask, dropped } from "../../src/model/dropout.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { compileEvaluation, compileTraining, firstMoment, trainingVariables } from "../../src/train/optimizer.js";
import { engineNames, engineOptions, openForTest } from "../engines.js";
import { goldenBatch, goldenFolder, relativeError } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);
const key = Int32Array.from(keyOf(42, 7, 0));

test("uniformNumbers() are spread evenly, and those of other keys, streams and places are independent", () => {
  const count = 1 << 18;
  const first = uniformNumbers(key, 3, count);
  const others = [
    uniformNumbers(Int32Array.from(keyOf(42, 8, 0)), 3, count),
    uniformNumbers(Int32Array.from(keyOf(43, 7, 0)), 3, count),
    uniformNumbers(Int32Array.from(keyOf(42, 7, 1)), 3, count),
    uniformNumbers(key, 4, count),
    ...[1, 2, 64, 4096].map((shift) => uniformNumbers(key, 3, count + shift).slice(shift)),
  ];
  const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / count;
  assert.ok(Math.abs(mean(first) - 0.5) < 0.003, String(mean(first)));
  const tenths = new Array<number>(10).fill(0);
  for (const value of first) tenths[Math.floor(value * 10)] = (tenths[Math.floor(value * 10)] ?? 0) + 1;
  for (const tenth of tenths) assert.ok(Math.abs(tenth - count / 10) < 5 * Math.sqrt(count / 10), tenths.join(" "));
  for (const [i, other] of others.entries()) {
    const correlation = 12 * mean(first.map((value, place) => (value - 0.5) * ((other[place] as number) - 0.5)));
    assert.ok(Math.abs(correlation) < 5 / Math.sqrt(count), `${i}: ${correlation}`);
  }
});

for (const name of engineNames) {
  test(`randomUniform() and dropoutMask() on ${name} are those of every engine`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.dispose();
    const shape = [3, 5, 7];
    const drawn = await compile(
      ({ key }) => ({
        outputs: {
          numbers: randomUniform(key, shape, 9),
          mask: dropoutMask([4096], { rate: 0.25, key }, 1),
        },
      }),
      { ...engineOptions(name), inputs: { key: { shape: [2], dtype: "int32" } } },
    );
    try {
      const { numbers, mask } = await drawn.run({ key });
      assert.deepEqual(numbers, uniformNumbers(key, 9, 105));
      const expected = uniformNumbers(key, 1, 4096).map((value) => (value >= 0.25 ? 1 / 0.75 : 0));
      assert.deepEqual(mask, expected);
      const share = mask.filter((value) => value === 0).length / 4096;
      assert.ok(Math.abs(share - 0.25) < 0.03, String(share));
    } finally {
      await drawn.dispose();
    }
  });

  test(`dropout on ${name}: the loss hangs on the key, the gradient fits it, evaluation drops nothing`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const { batchSize: B, blockSize: T, targetCount: tokens, ...batch } = goldenBatch(0);
    const still = { step: 1, learningRate: 0, weightDecay: 0, clipNorm: 1e9, tokens };
    const other = Int32Array.from(keyOf(42, 8, 0));
    const moments: Map<string, Float32Array>[] = [];
    const losses: number[] = [];
    try {
      for (const gradientCheckpointing of [false, true]) {
        await engine.createVariables(trainingVariables(config, weights));
        const steps = compileTraining(engine, config, { B, T, gradientCheckpointing, dropoutRate: 0.3 });
        for (const randomKey of [other, key, key]) losses.push((await steps.step({ ...batch, randomKey }, still)).nats);
        // Of three steps with equal weights, the last two with one mask.
        moments.push(await engine.readVariables([...weights.keys()].map(firstMoment)));
      }
      const [another, once, again] = losses as [number, number, number];
      assert.equal(once, again);
      assert.notEqual(once, another);
      const [kept, remade] = moments as [Map<string, Float32Array>, Map<string, Float32Array>];
      for (const [moment, values] of kept) {
        const error = relativeError(remade.get(moment) ?? [], values);
        assert.ok(error < 1e-5, `${moment}: relative error ${error}`);
      }
      const evaluate = await compileEvaluation(engine, config, { B, T, dropoutRate: 0.3 });
      const plain = compileTraining(engine, config, { B, T });
      const error = relativeError([await evaluate(batch)], [(await plain.step(batch, still)).nats]);
      assert.ok(error < 1e-5, String(error));
    } finally {
      await engine.dispose();
    }
  });
}

test("dropped() and attend() with dropout have the gradients of their own masks", async () => {
  await tf.setBackend("cpu");
  const keyTensor = tf.tensor1d(key, "int32");
  const dropout = { rate: 0.4, key: keyTensor };
  const [G, T, D] = [2, 150, 4]; // more than one block of queries
  const drawn = (seed: number) => tf.randomNormal([G, T, D], 0, 1, "float32", seed);
  const [q, k, v, towards] = [drawn(1), drawn(2), drawn(3), drawn(4)] as const;
  const mask = tf.mul(tf.sub(1, tf.linalg.bandPart(tf.ones([1, T, T]), -1, 0)), -1e9);
  // The same attention in plain operations, its mask put together from those of the blocks.
  const masks = [0, 1].map((block) => {
    const [begin, end] = [block * 128, Math.min(T, block * 128 + 128)];
    const part = dropoutMask([G, end - begin, end], dropout, 12 + block);
    return tf.pad(part, [
      [0, 0],
      [0, 0],
      [0, T - end],
    ]);
  });
  const plain = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) => {
    const probabilities = tf.softmax(tf.add(tf.matMul(q, k, false, true), mask));
    return tf.sum(tf.mul(towards, tf.matMul(tf.mul(probabilities, tf.concat(masks, 1)), v))) as tf.Scalar;
  };
  const blockwise = (q: tf.Tensor, k: tf.Tensor, v: tf.Tensor) =>
    tf.sum(tf.mul(towards, attend(q, k, v, mask, { ...dropout, stream: 12 }))) as tf.Scalar;
  const [expected, actual] = [plain, blockwise].map((f) => tf.valueAndGrads(f)([q, k, v])) as [
    { value: tf.Tensor; grads: tf.Tensor[] },
    { value: tf.Tensor; grads: tf.Tensor[] },
  ];
  for (const [i, tensor] of [actual.value, ...actual.grads].entries()) {
    const error = relativeError(tensor.dataSync(), [expected.value, ...expected.grads][i]?.dataSync() ?? []);
    assert.ok(error < 1e-4, `${i}: ${error}`);
  }
  const slope = tf.grad((x) => tf.sum(dropped(x, dropout, 5)))(q);
  assert.deepEqual(slope.dataSync(), dropoutMask([G, T, D], dropout, 5).dataSync());
  assert.equal(dropped(q, undefined, 5), q);
});

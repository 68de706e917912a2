import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors, toFloat32 } from "../../src/model/safetensors.js";
import {
  compileEvaluation,
  compileTraining,
  type MicroBatch,
  type Trainable,
  trainingVariables,
} from "../../src/train/optimizer.js";
import { learningRateAt } from "../../src/train/schedule.js";
import { engineNames, openForTest } from "../engines.js";
import { golden, goldenBatch, goldenFolder } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);
const final = (await readSafetensors(join(goldenFolder, "final_num_items.safetensors"))).tensors;
const shape = { B: goldenBatch(0).batchSize, T: goldenBatch(0).blockSize };
const schedule = { name: "linear", learningRate: 2e-3, warmupSteps: 0, totalSteps: 12 } as const;

for (const name of engineNames) {
  test(`compileTraining() follows PyTorch's 12-step AdamW trace on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.createVariables(trainingVariables(config, weights));
    const steps = compileTraining(engine, config, shape);
    for (const expected of golden.trace_num_items) {
      const window = [0, 1].map((i) => goldenBatch(((expected.step - 1) % 4) * 2 + i));
      const tokens = window.reduce((sum, batch) => sum + batch.targetCount, 0);
      const learningRate = learningRateAt(schedule, expected.step - 1);
      await steps.accumulate(window[0] as MicroBatch);
      const update = { step: expected.step, learningRate, weightDecay: 0.01, clipNorm: 1, tokens };
      const { nats, gradientNorm } = await steps.step(window[1] as MicroBatch, update);
      assertNear(nats / tokens, expected.loss, `loss of step ${expected.step}`);
      assertNear(gradientNorm, expected.grad_norm, `gradient norm of step ${expected.step}`);
      assertNear(learningRate, expected.lr_used, `learning rate of step ${expected.step}`);
    }
    const names = [...weightShapes(config).keys()];
    const trained = await engine.readVariables(names);
    for (const weight of names) {
      const tensor = final.get(weight);
      assert.ok(tensor);
      const error = distance(comparable(weight, trained.get(weight)), comparable(weight, toFloat32(tensor, weight)));
      assert.ok(error < 1e-4, `${weight}: relative error ${error}`);
    }
    const evaluate = await compileEvaluation(engine, config, shape);
    let nats = 0;
    let tokens = 0;
    for (let i = 0; i < golden.batches.input_ids.length; i++) {
      nats += await evaluate(goldenBatch(i));
      tokens += goldenBatch(i).targetCount;
    }
    assertNear(nats / tokens, golden.final_eval_num_items.token_mean, "final evaluation");
    await engine.dispose();
  });
}

for (const name of engineNames) {
  test(`step() leaves weights and moments bit for bit when a gradient is not finite, on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const broken = new Map(weights).set("transformer.ln_f.bias", new Float32Array(config.width).fill(Number.NaN));
    await engine.createVariables(trainingVariables(config, broken));
    const steps = compileTraining(engine, config, shape);
    const update = { step: 3, learningRate: 1e-2, weightDecay: 0.1, clipNorm: 1, tokens: goldenBatch(0).targetCount };
    const { gradientNorm } = await steps.step(goldenBatch(0), update);
    assert.ok(Number.isNaN(gradientNorm));
    const names = [...trainingVariables(config, broken).keys()];
    for (const [variable, values] of await engine.readVariables(names)) {
      const expected = broken.get(variable) ?? new Float32Array(values.length);
      // As numbers: a GPU writes a NaN in other bits.
      assert.deepEqual([...values], [...expected], variable);
    }
    // The next good batch is not held up by the bad one.
    await engine.createVariables(trainingVariables(config, weights));
    assert.ok(Number.isFinite((await steps.step(goldenBatch(0), update)).gradientNorm));
    await engine.dispose();
  });
}

test("compileTraining() changes the trainable weights only, and small matrices beside frozen ones", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  const target = "transformer.h.0.mlp.c_fc.weight";
  const [rows, columns] = weightShapes(config).get(target) as [number, number];
  const trainable: Trainable = {
    shapes: new Map([
      ["down", [rows, 2]],
      ["up", [2, columns]],
      ["transformer.ln_f.bias", [config.width]],
    ]),
    weights: (variable) => (name) =>
      name === target
        ? tf.add(variable(name), tf.matMul(variable("down") as tf.Tensor2D, variable("up") as tf.Tensor2D))
        : variable(name),
  };
  const down = new Float32Array(rows * 2).fill(0.1);
  const variables = trainingVariables(config, new Map(weights).set("down", down), trainable);
  assert.equal(variables.size, weights.size + 2 + 3 * 2, "moments of what is trained only");
  await engine.createVariables(variables);
  const steps = compileTraining(engine, config, shape, { trainable });
  const before = await engine.readVariables([...weights.keys(), "up"]);
  const update = { step: 1, learningRate: 1e-2, weightDecay: 0, clipNorm: 1, tokens: goldenBatch(0).targetCount };
  await steps.step(goldenBatch(0), update);
  const after = await engine.readVariables([...weights.keys(), "up"]);
  const changed = [...before].filter(([name, values]) => !Buffer.from(values.buffer).equals(bytes(after.get(name))));
  assert.deepEqual(changed.map(([name]) => name).sort(), ["transformer.ln_f.bias", "up"]);
  const evaluate = await compileEvaluation(engine, config, shape, trainable);
  const difference = (await evaluate(goldenBatch(0))) - (await steps.accumulate(goldenBatch(0)));
  assert.ok(Math.abs(difference) < 1e-3, "evaluation sees the trained matrices");
  await engine.dispose();
});

function bytes(values: Float32Array = new Float32Array()): Buffer {
  return Buffer.from(values.buffer);
}

// The bias of the keys has gradient zero (a softmax does not see a shift of all its scores), so what rounding leaves of it
// is scaled up to full steps by Adam in every implementation: the middle third of c_attn.bias is nobody's truth.
function comparable(weight: string, values: Float32Array = new Float32Array()): Float32Array {
  if (!weight.endsWith("c_attn.bias")) return values;
  const C = values.length / 3;
  return values.map((value, i) => (i >= C && i < 2 * C ? 0 : value));
}

// ‖actual − expected‖ / ‖expected‖: single elements whose gradient is nearly zero are at the mercy of rounding, see above.
function distance(actual: Float32Array, expected: Float32Array): number {
  const difference = actual.map((value, i) => value - (expected[i] as number));
  return Math.hypot(...difference) / Math.hypot(...expected);
}

function assertNear(actual: number, expected: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= 1e-4 * Math.abs(expected), `${what}: ${actual}, expected ${expected}`);
}

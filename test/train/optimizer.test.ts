import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors, toFloat32 } from "../../src/model/safetensors.js";
import { compileEvaluation, compileTraining, trainingVariables } from "../../src/train/optimizer.js";
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
    const steps = await compileTraining(engine, config, shape);
    for (const expected of golden.trace_num_items) {
      const window = [0, 1].map((i) => goldenBatch(((expected.step - 1) % 4) * 2 + i));
      const tokens = window.reduce((sum, batch) => sum + batch.targetCount, 0);
      let nats = 0;
      for (const batch of window) nats += await steps.accumulate(batch);
      const norm = (await steps.gradientNorm()) / tokens;
      const learningRate = learningRateAt(schedule, expected.step - 1);
      const gradientScale = Math.min(1, 1 / (norm + 1e-6)) / tokens;
      await steps.update({ step: expected.step, learningRate, weightDecay: 0.01, gradientScale });
      assertNear(nats / tokens, expected.loss, `loss of step ${expected.step}`);
      assertNear(norm, expected.grad_norm, `gradient norm of step ${expected.step}`);
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

test("update() leaves the weights as they are after discard()", async (t) => {
  const engine = await openForTest("cpu");
  if (typeof engine === "string") return t.skip(engine);
  await engine.createVariables(trainingVariables(config, weights));
  const steps = await compileTraining(engine, config, shape);
  await steps.accumulate(goldenBatch(0));
  await steps.discard();
  assert.equal(await steps.gradientNorm(), 0);
});

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

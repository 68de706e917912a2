import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPlan, checkPositions } from "../src/config/contradictions.js";
import { resolveConfig, type TrainingConfig, trainingDefaults } from "../src/config.js";
import { planRun } from "../src/train/plan.js";

test("resolveConfig() gives the guide's defaults", () => {
  const config = resolveConfig();
  assert.deepEqual(config, trainingDefaults);
  const { numEpochs, batchSize, learningRate, earlyStoppingPatience, blockSize } = config;
  const guide = { numEpochs: 3, batchSize: 4, learningRate: 2e-5, earlyStoppingPatience: 2, blockSize: 512 };
  assert.deepEqual({ numEpochs, batchSize, learningRate, earlyStoppingPatience, blockSize }, guide);
  assert.deepEqual([config.outputDir, config.finalModelDir], ["./gpt2_finetuned", "./final_model"]);
});

test("resolveConfig() refuses a misspelt knob with the nearest one", () => {
  const misspelt = { learningrate: 1 } as Partial<TrainingConfig>;
  assert.throws(() => resolveConfig(misspelt), {
    name: "RangeError",
    message:
      'Cannot read the training configuration: a knob named "learningrate", expected "learningRate". Fix: rename it to learningRate.',
  });
  assert.throws(
    () => resolveConfig({ zzz: 1 } as Partial<TrainingConfig>),
    /expected one of modelName, .* Fix: remove zzz\.$/,
  );
});

const refused: [Partial<Record<keyof TrainingConfig, unknown>>, string, RegExp][] = [
  [
    { modelName: "" },
    "RangeError",
    /^Cannot use modelName: "", expected a text that is not empty\. Fix: set modelName: "fledge-base"/,
  ],
  [{ initialWeights: "zero" }, "RangeError", /"pretrained" or "random"/],
  [{ datasetName: 3 }, "TypeError", /^Cannot use datasetName: 3/],
  [{ maxDocuments: -1 }, "RangeError", /an integer ≥ 0/],
  [
    { numEpochs: 0 },
    "RangeError",
    /^Cannot use numEpochs: 0, expected an integer ≥ 1\. Fix: set numEpochs: 3, the default\.$/,
  ],
  [{ numEpochs: 1.5 }, "RangeError", /an integer ≥ 1/],
  [{ batchSize: "4" }, "TypeError", /^Cannot use batchSize: "4"/],
  [{ blockSize: 1 }, "RangeError", /an integer ≥ 2/],
  [{ learningRate: 0 }, "RangeError", /a number above 0 and at most 1/],
  [{ learningRate: Number.NaN }, "RangeError", /^Cannot use learningRate: NaN/],
  [{ schedule: "step" }, "RangeError", /"linear" or "cosine" or "constant" or "wsd"/],
  [{ decayFraction: 0 }, "RangeError", /a number above 0 and at most 1/],
  [{ minDelta: -0.1 }, "RangeError", /a number ≥ 0/],
  [{ maxMinutes: Number.POSITIVE_INFINITY }, "RangeError", /^Cannot use maxMinutes: Infinity/],
  [
    { warmupSteps: 20, maxSteps: 20 },
    "RangeError",
    /^Cannot use warmupSteps: 20: a run of 20 steps, which would never reach its learning rate, expected fewer than 20\. Fix: set warmupSteps: 2\.$/,
  ],
  [
    { evaluationsPerEpoch: 0.2, earlyStoppingPatience: 0 },
    "RangeError",
    /^Cannot keep the best weights: no evaluation on the way: evaluationsPerEpoch 0\.2, expected at least one evaluation to choose by\. Fix: set evaluationsPerEpoch: 2, or keepBest: false to keep the last weights\.$/,
  ],
  [
    { evaluateEverySteps: 50, maxSteps: 40 },
    "RangeError",
    /no evaluation on the way: evaluateEverySteps 50 in 40 steps, .* Fix: set evaluateEverySteps: 10, or/,
  ],
  [{ weightDecay: 2 }, "RangeError", /a number from 0 to 1/],
  [{ clipNorm: 0 }, "RangeError", /a number above 0/],
  [{ validationFraction: 0 }, "RangeError", /above 0 and below 1/],
  [{ mixedPrecision: "yes" }, "RangeError", /true, false or "auto"/],
  [{ engine: "gpu" }, "RangeError", /"tensorflow" or "tfjs-node" or "wasm" or "cpu" or "auto"/],
  [{ resume: 1 }, "TypeError", /true, false or "auto"/],
  [{ validationFraction: 0.6, testFraction: 0.4 }, "RangeError", /a sum below 1/],
];
for (const [settings, name, message] of refused) {
  test(`resolveConfig() refuses ${JSON.stringify(settings)}`, () => {
    assert.throws(() => resolveConfig(settings as Partial<TrainingConfig>), { name, message });
  });
}

test("resolveConfig() refuses early stopping that could never fire, and accepts its own advice", () => {
  const settings = { numEpochs: 3, evaluationsPerEpoch: 1, earlyStoppingPatience: 2 };
  assert.throws(() => resolveConfig(settings), {
    name: "RangeError",
    message:
      "Cannot use earlyStoppingPatience: 2: 3 evaluations in the whole run, so that it could never stop early, expected more than 3 evaluations. Fix: set evaluationsPerEpoch: 2, or earlyStoppingPatience: 0 to run all epochs.",
  });
  assert.doesNotThrow(() => resolveConfig({ ...settings, evaluationsPerEpoch: 2 }));
  assert.doesNotThrow(() => resolveConfig({ ...settings, earlyStoppingPatience: 0 }));
});

test("checkPlan() refuses what only the data can show: batch, warm-up, evaluations, patience", () => {
  // 80 blocks, batches of 4 × 2: ten steps an epoch.
  const refusal = (settings: Partial<TrainingConfig>, blocks = 80) => {
    const config = resolveConfig({ numEpochs: 1, earlyStoppingPatience: 0, ...settings });
    return () => checkPlan(config, planRun(config, blocks), blocks);
  };
  assert.doesNotThrow(refusal({}));
  assert.throws(refusal({ batchSize: 16 }, 9), {
    name: "RangeError",
    message:
      "Cannot use batchSize: 16: 9 blocks of training text, expected at most 9. Fix: set batchSize: 9, a smaller blockSize, or give more text.",
  });
  assert.throws(refusal({ warmupSteps: 10 }), /^RangeError: Cannot use warmupSteps: 10: a run of 10 steps/);
  assert.throws(refusal({ evaluateEverySteps: 11 }), /evaluateEverySteps 11 in 10 steps/);
  const patient = { earlyStoppingPatience: 3, evaluateEverySteps: 3 };
  assert.throws(
    refusal(patient),
    /^RangeError: Cannot use earlyStoppingPatience: 3: 4 evaluations in the whole run, .* Fix: set evaluateEverySteps: 2, or/,
  );
  assert.doesNotThrow(refusal({ ...patient, evaluateEverySteps: 2 }), "its own advice");
  assert.doesNotThrow(refusal({ ...patient, maxSteps: 9 }), "a run that is cut short on purpose");
});

test("checkPositions() refuses a block longer than the model can look at", () => {
  assert.throws(() => checkPositions(resolveConfig({ blockSize: 2048 }), 1024), {
    name: "RangeError",
    message:
      'Cannot use blockSize: 2048: a model "fledge-base" of 1024 positions, expected at most 1024. Fix: set blockSize: 1024.',
  });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveConfig, type TrainingConfig, trainingDefaults } from "../src/config.js";

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
  [{ schedule: "step" }, "RangeError", /"linear" or "cosine" or "constant"/],
  [{ weightDecay: 2 }, "RangeError", /a number from 0 to 1/],
  [{ clipNorm: 0 }, "RangeError", /a number above 0/],
  [{ validationFraction: 0 }, "RangeError", /above 0 and below 1/],
  [{ mixedPrecision: "yes" }, "RangeError", /true, false or "auto"/],
  [{ engine: "gpu" }, "RangeError", /"tensorflow" or "wasm" or "cpu" or "auto"/],
  [{ resume: 1 }, "TypeError", /true or false/],
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

import assert from "node:assert/strict";
import { test } from "node:test";
import { datasetOf } from "../src/data/dataset.js";
import { explainConfig } from "../src/explain.js";
import { jupyterDisplay } from "../src/view/display.js";

const documents = Array.from({ length: 40 }, (_, i) => ({
  id: `d${i}`,
  text: Array.from({ length: 60 }, (_, word) => `word ${i * 61 + word * word}`).join(" and "),
}));
const dataset = datasetOf({ name: "counting", documents, origin: "this test", licence: "CC0" });

test("explainConfig() says what the run will do: steps, tokens an update, evaluations, first early stop, disk", async () => {
  const settings = { blockSize: 64, batchSize: 2, evaluateEverySteps: 10, schedule: "wsd", warmupSteps: 5 } as const;
  const { lines, ...plan } = await explainConfig({ ...settings, numEpochs: 2 }, { dataset });
  const { totalSteps, stepsPerEpoch } = plan;
  assert.equal(totalSteps, 2 * stepsPerEpoch);
  assert.equal(plan.tokensPerStep, 2 * 2 * 64);
  assert.equal(plan.evaluations, 2 + Math.floor((totalSteps - 1) / 10));
  assert.equal(plan.earliestStop, 20);
  assert.equal(plan.checkpointBytes, 3 * 4 * 4_339_200, "weights and two moments of every parameter, in float32");
  assert.equal(plan.diskBytes, (3 * 3 + 1) * 4 * 4_339_200);
  const shown = lines.join("\n");
  for (const said of [
    /^model: fledge-base, 4,339,200 parameters; data: counting, [\d,]+ tokens to train on and [\d,]+ to validate$/m,
    new RegExp(`^steps: ${totalSteps} in 2 epochs of ${stepsPerEpoch}, each of 256 tokens \\(2 × 64, 2 times\\)$`, "m"),
    /^learning rate: 2e-5, constant, falling to 0 in the last \d+ steps, after 5 steps of warm-up \(a model as small as this learns faster with 1e-3\)$/m,
    /^evaluations: \d+, before the first step, then after step 10, about every 10 steps; the best and the last weights are kept$/m,
    /^early stopping: after 2 evaluations in a row without improvement, at step 20 at the earliest$/m,
    /^checkpoints: 52.1 MB each, at most 174 MB on disk, in \.\/gpt2_finetuned; the finished model in \.\/final_model$/m,
  ]) {
    assert.match(shown, said);
  }
  const { [jupyterDisplay]: show } = await explainConfig(settings, { dataset });
  assert.match(String(show()["text/plain"]), /^model: /);
});

test("explainConfig() says that early stopping cannot fire in a run cut short, and what a time budget does", async () => {
  const { lines } = await explainConfig({ blockSize: 64, maxSteps: 4, maxMinutes: 5 }, { dataset });
  assert.match(lines.join("\n"), /^early stopping: cannot fire, since the run is evaluated only once after a step/m);
  assert.match(lines.join("\n"), /, or until 5 minutes are over$/m);
});

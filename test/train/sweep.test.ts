import assert from "node:assert/strict";
import { test } from "node:test";
import { rankTrials, runSweep, sweepTrials, type Trial, type TrialResult } from "../../src/train/sweep.js";
import { bundleOf } from "../../src/view/display.js";
import { sweepFigure, sweepTable } from "../../src/view/sweep.js";
import { sampleRun } from "../view/sample-run.js";

const trials = sweepTrials({ seed: 7 }, { learningRate: [1e-4, 1e-3], blockSize: [64, 128] }, "out");

async function resultsOf(run: (trial: Trial) => Promise<object>, done = new Map<string, TrialResult>()) {
  const results: TrialResult[] = [];
  for await (const result of runSweep(trials, done, run)) results.push(result);
  return results;
}

test("sweepTrials() makes every combination, each with a folder of its own and the knobs of all", () => {
  assert.deepEqual(
    trials.map(({ name }) => name),
    [
      "blockSize=64,learningRate=0.0001",
      "blockSize=64,learningRate=0.001",
      "blockSize=128,learningRate=0.0001",
      "blockSize=128,learningRate=0.001",
    ],
  );
  assert.deepEqual(trials[1]?.settings, {
    ...{ seed: 7, blockSize: 64, learningRate: 1e-3 },
    outputDir: "out/blockSize=64,learningRate=0.001/run",
    finalModelDir: "out/blockSize=64,learningRate=0.001/model",
  });
});

test("sweepTrials() refuses before the first trial what would fail in a later one", () => {
  assert.throws(() => sweepTrials({}, { learningRate: [1e-4, 2] }, "out"), /^RangeError: Cannot use learningRate: 2,/);
  assert.throws(() => sweepTrials({}, {}, "out"), {
    name: "RangeError",
    message:
      "Cannot plan a sweep: no knob to vary, expected at least one knob with the values to try. Fix: give { learningRate: [1e-4, 1e-3] }, or --vary learningRate=1e-4,1e-3.",
  });
  assert.throws(() => sweepTrials({}, { seed: [] }, "out"), /no value for seed/);
  assert.throws(
    () => sweepTrials({}, { resume: [true] }, "out"),
    /^RangeError: Cannot vary resume in a sweep: .* Fix: /,
  );
});

test("runSweep() keeps what is done, tries a failure again, and goes on after one", async () => {
  const calls: string[] = [];
  const run = async ({ name }: Trial) => {
    calls.push(name);
    if (name.includes("128") && name.includes("0.001")) throw new Error("the loss is not finite");
    return { bestValidationLoss: name.includes("128") ? 3 : 4, bestStep: 10, seconds: 1 };
  };
  const first = await resultsOf(run);
  assert.deepEqual(
    first.map(({ bestValidationLoss, failure }) => bestValidationLoss ?? failure),
    [4, 4, 3, "the loss is not finite"],
  );
  calls.length = 0;
  await resultsOf(run, new Map(first.map((result) => [result.name, result])));
  assert.deepEqual(calls, ["blockSize=128,learningRate=0.001"]);
  const order = rankTrials(first).map(({ name }) => name);
  assert.equal(order[0], "blockSize=128,learningRate=0.0001");
  assert.equal(order.at(-1), "blockSize=128,learningRate=0.001", "failures stand last");
});

test("sweepTable() lists trials from best to worst, sweepFigure() draws the best", () => {
  const results: TrialResult[] = trials.map((trial, i) =>
    i === 3
      ? { ...trial, failure: "out of memory" }
      : { ...trial, bestValidationLoss: 4 - i, bestStep: i, seconds: 60 },
  );
  const text = String(bundleOf(sweepTable(results))["text/plain"]);
  assert.match(text, /place\s+blockSize\s+learningRate\s+validation loss\s+at step\s+time/);
  assert.match(text, /1\s+128\s+0\.0001\s+2\.000/);
  assert.match(text, /failed\s+128\s+0\.001\s+out of memory/);
  const runs = results.slice(0, 3).map((result) => ({ result, events: sampleRun({ steps: 60 }) }));
  const { data } = sweepFigure(runs);
  assert.deepEqual(
    data.filter(({ showlegend }) => showlegend !== false).map(({ name }) => name),
    ["blockSize=128,learningRate=0.0001", "blockSize=64,learningRate=0.001", "blockSize=64,learningRate=0.0001"],
  );
});

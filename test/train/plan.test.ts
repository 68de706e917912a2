import assert from "node:assert/strict";
import { test } from "node:test";
import { type PlanKnobs, planRun } from "../../src/train/plan.js";

const knobs: PlanKnobs = {
  ...{ batchSize: 4, gradientAccumulation: 2, blockSize: 128, numEpochs: 3, maxSteps: 0 },
  ...{ evaluationsPerEpoch: 2, evaluateEverySteps: 0, earlyStoppingPatience: 2 },
};
const evaluations = (changes: Partial<PlanKnobs>, blocks = 80) => [
  ...planRun({ ...knobs, ...changes }, blocks).evaluationSteps,
];

test("planRun() counts the steps of epochs, the last short window included, or takes maxSteps", () => {
  const { perEpoch, total, tokensPerStep } = planRun(knobs, 81);
  assert.deepEqual([perEpoch, total, tokensPerStep], [11, 33, 1024]);
  assert.equal(planRun({ ...knobs, maxSteps: 20 }, 81).total, 20);
  assert.equal(planRun({ ...knobs, maxSteps: 99 }, 81).total, 33);
});

test("planRun() evaluates before the first step, at fractions of an epoch or every n steps, and after the last", () => {
  assert.deepEqual(evaluations({}), [0, 5, 10, 15, 20, 25, 30]);
  assert.deepEqual(evaluations({ evaluationsPerEpoch: 3 }), [0, 3, 7, 10, 13, 17, 20, 23, 27, 30]);
  assert.deepEqual(evaluations({ evaluationsPerEpoch: 0.5 }), [0, 20, 30]);
  assert.deepEqual(evaluations({ evaluationsPerEpoch: 0 }), [0, 30]);
  assert.deepEqual(evaluations({ evaluationsPerEpoch: 50, numEpochs: 1, maxSteps: 3 }), [0, 1, 2, 3]);
  assert.deepEqual(evaluations({ evaluateEverySteps: 12 }), [0, 12, 24, 30]);
});

test("planRun() says when early stopping can first end the run, or that it cannot", () => {
  assert.equal(planRun(knobs, 80).earliestStop, 10);
  assert.equal(planRun({ ...knobs, evaluateEverySteps: 12 }, 80).earliestStop, 24);
  assert.equal(planRun({ ...knobs, evaluateEverySteps: 15 }, 80).earliestStop, undefined);
  assert.equal(planRun({ ...knobs, earlyStoppingPatience: 0 }, 80).earliestStop, undefined);
});

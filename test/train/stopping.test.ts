import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { randomWeights } from "../../src/model/initial.js";
import { loadCheckpoint } from "../../src/train/checkpoint.js";
import type { EvaluationEvent, TrainEvent } from "../../src/train/events.js";
import { tinyModel, tinyRun } from "./tiny-run.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-stopping-"));
after(() => rm(scratch, { recursive: true }));

const evaluations = (events: readonly TrainEvent[]) =>
  events.filter((event): event is EvaluationEvent => event.type === "evaluation");

test("runTraining() stops when maxMinutes are over, evaluated and saved where it stands", async () => {
  // Every look at the clock is a second: a minute is over long before the run is.
  let seconds = 0;
  const now = () => 1000 * seconds++;
  const { events, result } = await tinyRun(join(scratch, "minutes"), { maxMinutes: 0.5, numEpochs: 9 }, { now });
  assert.equal(result.reason, "time-limit");
  assert.ok(result.step > 0 && result.step < 90, `${result.step} steps`);
  assert.equal(evaluations(events).at(-1)?.step, result.step);
  const saved = events.findLast(({ type }) => type === "checkpoint");
  assert.equal(saved?.type === "checkpoint" && saved.step, result.step);
});

test("runTraining() counts an evaluation that is better by less than minDelta as no improvement, yet keeps the best", async () => {
  const settings = { evaluateEverySteps: 2, earlyStoppingPatience: 3, minDelta: 100 };
  const { events, result } = await tinyRun(join(scratch, "delta"), settings);
  assert.deepEqual(
    evaluations(events).map((event) => event.evaluationsWithoutImprovement),
    [0, 1, 2, 3],
  );
  assert.deepEqual([result.reason, result.step], ["early-stopping", 6]);
  assert.equal(
    result.best.validationLoss,
    Math.min(...evaluations(events).map(({ validationLoss }) => validationLoss)),
    "the weights that are kept are the best, whatever counts as improvement",
  );
});

test("runTraining() with keepBest off ends with the last weights", async () => {
  // At this rate the loss only gets worse, so the best weights are those of before the run.
  const worse = { learningRate: 1, schedule: "constant", numEpochs: 1, clipNorm: 1e3 } as const;
  let reads = 0;
  const readWeights = async () => {
    reads++;
    return randomWeights(tinyModel, 1);
  };
  const best = await tinyRun(join(scratch, "best"), worse, { readWeights });
  assert.equal(best.result.best.step, 0);
  assert.deepEqual([...best.result.weights], [...randomWeights(tinyModel, 1)]);
  assert.equal(reads, 2, "for its start, and for its end: a run keeps none");
  assert.equal(best.result.validationLoss, best.result.baseLoss);
  const { events, result } = await tinyRun(join(scratch, "last"), { ...worse, keepBest: false });
  assert.equal(result.validationLoss, evaluations(events).at(-1)?.validationLoss);
  const saved = await loadCheckpoint(join(scratch, "last/checkpoint-000010"));
  assert.deepEqual([...result.weights], [...saved.weights]);
});

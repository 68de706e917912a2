/** One real fine-tune: the embedded base model on a little text overfits, is stopped, and ends with its best weights. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { datasetOf, loadDataset } from "../../src/data/dataset.js";
import { train } from "../../src/fine-tune.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { checkpointName, loadCheckpoint } from "../../src/train/checkpoint.js";
import type { EvaluationEvent, FinishEvent } from "../../src/train/events.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-early-"));
after(() => rm(scratch, { recursive: true, force: true }));

test("train() stops the base model when it overfits, and ends with the weights of its best evaluation", async () => {
  const sotu = await loadDataset("sotu", { maxDocuments: 10, seed: 42 });
  const beginnings = sotu.documents.map((document) => ({ ...document, text: document.text.slice(0, 1500) }));
  const settings = {
    ...{ outputDir: join(scratch, "run"), finalModelDir: join(scratch, "final"), dataGate: "warn" as const },
    ...{ validationFraction: 0.2, blockSize: 64, batchSize: 4, gradientAccumulation: 1, numEpochs: 20 },
    ...{ learningRate: 1e-3, schedule: "constant" as const, evaluateEverySteps: 6, earlyStoppingPatience: 2 },
    mixedPrecision: false,
  };
  const evaluations: EvaluationEvent[] = [];
  let finish: FinishEvent | undefined;
  for await (const event of train(settings, { dataset: datasetOf({ ...sotu, documents: beginnings }) })) {
    if (event.type === "evaluation") evaluations.push(event);
    if (event.type === "finish") finish = event;
  }
  assert.equal(finish?.reason, "early-stopping");
  assert.ok(finish.bestStep > 0 && finish.bestStep < finish.step, `best ${finish.bestStep} of ${finish.step}`);
  assert.deepEqual(
    evaluations.slice(-2).map((event) => event.evaluationsWithoutImprovement),
    [1, 2],
  );
  assert.equal(finish.bestValidationLoss, Math.min(...evaluations.map(({ validationLoss }) => validationLoss)));
  const best = await loadCheckpoint(join(scratch, "run", checkpointName(finish.bestStep)));
  const last = await loadCheckpoint(join(scratch, "run", checkpointName(finish.step)));
  const final = await loadPretrained(join(scratch, "final"));
  const wte = "transformer.wte.weight";
  assert.deepEqual([...final.weights], [...best.weights]);
  assert.notDeepEqual(final.weights.get(wte), last.weights.get(wte));
});

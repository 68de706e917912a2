/** prepareRun() and the weights of its model: handed over once, read anew, refused when their file has changed. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { randomWeights } from "../src/model/initial.js";
import { loadPretrained } from "../src/model/pretrained.js";
import { packageRoot } from "../src/paths.js";
import { prepareRun } from "../src/prepare.js";

const folder = await mkdtemp(join(tmpdir(), "fledge-prepare-"));
after(() => rm(folder, { recursive: true }));
const modelName = join(folder, "model");
await cp(join(packageRoot(), "models/fledge-base"), modelName, { recursive: true });
const datasetName = join(folder, "rows.txt");
await writeFile(datasetName, Array.from({ length: 200 }, (_, i) => `Row ${i} is ${i * i}.\n\n`).join(""));
const settings = { modelName, datasetName, blockSize: 16, batchSize: 2, dataGate: "warn" } as const;

test("prepareRun() gives a model that reads its weights as often as they are wanted, and keeps none", async () => {
  const { model } = await prepareRun(settings);
  const { weights, sha256 } = await loadPretrained(modelName);
  assert.equal(model.sha256, sha256);
  const [first, second] = [await model.readWeights(), await model.readWeights()];
  assert.deepEqual([first, second], [weights, weights]);
  assert.notEqual(first, second);
});

test("prepareRun() gives a model that refuses a file that has changed since", async () => {
  const { model } = await prepareRun(settings);
  await model.readWeights();
  const path = join(modelName, "model.safetensors");
  const whole = await readFile(path);
  const altered = Buffer.from(whole);
  altered[altered.length - 1] = (altered.at(-1) as number) ^ 1;
  await writeFile(path, altered);
  const { sha256 } = await loadPretrained(modelName);
  await assert.rejects(model.readWeights(), {
    name: "RangeError",
    message: `Cannot read the weights in ${modelName} again: files with sha256 ${sha256}, expected ${model.sha256}, those that the run began with. Fix: put these files back and go on with resume: true.`,
  });
  await writeFile(path, whole);
  assert.equal((await model.readWeights()).size, 52);
});

test("prepareRun() gives a model whose random weights are drawn alike each time", async () => {
  const { model } = await prepareRun({ ...settings, initialWeights: "random", seed: 7 });
  const expected = randomWeights(model.config, 7);
  assert.deepEqual([await model.readWeights(), await model.readWeights()], [expected, expected]);
});

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveConfig } from "../../src/config.js";
import { openEager } from "../../src/engine/eager.js";
import { loadCheckpoint } from "../../src/train/checkpoint.js";
import { checkpointToResume, engineWarning } from "../../src/train/resume.js";
import { tinyModel, tinyRun } from "./tiny-run.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-resume-"));
after(() => rm(scratch, { recursive: true, force: true }));
const hashes = ["model", "data", "tokenizer", "split"];
const identity = Object.fromEntries(hashes.map((name) => [name, "a".repeat(64)]));
await tinyRun(scratch, { maxSteps: 1, keepBest: false, evaluationsPerEpoch: 0 }, { identity });
const checkpoint = await loadCheckpoint(join(scratch, "checkpoint-000001"));

test("checkpointToResume() refuses a model of another shape", async () => {
  const config = resolveConfig({ outputDir: scratch, resume: true });
  await assert.rejects(checkpointToResume({ config, identity: {}, modelConfig: { ...tinyModel, layers: 2 } }), {
    name: "RangeError",
    message:
      /^Cannot resume from .*: a model of 2,224 parameters and another shape, expected the shape of its 1,352 parameters\. Fix: set modelName back, or resume: false to start afresh\.$/,
  });
});

for (const name of hashes) {
  test(`checkpointToResume() refuses another ${name} by its name, and takes it when it is told to`, async () => {
    const config = resolveConfig({ outputDir: scratch, resume: true });
    const [is, was] = ["b".repeat(64), "a".repeat(64)];
    const run = { identity: { ...identity, [name]: is }, modelConfig: tinyModel };
    await assert.rejects(checkpointToResume({ config, ...run }), (error: Error) => {
      assert.ok(error.message.includes(`a run with ${name} ${is}, expected ${name} ${was}. Fix: `), error.message);
      assert.ok(error.message.includes(`resumeAnyway: ["${name}"]`));
      return true;
    });
    const anyway = resolveConfig({ outputDir: scratch, resume: true, resumeAnyway: [name] });
    const { warnings } = (await checkpointToResume({ config: anyway, ...run })) ?? {};
    assert.deepEqual(warnings, [`Resumed with another ${name}, as asked: ${is} instead of ${was}.`]);
  });
}

test("engineWarning() says when a run goes on with another engine, and nothing when it is the same", async () => {
  const engine = await openEager("cpu");
  assert.deepEqual(engineWarning(checkpoint, engine), []);
  const [warning, ...more] = engineWarning(checkpoint, { ...engine, description: "wasm (another)" });
  assert.equal(
    warning,
    `The run began with ${engine.description} and goes on with wasm (another): its numbers will differ by rounding.`,
  );
  assert.deepEqual(more, []);
});

test("resolveConfig() refuses adapters beside random weights", () => {
  assert.throws(() => resolveConfig({ initialWeights: "random", loraRank: 8 }), {
    name: "RangeError",
    message:
      'Cannot use loraRank: 8: initialWeights "random", which adapters would leave random, expected pretrained weights beside adapters. Fix: set initialWeights: "pretrained", or loraRank: 0.',
  });
});

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveConfig } from "../../src/config.js";
import type { PackedBlocks } from "../../src/data/pack.js";
import { seededRandom } from "../../src/data/random.js";
import { openEager } from "../../src/engine/eager.js";
import type { Engine } from "../../src/engine/engine.js";
import { randomWeights } from "../../src/model/initial.js";
import { packageRoot } from "../../src/paths.js";
import type { TrainEvent } from "../../src/train/events.js";
import { runTraining } from "../../src/train/trainer.js";
import { readableLoss } from "../../src/train/trainer-evaluate.js";
import type { TrainingResult } from "../../src/train/trainer-run.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-trainer-"));
after(() => rm(scratch, { recursive: true }));
await cp(join(packageRoot(), "models/fledge-base/tokenizer.json"), join(scratch, "tokenizer.json"));

const modelConfig = {
  ...{ vocabularySize: 50, positions: 8, width: 8, layers: 1, heads: 2 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 49 },
};

function blocks(count: number, seed: number): PackedBlocks {
  const random = seededRandom(seed);
  const tokens = Uint32Array.from({ length: count * 8 + 1 }, () => random.integer(50));
  const sizes = { sourceTokens: tokens.length, droppedTokens: 0, textBytes: tokens.length * 3 };
  return { tokens, blockSize: 8, count, ...sizes, block: (i) => tokens.subarray(i * 8, i * 8 + 9) };
}

// The real engine, whose steps are told at the given calls that the loss so far is NaN.
async function engineWithBadGradients(calls: ReadonlySet<number>): Promise<Engine> {
  const engine = await openEager("cpu");
  let call = 0;
  const compile: Engine["compile"] = async (name, inputs, step) => {
    const compiled = await engine.compile(name, inputs, step);
    if (name !== "step") return compiled;
    const run: typeof compiled.run = (values) =>
      compiled.run(calls.has(++call) ? { ...values, natsBefore: Float32Array.of(Number.NaN) } : values);
    return { ...compiled, run };
  };
  return { ...engine, compile };
}

async function run(badCalls: number[], outputDir: string): Promise<{ events: TrainEvent[]; result: TrainingResult }> {
  const training = runTraining({
    config: resolveConfig({
      blockSize: 8,
      batchSize: 2,
      gradientAccumulation: 1,
      numEpochs: 2,
      earlyStoppingPatience: 0,
      outputDir,
      learningRate: 1e-2,
    }),
    engine: await engineWithBadGradients(new Set(badCalls)),
    engineReason: "test",
    runId: "test",
    modelConfig,
    weights: randomWeights(modelConfig, 1),
    train: blocks(10, 1),
    validation: blocks(4, 2),
    identity: {},
    tokenizerFolder: scratch,
    now: () => 0,
  });
  const events: TrainEvent[] = [];
  while (true) {
    const next = await training.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}

test("runTraining() refuses a step whose gradient is not finite and goes on with the weights as they were", async () => {
  const { events, result } = await run([2], join(scratch, "one"));
  const skipped = events.filter(({ type }) => type === "skipped");
  assert.deepEqual(skipped, [{ type: "skipped", step: 2, reason: (skipped[0] as { reason: string }).reason }]);
  assert.match((skipped[0] as { reason: string }).reason, /^loss NaN and gradient norm .*: the weights are unchanged$/);
  assert.equal(result.step, 10);
  for (const values of result.weights.values()) assert.ok(values.every(Number.isFinite));
});

test("runTraining() gives up after three refused steps in a row, with the knob to change", async () => {
  await assert.rejects(run([2, 3, 4], join(scratch, "three")), {
    name: "RangeError",
    message:
      /^Cannot go on training: loss NaN and gradient norm [\d.]+ in 3 steps in a row; .* Fix: set learningRate: 0\.001, or warmupSteps: 100\.$/,
  });
  assert.equal((await run([2, 3, 5, 6], join(scratch, "apart"))).result.step, 10);
});

test("readableLoss() turns nats a token into perplexity and bits a byte", () => {
  const { perplexity, bitsPerByte } = readableLoss(Math.LN2 * 3, blocks(2, 1));
  assert.ok(Math.abs(perplexity - 8) < 1e-12);
  // 3 bits a token, 3 bytes a token.
  assert.ok(Math.abs(bitsPerByte - 1) < 1e-12);
});

/** The loop itself: refused steps, spikes, memory that runs out, the loss of a window. Resuming is in resume.test.ts. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { resolveConfig } from "../../src/config.js";
import { openEager } from "../../src/engine/eager.js";
import type { Engine } from "../../src/engine/engine.js";
import { watchCompiles } from "../../src/engine/watch-compile.js";
import { trainingSampler } from "../../src/generate/training-samples.js";
import { packageRoot } from "../../src/paths.js";
import type { TrainEvent } from "../../src/train/events.js";
import { readableLoss } from "../../src/train/trainer-evaluate.js";
import { tinyBlocks, tinyModel, tinyRun } from "./tiny-run.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-trainer-"));
after(() => rm(scratch, { recursive: true }));

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

async function runWithBadGradients(name: string, ...calls: number[]) {
  return tinyRun(join(scratch, name), { numEpochs: 1 }, { engine: await engineWithBadGradients(new Set(calls)) });
}

function ofType<Type extends TrainEvent["type"]>(events: readonly TrainEvent[], type: Type) {
  return events.filter((event): event is Extract<TrainEvent, { type: Type }> => event.type === type);
}

test("runTraining() refuses a step whose gradient is not finite and goes on with the weights as they were", async () => {
  const { events, result } = await runWithBadGradients("one", 2);
  const skipped = ofType(events, "skipped");
  assert.equal(skipped.length, 1);
  assert.equal(skipped[0]?.step, 2);
  assert.match(skipped[0]?.reason ?? "", /^loss NaN and gradient norm .*: the weights are unchanged$/);
  assert.equal(result.step, 10);
  for (const values of result.weights.values()) assert.ok(values.every(Number.isFinite));
});

test("runTraining() gives up after three refused steps in a row, with the documents and the knob to change", async () => {
  await assert.rejects(runWithBadGradients("three", 2, 3, 4), {
    name: "RangeError",
    message:
      /^Cannot go on training: loss NaN and gradient norm [\d.]+ in 3 steps in a row, the last on document "document \d+", "document \d+"; .* Fix: set learningRate: 0\.001, or warmupSteps: 100\.$/,
  });
  assert.equal((await runWithBadGradients("apart", 2, 3, 5, 6)).result.step, 10);
});

test("recompilation only for a new shape: training, evaluation, a last smaller micro-batch and samples", async () => {
  const compiled: string[] = [];
  const cpu = await openEager("cpu");
  const engine = watchCompiles(cpu, ({ phase, program }) => phase === "start" && compiled.push(program), false);
  // Three windows of three micro-batches of two blocks an epoch, and one of a single block.
  const settings = { gradientAccumulation: 3, numEpochs: 3, samplePrompts: ["A", "BC"], sampleTokens: 3 };
  const tokenizerFolder = join(packageRoot(), "models/fledge-base");
  const run = { engine, modelConfig: tinyModel, config: resolveConfig(settings), tokenizerFolder };
  const sample = await trainingSampler(run);
  assert.ok(sample);
  const blocks = { train: tinyBlocks(19, 1), validation: tinyBlocks(3, 2) };
  const { events } = await tinyRun(join(scratch, "compiles"), settings, { engine, sample, ...blocks });
  assert.equal(ofType(events, "step").length, 3 * 4);
  assert.ok(ofType(events, "evaluation").length >= 4);
  assert.ok(ofType(events, "sample").length >= 8);
  const [writing, training] = [true, false].map((of) =>
    compiled.filter((program) => /^(prefill|decode)/.test(program) === of),
  ) as [string[], string[]];
  // A window of one micro-batch is a step without accumulated gradients.
  assert.deepEqual(training.sort(), ["accumulate", "accumulate-first", "evaluate", "step", "step"]);
  assert.ok(writing.length >= 2);
  assert.equal(new Set(writing).size, writing.length, `${writing}`);
});

test("readableLoss() turns nats a token into perplexity and bits a byte", () => {
  const { perplexity, bitsPerByte } = readableLoss(Math.LN2 * 3, tinyBlocks(2, 1));
  assert.ok(Math.abs(perplexity - 8) < 1e-12);
  // 3 bits a token, 3 bytes a token.
  assert.ok(Math.abs(bitsPerByte - 1) < 1e-12);
});

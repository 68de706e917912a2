/** What a run meets on its way: poisoned batches, memory that runs out, a disk that is full, checkpoints that are too many. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, test } from "node:test";
import { batchesOf, epochOrder } from "../../src/data/batches.js";
import { openEager } from "../../src/engine/eager.js";
import type { Engine, HostArray } from "../../src/engine/engine.js";
import { outOfMemory } from "../../src/engine/errors.js";
import { sizeOf } from "../../src/engine/program.js";
import { trace } from "../../src/engine/trace.js";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { randomWeights } from "../../src/model/initial.js";
import { listCheckpoints, loadCheckpoint } from "../../src/train/checkpoint.js";
import type { TrainEvent } from "../../src/train/events.js";
import { compileEvaluation, trainingVariables } from "../../src/train/optimizer.js";
import type { Progress } from "../../src/train/trainer-run.js";
import { tinyBlocks, tinyModel, tinyRun } from "./tiny-run.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-trouble-"));
after(() => rm(scratch, { recursive: true, force: true }));

function ofType<Type extends TrainEvent["type"]>(events: readonly TrainEvent[], type: Type) {
  return events.filter((event): event is Extract<TrainEvent, { type: Type }> => event.type === type);
}

type Run = (values: Readonly<Record<string, HostArray>>) => Promise<Record<string, Float32Array>>;

/** The real engine, with something between the trainer and its programs. */
async function engineWith(between: (program: string, values: Record<string, HostArray>, run: Run) => ReturnType<Run>) {
  const engine = await openEager("cpu");
  const compile: Engine["compile"] = async (name, inputs, step) => {
    const compiled = await engine.compile(name, inputs, step);
    const run = (values: Record<string, HostArray>) => between(name, values, compiled.run as Run);
    return { ...compiled, run: run as typeof compiled.run };
  };
  return { ...engine, compile };
}

test("runTraining() leaves a poisoned batch out after it was refused once, and names its documents", async () => {
  const train = tinyBlocks(20, 1);
  const poison = train.block(7).subarray(0, 8).join();
  const engine = await engineWith(async (program, values, run) => {
    const { inputs = [] } = values as { inputs?: Int32Array };
    const rows = [0, 8].map((begin) => inputs.slice(begin, begin + 8).join());
    if (!rows.includes(poison) || program === "evaluate") return run(values);
    if (program === "step") return run({ ...values, natsBefore: Float32Array.of(Number.NaN) });
    return { ...(await run(values)), loss: Float32Array.of(Number.NaN) };
  });
  const folder = join(scratch, "poison");
  const { events, result } = await tinyRun(folder, { gradientAccumulation: 2, numEpochs: 4 }, { engine, train });
  const [skipped, ...more] = ofType(events, "skipped");
  assert.deepEqual(more, [], "it is not tried again in three more epochs");
  assert.ok(skipped);
  assert.ok(skipped.blocks.includes(7) && skipped.blocks.length === 2, `${skipped?.blocks}`);
  assert.deepEqual(
    skipped.documents,
    skipped.blocks.map((block) => `document ${block}`),
  );
  const last = await loadCheckpoint(join(folder, "checkpoint-000020"));
  assert.deepEqual((last.state.progress as Progress).quarantined, skipped.blocks);
  for (const values of result.weights.values()) assert.ok(values.every(Number.isFinite));
});

test("runTraining() reports the token-weighted mean over the whole window, the short last one included", async () => {
  const train = tinyBlocks(21, 4);
  const readWeights = async () => randomWeights(tinyModel, 1);
  const engine = await openEager("cpu");
  await engine.createVariables(trainingVariables(tinyModel, await readWeights()));
  const evaluate = await compileEvaluation(engine, tinyModel, { B: 1, T: 8 });
  const losses: number[] = [];
  for (let i = 0; i < train.count; i++) {
    for (const batch of batchesOf(train, Uint32Array.of(i), 1)) losses.push((await evaluate(batch)) / 8);
  }
  const order = [...epochOrder(train, { seed: 42, epoch: 0 })].map((block) => losses[block] as number);
  for (const [batchSize, gradientAccumulation] of [
    [1, 4],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 1],
  ] as const) {
    // A rate so small that the weights keep their bits.
    const settings = { batchSize, gradientAccumulation, numEpochs: 1, learningRate: 1e-30, weightDecay: 0 };
    const { events } = await tinyRun(join(scratch, `w${batchSize}`), settings, { train, readWeights });
    const size = batchSize * gradientAccumulation;
    const steps = ofType(events, "step");
    assert.equal(steps.length, Math.ceil(21 / size));
    steps.forEach(({ loss }, i) => {
      const window = order.slice(i * size, (i + 1) * size);
      const expected = window.reduce((sum, value) => sum + value, 0) / window.length;
      assert.ok(Math.abs(loss - expected) <= 1e-6 * expected, `${loss}, expected ${expected}`);
    });
  }
});

const memory = { batchSize: 4, gradientAccumulation: 2, numEpochs: 2, evaluateEverySteps: 2 };
const calm = await tinyRun(join(scratch, "calm"), memory);

function assertSameCourse(events: readonly TrainEvent[]): void {
  const final = new Map(ofType(events, "step").map(({ step, loss, gradientNorm }) => [step, [loss, gradientNorm]]));
  for (const { step, loss, gradientNorm } of ofType(calm.events, "step")) {
    const [otherLoss = 0, otherNorm = 0] = final.get(step) ?? [];
    assert.ok(Math.abs(loss - otherLoss) <= 1e-5 * loss, `step ${step}: ${otherLoss}, expected ${loss}`);
    assert.ok(Math.abs(gradientNorm - otherNorm) <= 1e-4 * gradientNorm, `step ${step}`);
  }
}

test("runTraining() halves the micro-batch when memory runs out, and keeps window, order and course", async () => {
  const engine = await engineWith(async (_program, values, run) => {
    if ((values.inputs?.length ?? 0) > 2 * 8) throw outOfMemory("run a step", "no room");
    return run(values);
  });
  const { events, result } = await tinyRun(join(scratch, "memory"), memory, { engine });
  const [event, ...more] = ofType(events, "out-of-memory");
  assert.deepEqual(event, {
    type: "out-of-memory",
    step: 0,
    microBatchSize: 2,
    microBatches: 4,
    reason:
      "Cannot run a step: no room, expected enough memory. Fix: halve batchSize and double gradientAccumulation, or shorten blockSize.",
  });
  assert.deepEqual(more, []);
  assert.equal(result.step, calm.result.step);
  assertSameCourse(events);
});

test("runTraining() goes back to its checkpoint when memory runs out in the middle of an update", async () => {
  let updates = 0;
  const engine = await engineWith(async (program, values, run) => {
    if (program === "step" && (values.inputs?.length ?? 0) > 2 * 8 && ++updates === 4) {
      await run(values); // as if half the weights were new
      throw outOfMemory("run a step", "no room");
    }
    return run(values);
  });
  const { events, result } = await tinyRun(join(scratch, "torn"), memory, { engine });
  assert.deepEqual(
    ofType(events, "out-of-memory").map(({ step, microBatchSize }) => [step, microBatchSize]),
    [[2, 2]],
  );
  assert.equal(ofType(events, "step").filter(({ step }) => step === 3).length, 2, "step 3 is made again");
  assert.equal(result.step, calm.result.step);
  assertSameCourse(events);
});

test("runTraining() gives up when a single block does not fit", async () => {
  const engine = await engineWith(async (_program, values, run) => {
    if (values.inputs) throw outOfMemory("run a step", "no room");
    return run(values);
  });
  await assert.rejects(tinyRun(join(scratch, "single"), memory, { engine }), {
    name: "RangeError",
    message:
      /^Cannot go on training: Cannot run a step: .* The micro-batch is a single block of 8 tokens, expected enough memory for it\. Fix: set blockSize: 4, or choose a smaller model\.$/,
  });
});

test("compileEvaluation() never has the logits of a batch whole", async () => {
  const config = { ...tinyModel, vocabularySize: 50_257, positions: 512 };
  const [B, T] = [4, 512];
  let largest = 0;
  const tracing = {
    compile: async (name: string, inputs: never, step: never) => {
      const program = trace(step, { name, inputs, variables: weightShapes(config), precision: "float32" });
      for (const { outputs } of program.operations) {
        for (const { shape } of outputs) if (shape.includes(50_257)) largest = Math.max(largest, sizeOf(shape));
      }
      return { run: async () => ({}) };
    },
  } as unknown as Engine;
  await compileEvaluation(tracing, config, { B, T });
  assert.ok(largest > 0 && largest <= 105e6 / 4, `${largest} numbers of ${B * T * 50_257}`);
});

test("runTraining() keeps the best, the last and as many checkpoints as the knobs say", async () => {
  const kept = async (name: string, settings: object) => {
    const folder = join(scratch, name);
    const { result } = await tinyRun(folder, { checkpointEverySteps: 1, numEpochs: 1, ...settings });
    const steps = (await listCheckpoints(folder)).map((path) => Number(/\d+$/.exec(basename(path))?.[0]));
    assert.ok(steps.includes(result.best.step) || result.best.step === 0);
    return steps;
  };
  assert.deepEqual((await kept("four", { keepCheckpoints: 4 })).slice(-3), [8, 9, 10]);
  assert.equal((await kept("four-again", { keepCheckpoints: 4 })).length, 4);
  const few = await kept("small", { keepCheckpoints: 9, maxCheckpointGB: 1e-6 });
  assert.ok(few.length <= 2 && few.includes(10), `${few}`);
});

test("runTraining() goes on with a warning when the disk fills up in a save, and keeps its last good checkpoint", async (t) => {
  const folder = join(scratch, "full");
  await mkdir(folder);
  try {
    // Room for the files of one checkpoint, not for those of two.
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=40m,nr_inodes=16", "tmpfs", folder], { stdio: "pipe" });
  } catch (error) {
    return t.skip(`needs the right to mount a small disk: ${(error as Error).message.split("\n")[0]}`);
  }
  try {
    const settings = { numEpochs: 1, evaluateEverySteps: 2 };
    const { events, result } = await tinyRun(folder, settings);
    const warnings = ofType(events, "warning").map(({ message }) => message);
    assert.match(
      warnings[0] ?? "",
      /^Cannot save checkpoint .+: no space left on the disk, .+ The run goes on; its last checkpoint is that of step 2\.$/,
    );
    assert.equal(result.step, 10);
    const [last, ...more] = await listCheckpoints(folder);
    assert.deepEqual(more, []);
    assert.equal((await loadCheckpoint(last as string)).step, 2);
    const undisturbed = await tinyRun(join(scratch, "roomy"), settings);
    assert.deepEqual([...result.weights], [...undisturbed.result.weights], "the best weights were kept in memory");
  } finally {
    execFileSync("umount", [folder]);
  }
});

test("runTraining() never saves weights that are not finite", async () => {
  const engine = await openEager("cpu");
  const readVariables: Engine["readVariables"] = async (names) => {
    const values = await engine.readVariables(names);
    for (const array of values.values()) array[0] = Number.POSITIVE_INFINITY;
    return values;
  };
  const folder = join(scratch, "infinite");
  await assert.rejects(tinyRun(folder, { evaluateEverySteps: 1 }, { engine: { ...engine, readVariables } }), {
    name: "RangeError",
    message:
      /^Cannot save the checkpoint of step 1: Infinity in "transformer\.wte\.weight", .*Fix: resume from it: set learningRate/,
  });
  assert.deepEqual(await listCheckpoints(folder), []);
});

test("runTraining() measures two steps before the first, which change no number of the run", async () => {
  for (const settings of [memory, { ...memory, gradientAccumulation: 1, loraRank: 2 }]) {
    const preflight = { bytes: 1e9, seconds: 2 };
    const plain = await tinyRun(join(scratch, "unmeasured"), settings);
    const folder = join(scratch, `measured-${settings.gradientAccumulation}`);
    let clock = 0;
    const { events, result } = await tinyRun(folder, settings, { preflight, now: () => clock++ });
    const [event, ...more] = events.filter(({ type }) => type === "preflight");
    assert.ok(event?.type === "preflight" && more.length === 0 && events[0] === event);
    const { predictedBytes, predictedStepSeconds, measuredBytes, measuredStepSeconds } = event;
    assert.deepEqual([predictedBytes, predictedStepSeconds], [1e9, 2]);
    assert.ok(measuredBytes > 1e7 && measuredStepSeconds > 0);
    assert.deepEqual(result.weights, plain.result.weights, "bit for bit");
    const losses = (all: readonly TrainEvent[]) =>
      ofType(all, "step").map(({ loss, gradientNorm }) => [loss, gradientNorm]);
    assert.deepEqual(losses(events), losses(plain.events));
    const checkpoint = await loadCheckpoint(join(folder, `checkpoint-${String(result.step).padStart(6, "0")}`));
    const resumed = await tinyRun(folder, settings, { preflight, checkpoint });
    assert.deepEqual(ofType(resumed.events, "preflight"), [], "a run that goes on was measured when it began");
  }
});

test("runTraining() finds in the measured steps that memory runs out, and halves before anything is trained", async () => {
  const engine = await engineWith(async (program, values, run) => {
    if (program !== "evaluate" && (values.inputs?.length ?? 0) > 2 * 8) throw outOfMemory("run a step", "no room");
    return run(values);
  });
  const preflight = { bytes: 1e9, seconds: 2 };
  const { events } = await tinyRun(join(scratch, "foreseen"), memory, { engine, preflight });
  assert.deepEqual(
    events.slice(0, 3).map(({ type }) => type),
    ["out-of-memory", "preflight", "evaluation"],
  );
  assertSameCourse(events);
});

test("runTraining() flags a batch whose loss is finite but far above the rest, and trains on", async () => {
  let steps = 0;
  const engine = await engineWith(async (program, values, run) => {
    const poisoned = program === "step" && ++steps === 45;
    return run(poisoned ? { ...values, natsBefore: Float32Array.of(500) } : values);
  });
  const { events, result } = await tinyRun(join(scratch, "spike"), { numEpochs: 6, learningRate: 1e-4 }, { engine });
  const [spike, ...more] = ofType(events, "spike");
  assert.deepEqual(more, []);
  assert.ok(spike && spike.step === 45 && spike.zScore > 4, JSON.stringify(spike));
  assert.ok(Math.abs(spike.loss - spike.meanLoss - 500 / 16) < 1, "the loss, and the mean of those before it");
  assert.equal(result.step, 60);
});

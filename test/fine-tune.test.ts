import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TrainingConfig } from "../src/config.js";
import { datasetOf } from "../src/data/dataset.js";
import { type TrainOptions, train } from "../src/fine-tune.js";
import { openModel } from "../src/generate/text-model.js";
import { loadPretrained } from "../src/model/pretrained.js";
import { listCheckpoints, loadCheckpoint } from "../src/train/checkpoint.js";
import type { EvaluationEvent, FinishEvent, TrainEvent } from "../src/train/events.js";
import { readRunLog } from "../src/train/run-log.js";
import { trainingCurves } from "../src/view/curves.js";
import { startHub } from "./hub-server.js";
import { writeModelFolder } from "./model-folder.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-train-"));
after(() => rm(scratch, { recursive: true }));

// A GPT-2 of one layer, and twenty documents that a model can learn by heart.
const modelName = join(scratch, "tiny");
await writeModelFolder(modelName, { positions: 32, width: 16, layers: 1, heads: 2 });
const documents = Array.from({ length: 20 }, (_, i) => {
  return { id: `d${i}`, text: `Document ${i} says again and again. `.repeat(4 + (i % 3)) };
});
const dataset = datasetOf({ name: "repeats", documents, origin: "this test", licence: "CC0" });

function settings(name: string, changes: Partial<TrainingConfig> = {}): Partial<TrainingConfig> {
  return {
    modelName,
    initialWeights: "random",
    outputDir: join(scratch, name, "run"),
    finalModelDir: join(scratch, name, "final"),
    blockSize: 16,
    batchSize: 2,
    gradientAccumulation: 2,
    numEpochs: 2,
    earlyStoppingPatience: 0,
    learningRate: 5e-3,
    dropout: 0.1,
    logEverySteps: 4,
    mixedPrecision: false,
    ...changes,
  };
}

async function collect(configuration: Partial<TrainingConfig>, options: TrainOptions = {}): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(configuration, { dataset, ...options })) events.push(event);
  return events;
}

function ofType<Type extends TrainEvent["type"]>(events: readonly TrainEvent[], type: Type) {
  return events.filter((event): event is Extract<TrainEvent, { type: Type }> => event.type === type);
}

const whole = await collect(settings("whole"));

test("train() starts with the base model's loss, learns, and ends with a finished folder", async () => {
  const said = whole.filter(({ type }) => type !== "warning" && type !== "compile");
  assert.deepEqual([said[0]?.type, said[1]?.type, said.at(-1)?.type], ["start", "preflight", "finish"]);
  const compiled = ofType(whole, "compile").map(({ phase, program }) => `${phase} ${program}`);
  assert.ok(compiled.includes("start step") && compiled.includes("end evaluate"), compiled.join(", "));
  const [base] = ofType(whole, "evaluation") as [EvaluationEvent];
  // An untrained model guesses: ln 4,096 = 8.32 nats.
  assert.ok(Math.abs(base.validationLoss - Math.log(4096)) < 0.1, `${base.validationLoss}`);
  const finish = whole.at(-1) as FinishEvent;
  assert.equal(finish.reason, "completed");
  assert.ok(finish.bestValidationLoss < base.validationLoss - 0.5, `${finish.bestValidationLoss}`);
  const files = await readdir(join(scratch, "whole/final"));
  const expected = ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
  for (const file of [...expected, "training_args.json", "training_plot.html", "training_plot.png"]) {
    assert.ok(files.includes(file), file);
  }
});

test("train() writes a card with the losses of the run, where the data came from, and what the model writes", async () => {
  const card = await readFile(join(scratch, "whole/final/README.md"), "utf8");
  const finish = whole.at(-1) as FinishEvent;
  const shown = (loss: number) => loss.toLocaleString("en", { maximumSignificantDigits: 4 });
  const losses = `| ${shown(finish.baseValidationLoss)} | ${shown(finish.bestValidationLoss)} |`;
  assert.ok(card.includes(`| Validation loss (nats per token) ${losses}`), card);
  assert.match(card, /Data: repeats, from this test, licence: CC0, sha256 `[0-9a-f]{64}`/);
  assert.match(card, /Drawn with temperature 0\.8, top-k 40, seed 42, 60 tokens at most; .+\n\nA new document:\n/);
  const model = await openModel(join(scratch, "whole/final"), { mixedPrecision: false });
  const text = await model.generate("The", { temperature: 0.8, topK: 40, maxNewTokens: 60, seed: 42 });
  await model.dispose();
  assert.ok(card.includes(`After \` The \`:\n\n\`\`\`text\n${text.slice("The".length)}\n\`\`\``), card);
});

test("train() saves the weights of the best evaluation", async () => {
  const best = await loadCheckpoint(
    join(scratch, "whole/run", `checkpoint-${String((whole.at(-1) as FinishEvent).bestStep).padStart(6, "0")}`),
  );
  const final = await loadPretrained(join(scratch, "whole/final"));
  assert.deepEqual([...final.weights], [...best.weights]);
});

test("train() gives the same numbers for the same seed", async () => {
  const again = await collect(settings("again"));
  const losses = (events: TrainEvent[]) => ofType(events, "step").map(({ loss }) => loss);
  assert.deepEqual(losses(again), losses(whole));
});

test("train() left in the middle of an epoch and resumed ends bit for bit like an uninterrupted run", async () => {
  const configuration = settings("stopped");
  for await (const event of train(configuration, { dataset })) if (event.type === "step" && event.step === 3) break;
  assert.deepEqual((await listCheckpoints(join(scratch, "stopped/run"))).length, 1);
  const resumed = await collect({ ...configuration, resume: true });
  assert.equal(ofType(resumed, "start")[0]?.resumedFromStep, 3);
  assert.deepEqual(trainingCurves(resumed).train, trainingCurves(whole).train, "the chart of the resumed run is whole");
  const [expected, actual] = [
    await loadPretrained(join(scratch, "whole/final")),
    await loadPretrained(join(scratch, "stopped/final")),
  ];
  assert.deepEqual([...actual.weights], [...expected.weights]);
  const measured = (events: TrainEvent[]) =>
    events.flatMap((event) => {
      if (event.type === "step") return [[event.step, event.loss, event.gradientNorm]];
      return event.type === "evaluation" ? [[event.step, event.validationLoss]] : [];
    });
  assert.deepEqual(measured(await readRunLog(join(scratch, "stopped/run"))), measured(whole));
});

test("train() left just before an evaluation makes up for it when it is resumed", async () => {
  const evaluations = (events: TrainEvent[]) =>
    ofType(events, "evaluation").map(({ step, validationLoss }) => [step, validationLoss]);
  const first = evaluations(whole)[1]?.[0];
  const configuration = settings("between");
  for await (const event of train(configuration, { dataset })) if (event.type === "step" && event.step === first) break;
  await collect({ ...configuration, resume: true });
  assert.deepEqual(evaluations(await readRunLog(join(scratch, "between/run"))), evaluations(whole));
});

test("train() resumed after it was stopped early stays stopped", async () => {
  const changes = { learningRate: 1, schedule: "constant", numEpochs: 6, earlyStoppingPatience: 2 } as const;
  const configuration = settings("early-again", changes);
  const steps = ofType(await collect(configuration), "step").length;
  const again = await collect({ ...configuration, resume: true });
  assert.equal(ofType(again, "step").length, 0);
  assert.deepEqual(
    [(again.at(-1) as FinishEvent).reason, (again.at(-1) as FinishEvent).step],
    ["early-stopping", steps],
  );
});

test("readRunLog() leaves out the line that a killed process did not finish, and says when there is no log", async () => {
  const folder = join(scratch, "torn");
  await mkdir(folder);
  await writeFile(join(folder, "events.jsonl"), '{"type":"warning","message":"whole"}\n{"type":"warn');
  assert.deepEqual(await readRunLog(folder), [{ type: "warning", message: "whole" }]);
  await writeFile(join(folder, "events.jsonl"), '{"type":"warning","message":"whole"}\n{"type"\n');
  await assert.rejects(
    readRunLog(folder),
    /^SyntaxError: Cannot read the run log .*: line 2: .+, expected one event of JSON a line\. Fix: delete the file/,
  );
  await assert.rejects(
    readRunLog(scratch),
    /^RangeError: Cannot read the run log of .*: none, expected .*events\.jsonl\. Fix: run train\(\) first/,
  );
});

test("train() stops on abort with a checkpoint and without a final model", async () => {
  const controller = new AbortController();
  const events: TrainEvent[] = [];
  for await (const event of train(settings("aborted"), { dataset, signal: controller.signal })) {
    events.push(event);
    if (event.type === "step" && event.step === 2) controller.abort();
  }
  assert.equal((events.at(-1) as FinishEvent).reason, "aborted");
  assert.equal(ofType(events, "checkpoint").at(-1)?.step, 2);
  assert.deepEqual(await readdir(join(scratch, "aborted")), ["run"]);
});

test("train() stops early and keeps the best weights when the loss no longer falls", async () => {
  const changes = {
    learningRate: 1,
    schedule: "constant",
    numEpochs: 6,
    evaluationsPerEpoch: 2,
    earlyStoppingPatience: 2,
  } as const;
  const events = await collect(settings("early", changes));
  const finish = events.at(-1) as FinishEvent;
  assert.equal(finish.reason, "early-stopping");
  const evaluations = ofType(events, "evaluation");
  assert.equal(evaluations.at(-1)?.evaluationsWithoutImprovement, 2);
  assert.equal(finish.bestValidationLoss, Math.min(...evaluations.map(({ validationLoss }) => validationLoss)));
});

test("train() begun afresh keeps the checkpoints of an earlier run until it has its own", async () => {
  const configuration = settings("twice", { maxSteps: 4 });
  await collect(configuration);
  const before = await listCheckpoints(join(scratch, "twice/run"));
  const events = train({ ...configuration, seed: 7 }, { dataset });
  for await (const event of events) if (event.type === "start") break;
  assert.deepEqual(await listCheckpoints(join(scratch, "twice/run")), before);
});

test("train() refuses to resume a run of other knobs, by their names", async () => {
  const configuration = settings("whole", { resume: true, learningRate: 1e-3 });
  await assert.rejects(
    collect(configuration),
    /^RangeError: Cannot resume from .*: a run with learningRate 0.001, expected learningRate 0.005\. Fix: /,
  );
});

test("train() with resumeAnyway goes on with other knobs, says so, and takes a smaller batchSize into its memory", async () => {
  // No dropout: its masks go by micro-batch, whose size changes here.
  const configuration = settings("anyway", { maxSteps: 4, dropout: 0 });
  for await (const event of train(configuration, { dataset })) if (event.type === "step" && event.step === 2) break;
  const changes = { batchSize: 1, gradientAccumulation: 4, resume: true };
  await assert.rejects(
    collect({ ...configuration, ...changes }),
    /^RangeError: .*Fix: set these back, set resumeAnyway: \["batchSize", "gradientAccumulation"\] to go on all the same, or resume: false/,
  );
  const events = await collect({
    ...configuration,
    ...changes,
    resumeAnyway: ["batchSize", "gradientAccumulation"],
  });
  assert.deepEqual(
    ofType(events, "warning").map(({ message }) => message),
    [
      "Resumed with another batchSize, as asked: 1 instead of 2.",
      "Resumed with another gradientAccumulation, as asked: 4 instead of 2.",
    ],
  );
  const undisturbed = ofType(await collect(settings("anyway-whole", { maxSteps: 4, dropout: 0 })), "step");
  for (const { step, loss } of ofType(events, "step")) {
    assert.ok(Math.abs(loss - (undisturbed[step - 1]?.loss ?? 0)) < 1e-4, `step ${step}`);
  }
});

test("train() names the data that has changed, and the checkpoint that it passes over", async () => {
  const configuration = settings("changed", { maxSteps: 4, checkpointEverySteps: 1 });
  for await (const event of train(configuration, { dataset })) if (event.type === "step" && event.step === 3) break;
  const other = datasetOf({ ...dataset, documents: documents.slice(1) });
  await assert.rejects(
    collect({ ...configuration, resume: true }, { dataset: other }),
    /a run with data [0-9a-f]{64}, split [0-9a-f]{64}, expected data [0-9a-f]{64}, .*resumeAnyway: \["data", "split"\]/,
  );
  await writeFile(join(scratch, "changed/run/checkpoint-000003/optimizer.safetensors"), "");
  const events = await collect({ ...configuration, resume: "auto" });
  assert.equal(ofType(events, "start")[0]?.resumedFromStep, 2);
  assert.match(
    ofType(events, "warning")[0]?.message ?? "",
    /^Skipped damaged checkpoint .*checkpoint-000003: .*0 bytes/,
  );
});

test("train() refuses a finalModelDir that cannot be written before it trains", async () => {
  const parent = join(scratch, "a-file");
  await writeFile(parent, "");
  await assert.rejects(
    collect(settings("unwritable", { finalModelDir: join(parent, "final") })),
    /^Error: Cannot save the model in .*a-file.final: .*expected a folder that can be written/,
  );
});

test("train() refuses to resume where nothing was saved", async () => {
  await assert.rejects(collect(settings("nothing", { resume: true })), {
    name: "RangeError",
    message: `Cannot resume: no checkpoint in ${join(scratch, "nothing/run")}, expected one of an earlier run. Fix: set resume: false, or outputDir to the folder of the run.`,
  });
});

test("train() refuses a block longer than the model's positions, before it writes anything", async () => {
  await assert.rejects(collect(settings("long", { blockSize: 64 })), {
    name: "RangeError",
    message: `Cannot use blockSize: 64: a model "${modelName}" of 32 positions, expected at most 32. Fix: set blockSize: 32.`,
  });
  await assert.rejects(readFile(join(scratch, "long")), { code: "ENOENT" });
});

test("train() refuses a finalModelDir that is somebody else's before it trains", async () => {
  const folder = join(scratch, "foreign/final");
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "README.md"), "a project");
  await assert.rejects(
    collect(settings("foreign")),
    /^RangeError: Cannot save the model in .*: a README\.md but no model\.safetensors/,
  );
  assert.deepEqual(await readdir(join(scratch, "foreign")), ["final"]);
});

test("train() refuses a text shorter than a block", async () => {
  const short = datasetOf({
    ...dataset,
    documents: documents.slice(0, 3).map(({ id }) => ({ id, text: "Too short to fill a block." })),
  });
  await assert.rejects(
    collect(settings("short", { blockSize: 32 }), { dataset: short }),
    /expected at least 33 for one block of 32/,
  );
});

test("train() refuses to measure on what it learns, unless told to go on or to drop the copies", async () => {
  const copies = documents.map(({ text }, i) => ({ id: `copy${i}`, text }));
  const leaky = datasetOf({ ...dataset, documents: [...documents, ...copies] });
  await assert.rejects(collect(settings("leaky"), { dataset: leaky }), {
    name: "RangeError",
    message: /^Cannot measure this run: \d held-out documents .* To train all the same, set dataGate: "warn"\.$/,
  });
  const quick = { maxSteps: 1, numEpochs: 1 };
  const warned = await collect(settings("warned", { ...quick, dataGate: "warn" }), { dataset: leaky });
  assert.ok(ofType(warned, "warning").some(({ message }) => message.startsWith("Cannot measure this run")));
  const dropped = await collect(settings("dropped", { ...quick, deduplicate: true }), { dataset: leaky });
  assert.equal(ofType(dropped, "warning")[0]?.message, "Left out 20 of 40 documents, which repeat others.");
});

test("train() warns that a model of the Hub has another name now", async (t) => {
  const files = {
    "config.json": await readFile(join(modelName, "config.json")),
    "tokenizer.json": await readFile(join(modelName, "tokenizer.json")),
  };
  const hub = await startHub({ "models/new/tiny": { files }, "models/old/tiny": { files: {}, renamedTo: "new/tiny" } });
  const before = { ...process.env };
  const { HF_HUB_OFFLINE: _, TRANSFORMERS_OFFLINE: __, ...others } = before;
  process.env = { ...others, HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(scratch, "hub") };
  t.after(async () => {
    process.env = before;
    await hub.close();
  });
  const events = await collect(settings("renamed", { modelName: "old/tiny", maxSteps: 1 }));
  const message = 'The model "old/tiny" is called "new/tiny" now. Use that name: another may take the old one.';
  assert.ok(ofType(events, "warning").some((warning) => warning.message === message));
});

/** Knobs that change what a run trains, says or writes beside: adapters, frozen blocks, samples, one batch, TensorBoard. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TrainingConfig } from "../src/config.js";
import { datasetOf } from "../src/data/dataset.js";
import { train } from "../src/fine-tune.js";
import { loadPretrained } from "../src/model/pretrained.js";
import { readSafetensors } from "../src/model/safetensors.js";
import type { TrainEvent } from "../src/train/events.js";
import { readRunLog } from "../src/train/run-log.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-options-"));
after(() => rm(scratch, { recursive: true }));

const documents = Array.from({ length: 24 }, (_, i) => ({
  id: `d${i}`,
  text: `The committee of the year ${1800 + i} reports upon ${i * 31} matters, and ${i * i} letters. `.repeat(3),
}));
const dataset = datasetOf({ name: "reports", documents, origin: "this test", licence: "CC0" });

function settings(name: string, changes: Partial<TrainingConfig>): Partial<TrainingConfig> {
  return {
    ...{ outputDir: join(scratch, name, "run"), finalModelDir: join(scratch, name, "final"), dataGate: "warn" },
    ...{ blockSize: 32, batchSize: 2, gradientAccumulation: 2, maxSteps: 6, evaluateEverySteps: 3 },
    ...{ earlyStoppingPatience: 0, learningRate: 1e-3, mixedPrecision: false, ...changes },
  };
}

async function collect(knobs: Partial<TrainingConfig>, until = Number.POSITIVE_INFINITY): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  for await (const event of train(knobs, { dataset })) {
    events.push(event);
    if (event.type === "step" && event.step === until) break;
  }
  return events;
}

// All that a run measured and wrote, without its times.
function substance(events: readonly TrainEvent[]): unknown[] {
  return events.flatMap((event): unknown[] => {
    if (event.type === "step") return [[event.step, event.loss, event.gradientNorm]];
    if (event.type === "evaluation") return [[event.step, event.validationLoss]];
    return event.type === "sample" ? [event] : [];
  });
}

const base = await loadPretrained("fledge-base");

test("train() with LoRA saves a plain GPT-2 that differs where adapters stand, and resumes bit for bit, samples too", async () => {
  const lora = { loraRank: 4, loraTargets: ["c_attn"], samplePrompts: ["The committee"], sampleTokens: 6 };
  const whole = await collect(settings("lora", lora));
  const final = await loadPretrained(join(scratch, "lora/final"));
  for (const [name, values] of final.weights) {
    const same = Buffer.from(values.buffer).equals(Buffer.from((base.weights.get(name) as Float32Array).buffer));
    assert.equal(same, !name.endsWith("c_attn.weight"), name);
  }
  const samples = whole.filter(({ type }) => type === "sample");
  assert.deepEqual(
    samples.map((event) => "step" in event && event.step),
    [0, 3, 6],
  );
  await collect(settings("lora-stopped", lora), 4);
  await collect(settings("lora-stopped", { ...lora, resume: true }));
  assert.deepEqual(substance(await readRunLog(join(scratch, "lora-stopped/run"))), substance(whole));
  const { weights } = await loadPretrained(join(scratch, "lora-stopped/final"));
  assert.deepEqual([...weights], [...final.weights]);
  const checkpoint = join(scratch, "lora/run", (await readdir(join(scratch, "lora/run"))).sort()[0] as string);
  const { tensors } = await readSafetensors(join(checkpoint, "optimizer.safetensors"));
  assert.ok([...tensors.keys()].every((name) => /^[mvw]\.lora\.[AB]\/.*c_attn\.weight$/.test(name)));
});

test("train() with freezeLayers changes the upper blocks only", async () => {
  await collect(settings("frozen", { freezeLayers: 3 }));
  const final = await loadPretrained(join(scratch, "frozen/final"));
  for (const [name, values] of final.weights) {
    const same = Buffer.from(values.buffer).equals(Buffer.from((base.weights.get(name) as Float32Array).buffer));
    assert.equal(same, !/\.h\.3\.|ln_f/.test(name), name);
  }
});

test("train() with overfitOneBatch learns one batch by heart and measures on it", async () => {
  const knobs = { overfitOneBatch: true, maxSteps: 60, evaluateEverySteps: 0, learningRate: 3e-3 } as const;
  const events = await collect(settings("heart", knobs));
  const losses = events.flatMap((event) => (event.type === "evaluation" ? [event.validationLoss] : []));
  assert.ok((losses[0] as number) > 3 && (losses.at(-1) as number) < 0.3, `${losses}`);
  assert.equal(events.filter(({ type }) => type === "step").length, 60);
});

test("train() with tensorboard writes an event file beside the run log", async () => {
  await collect(settings("board", { tensorboard: true, maxSteps: 2, evaluateEverySteps: 1 }));
  assert.deepEqual(await readdir(join(scratch, "board/run/tensorboard")), ["events.out.tfevents.fledge"]);
});

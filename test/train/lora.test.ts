import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import type { Engine } from "../../src/engine/engine.js";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors, toFloat32 } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";
import {
  adapterA,
  adapterB,
  initialAdapters,
  mergeAdapters,
  type TrainableKnobs,
  trainableOf,
} from "../../src/train/lora.js";
import { compileEvaluation, compileTraining, type Trainable, trainingVariables } from "../../src/train/optimizer.js";
import { engineNames, openForTest } from "../engines.js";
import { goldenBatch, goldenFolder, relativeError } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);
const shape = { B: goldenBatch(0).batchSize, T: goldenBatch(0).blockSize };
const knobs: TrainableKnobs = {
  ...{ freezeLayers: 0, loraRank: 3, loraAlpha: 6 },
  loraTargets: ["c_attn", "mlp.c_proj"],
};
const lora = trainableOf(config, knobs);
const { tensors } = await readSafetensors(join(packageRoot(), "test/fixtures/lora/adapters.safetensors"));
const expected = new Map([...tensors].map(([name, tensor]) => [name, toFloat32(tensor, name)]));
const adapters = new Map([...lora.shapes.keys()].map((name) => [name, expected.get(name) as Float32Array]));
const update = { step: 1, learningRate: 1e-2, weightDecay: 0.01, clipNorm: 1, tokens: goldenBatch(0).targetCount };

async function lossWith(engine: Engine, values: ReadonlyMap<string, Float32Array>, trainable: Trainable) {
  await engine.createVariables(trainingVariables(config, values, trainable));
  return (await compileEvaluation(engine, config, shape, trainable))(goldenBatch(0));
}

for (const name of engineNames) {
  test(`trainableOf() with adapters has PyTorch's loss and gradients of A and B on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.createVariables(trainingVariables(config, new Map([...weights, ...adapters]), lora));
    const nats = await compileTraining(engine, config, shape, { trainable: lora }).accumulate(goldenBatch(0));
    assert.ok(Math.abs(nats / (expected.get("loss")?.[0] as number) - 1) < 1e-5, `loss ${nats}`);
    for (const [adapter, values] of await engine.readVariables(
      [...lora.shapes.keys()].map((one) => `gradient/${one}`),
    )) {
      const error = relativeError(values, expected.get(adapter) as Float32Array);
      assert.ok(error < 1e-4, `${adapter}: relative error ${error}`);
    }
    await engine.dispose();
  });
}

test("initialAdapters() leaves the model exactly as it was, B being zero, and draws A by the seed", async () => {
  const engine = (await openForTest("cpu")) as Engine;
  const values = initialAdapters(lora.shapes, 1);
  const base = await lossWith(engine, weights, { shapes: new Map() });
  assert.equal(await lossWith(engine, new Map([...weights, ...values]), lora), base);
  await engine.dispose();
  const a = values.get(adapterA("transformer.h.0.attn.c_attn.weight")) as Float32Array;
  assert.ok(a.some((value) => value > 0) && a.every((value) => Math.abs(value) <= 1 / Math.sqrt(config.width)));
  assert.deepEqual(initialAdapters(lora.shapes, 1), values);
  assert.notDeepEqual(initialAdapters(lora.shapes, 2), values);
});

test("mergeAdapters() gives plain weights with the loss of the adapted model", async () => {
  const engine = (await openForTest("cpu")) as Engine;
  const adapted = await lossWith(engine, new Map([...weights, ...adapters]), lora);
  const plain = mergeAdapters(weights, adapters, knobs);
  const merged = await lossWith(engine, plain, { shapes: new Map() });
  assert.ok(Math.abs(merged / adapted - 1) < 1e-6, `${merged} and ${adapted}`);
  assert.equal(plain.get("transformer.wte.weight"), weights.get("transformer.wte.weight"), "the rest is as it was");
  await engine.dispose();
});

test("trainableOf() trains adapters only, and an optimiser step changes nothing else", async () => {
  assert.deepEqual(
    [...lora.shapes.keys()],
    [0, 1].flatMap((layer) =>
      ["attn.c_attn", "mlp.c_proj"].flatMap((target) => {
        const weight = `transformer.h.${layer}.${target}.weight`;
        return [adapterA(weight), adapterB(weight)];
      }),
    ),
  );
  const engine = (await openForTest("cpu")) as Engine;
  await engine.createVariables(trainingVariables(config, new Map([...weights, ...adapters]), lora));
  await compileTraining(engine, config, shape, { trainable: lora }).step(goldenBatch(0), update);
  for (const [weight, values] of await engine.readVariables(weights.keys())) {
    assert.deepEqual(values, weights.get(weight), weight);
  }
  for (const [adapter, values] of await engine.readVariables(adapters.keys())) {
    assert.notDeepEqual(values, adapters.get(adapter), adapter);
  }
  await engine.dispose();
});

test("trainableOf() with freezeLayers leaves embeddings and lower blocks as they are", async () => {
  const frozen = trainableOf(config, { ...knobs, loraRank: 0, freezeLayers: 1 });
  const free = [...weightShapes(config).keys()].filter((name) => /\.h\.1\.|ln_f/.test(name));
  assert.deepEqual([...frozen.shapes.keys()], free);
  const engine = (await openForTest("cpu")) as Engine;
  await engine.createVariables(trainingVariables(config, weights, frozen));
  await compileTraining(engine, config, shape, { trainable: frozen }).step(goldenBatch(0), update);
  for (const [weight, values] of await engine.readVariables(weights.keys())) {
    const changed = values.some((value, i) => value !== weights.get(weight)?.[i]);
    assert.equal(changed, free.includes(weight), weight);
  }
  await engine.dispose();
});

test("trainableOf() refuses to freeze more than there is, or to leave nothing to adapt", () => {
  assert.throws(() => trainableOf(config, { ...knobs, freezeLayers: 3 }), {
    name: "RangeError",
    message: "Cannot use freezeLayers: 3: a model of 2 blocks, expected at most 2. Fix: set freezeLayers: 1.",
  });
  assert.throws(() => trainableOf(config, { ...knobs, freezeLayers: 2 }), {
    name: "RangeError",
    message:
      'Cannot train adapters: freezeLayers 2 of 2 blocks and loraTargets ["c_attn","mlp.c_proj"], expected at least one matrix to adapt. Fix: set freezeLayers: 0 and loraTargets: ["c_attn"].',
  });
});

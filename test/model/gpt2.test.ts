import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { type Engine, hostTiling, type Tiling } from "../../src/engine/engine.js";
import { hiddenStates } from "../../src/model/gpt2.js";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { crossEntropySum, rowsPerChunk } from "../../src/model/loss.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors, toFloat32 } from "../../src/model/safetensors.js";
import { engineNames, openForTest } from "../engines.js";
import { golden, goldenBatch, goldenFolder, relativeError } from "../golden.js";

const { config, weights } = await loadPretrained(goldenFolder);
const expected = (await readSafetensors(join(goldenFolder, "forward_f64.safetensors"))).tensors;
const names = [...weightShapes(config).keys()];
const batch = goldenBatch(0);
const shape = { B: batch.batchSize, T: batch.blockSize };

// Three chunks of logits, the last one shorter, are what a large vocabulary gets.
const chunked = { ...hostTiling, logitsBytes: 24 * 4 * config.vocabularySize };
const tilings = {
  "": chunked,
  ", whatever the pieces and with a padded vocabulary,": {
    ...{ attentionRows: 7, logitsBytes: 9 * 4 * config.vocabularySize },
    vocabularyMultiple: config.vocabularySize - 5,
  },
};

for (const [name, how] of engineNames.flatMap((name) =>
  Object.keys(tilings).map((how) => [name, how as keyof typeof tilings] as const),
)) {
  test(`hiddenStates() and crossEntropySum()${how} give PyTorch's logits and gradients on ${name}`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const outputs = await logitsAndGradients(engine, tilings[how]);
    assert.ok(Math.abs((outputs.loss?.[0] as number) / golden.ntok - golden.loss_f64) < 1e-5);
    const logits = expectedTensor("logits");
    assert.ok(relativeError(validRows(outputs.logits as Float32Array), validRows(logits)) < 1e-5, "logits");
    for (const weight of names) {
      const mean = (outputs[weight] as Float32Array).map((value) => value / golden.ntok);
      const error = relativeError(mean, expectedTensor(`grad.${weight}`));
      assert.ok(error < 1e-5, `gradient of ${weight}: relative error ${error}`);
    }
    await engine.dispose();
  });
}

async function logitsAndGradients(engine: Engine, tiling: Tiling): Promise<Record<string, Float32Array>> {
  const variables = new Map(
    [...weightShapes(config)].map(([name, s]) => [name, { shape: s, values: weights.get(name) as Float32Array }]),
  );
  await engine.createVariables(variables);
  const spec = { shape: [shape.B * shape.T], dtype: "int32" } as const;
  const step = await engine.compile("golden", { inputs: spec, targets: spec }, ({ inputs, targets }, variables) => {
    const values = names.map((name) => variables.read(name));
    const hidden = (...w: tf.Tensor[]) =>
      hiddenStates(inputs, { ...shape, tiling }, (name) => w[names.indexOf(name)] as tf.Tensor, config);
    const { value, grads } = tf.valueAndGrads(
      (...w) => crossEntropySum(hidden(...w), w[0] as tf.Tensor, targets, tiling) as tf.Scalar,
    )(values);
    const logits = tf.matMul(hidden(...values) as tf.Tensor2D, values[0] as tf.Tensor2D, false, true);
    return { loss: value, logits, ...Object.fromEntries(names.map((name, i) => [name, grads[i] as tf.Tensor])) };
  });
  return step.run({ inputs: batch.inputs, targets: batch.targets });
}

// The oracle masks padding, which a causal model without padding never sees: only rows of real tokens are comparable.
function validRows(logits: Float32Array): Float32Array {
  const V = config.vocabularySize;
  const mask = (golden.batches.attention_mask[0] as number[][]).flat();
  const rows = mask.flatMap((valid, row) => (valid ? [...logits.subarray(row * V, (row + 1) * V)] : []));
  return Float32Array.from(rows);
}

function expectedTensor(name: string): Float32Array {
  const tensor = expected.get(name);
  assert.ok(tensor, `${name} is in the fixture`);
  return toFloat32(tensor, name);
}

test("rowsPerChunk() keeps the logits of any batch within 105 MB, and misses no row", () => {
  for (const rows of [1, 128, 2048, 2049, 65_536]) {
    for (const vocabulary of [512, 50_257, 128_256]) {
      const chunk = rowsPerChunk(rows, vocabulary);
      assert.ok(chunk >= 1 && chunk <= rows, `${chunk} of ${rows} rows`);
      assert.ok(chunk * vocabulary * 4 <= 105e6, `${rows} rows of ${vocabulary}: chunks of ${chunk}`);
    }
  }
});

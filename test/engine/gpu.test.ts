/** What only a GPU shows: memory of its own, additions in the order of its threads. Skipped where there is none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { findGpu, findPjrtPlugin } from "../../src/engine/find.js";
import { openPjrt } from "../../src/engine/pjrt.js";
import { randomWeights } from "../../src/model/initial.js";
import { compileTraining, trainingVariables } from "../../src/train/optimizer.js";

const gpu = findGpu();
const plugin = findPjrtPlugin(process.env, gpu);
const skip = plugin && gpu ? false : `no ${gpu ? "PJRT plugin for the GPU" : "NVIDIA GPU"} on this machine`;

const config = {
  ...{ vocabularySize: 5003, positions: 256, width: 128, layers: 2, heads: 2 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 0 },
};
const shape = { B: 8, T: 256 };

/** Losses of a few steps on an engine of its own. */
async function losses(): Promise<number[]> {
  const engine = openPjrt({ plugin: plugin as string, precision: "bfloat16" });
  try {
    await engine.createVariables(trainingVariables(config, randomWeights(config, 1)));
    const training = compileTraining(engine, config, shape);
    const random = seededRandom(1);
    // Few different tokens, so that many rows are added to the same row of the embedding.
    const ids = () => Int32Array.from({ length: shape.B * shape.T }, () => random.integer(50));
    const found: number[] = [];
    for (let step = 1; step <= 10; step++) {
      const update = { step, learningRate: 1e-3, weightDecay: 0.01, clipNorm: 1, tokens: shape.B * shape.T };
      found.push((await training.step({ inputs: ids(), targets: ids() }, update)).nats);
    }
    const memory = engine.deviceMemory?.();
    assert.ok(memory, "the plugin tells the GPU's memory");
    assert.ok(memory.inUse > 0 && memory.peak >= memory.inUse && memory.limit > memory.peak, JSON.stringify(memory));
    return found;
  } finally {
    await engine.dispose();
  }
}

test("a GPU gives the same numbers for the same seed, and tells its memory", { skip }, async () => {
  const first = await losses();
  assert.ok((first.at(-1) as number) < (first[0] as number), "it learns");
  assert.deepEqual(await losses(), first);
});

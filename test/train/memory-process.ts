/** Trains a random model for some steps in a process of its own. Argument: a Workload as JSON. Prints its peak memory and last loss. */

import { resolveConfig } from "../../src/config.js";
import { seededRandom } from "../../src/data/random.js";
import { chooseEngine } from "../../src/engine/choose.js";
import type { Gpt2Config } from "../../src/model/gpt2-config.js";
import { randomWeights } from "../../src/model/initial.js";
import { type BatchShape, compileTraining } from "../../src/train/optimizer.js";
import { setVariables } from "../../src/train/trainer-save.js";

const {
  config,
  steps,
  microBatches = 1,
  mixedPrecision = false,
  ...shape
} = JSON.parse(process.argv[2] ?? "") as BatchShape & {
  readonly config: Gpt2Config;
  readonly steps: number;
  readonly microBatches?: number;
  readonly mixedPrecision?: boolean;
};
const { B, T, dropoutRate = 0 } = shape;
const tokens = B * T;
const { engine } = await chooseEngine({ engine: "tensorflow", mixedPrecision });
const readWeights = async () => randomWeights(config, 1);
await setVariables({ engine, config: resolveConfig({}), modelConfig: config, readWeights });
const training = compileTraining(engine, config, shape);
const random = seededRandom(1);
const ids = () => Int32Array.from({ length: tokens }, () => random.integer(config.vocabularySize));
const batch = { inputs: ids(), targets: ids(), ...(dropoutRate > 0 && { randomKey: Int32Array.of(1, 2) }) };
const resident: number[] = [];
for (let step = 1; step <= steps; step++) {
  for (let before = 1; before < microBatches; before++) await training.accumulate(batch);
  await training.step(batch, { step, learningRate: 1e-4, weightDecay: 0.01, clipNorm: 1, tokens });
  if (step % 500 !== 0) continue;
  globalThis.gc?.();
  resident.push(process.memoryUsage.rss());
}
await engine.dispose();
console.log(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024, resident }));

/** Trains a random model for some steps in a process of its own. Argument: a Workload as JSON. Prints its peak memory and last loss. */
import { seededRandom } from "../../src/data/random.js";
import { chooseEngine } from "../../src/engine/choose.js";
import type { Gpt2Config } from "../../src/model/gpt2-config.js";
import { randomWeights } from "../../src/model/initial.js";
import { type BatchShape, compileTraining, trainingVariables } from "../../src/train/optimizer.js";

const { config, steps, ...shape } = JSON.parse(process.argv[2] ?? "") as BatchShape & {
  readonly config: Gpt2Config;
  readonly steps: number;
};
const { B, T, dropoutRate = 0 } = shape;
const tokens = B * T;
const { engine } = await chooseEngine({ engine: "tensorflow", mixedPrecision: false });
const weights = randomWeights(config, 1);
await engine.createVariables(trainingVariables(config, weights));
const training = compileTraining(engine, config, shape);
const random = seededRandom(1);
const ids = () => Int32Array.from({ length: tokens }, () => random.integer(config.vocabularySize));
const batch = { inputs: ids(), targets: ids(), ...(dropoutRate > 0 && { randomKey: Int32Array.of(1, 2) }) };
const resident: number[] = [];
for (let step = 1; step <= steps; step++) {
  await training.step(batch, { step, learningRate: 1e-4, weightDecay: 0.01, clipNorm: 1, tokens });
  if (step % 500 !== 0) continue;
  globalThis.gc?.();
  resident.push(process.memoryUsage.rss());
}
await engine.dispose();
// The weights stay on the host, as they do in a run.
console.log(JSON.stringify({ peakBytes: process.resourceUsage().maxRSS * 1024, resident, kept: weights.size }));

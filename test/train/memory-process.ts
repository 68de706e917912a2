/** Trains a random model for some steps in a process of its own. Argument: a Workload as JSON. Prints its peak memory and last loss. */
import { seededRandom } from "../../src/data/random.js";
import { chooseEngine } from "../../src/engine/choose.js";
import type { Gpt2Config } from "../../src/model/gpt2-config.js";
import { randomWeights } from "../../src/model/initial.js";
import { compileTraining, trainingVariables } from "../../src/train/optimizer.js";

const work: { config: Gpt2Config; B: number; T: number; steps: number; gradientCheckpointing?: boolean } = JSON.parse(
  process.argv[2] ?? "",
);
const { config, B, T, steps, gradientCheckpointing = false } = work;
const tokens = B * T;
const { engine } = await chooseEngine({ engine: "tensorflow", mixedPrecision: false });
const weights = randomWeights(config, 1);
await engine.createVariables(trainingVariables(config, weights));
const training = compileTraining(engine, config, { B, T, gradientCheckpointing });
const random = seededRandom(1);
const ids = () => Int32Array.from({ length: tokens }, () => random.integer(config.vocabularySize));
const batch = { inputs: ids(), targets: ids() };
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

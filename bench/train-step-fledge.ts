/**
 * Fledge's side of bench/train-step.ts, in a process of its own: forward, backward, norm and AdamW. Prints a Measurement. The host
 * holds what it holds in a run: no weights once the engine has them.
 */
import { resolveConfig } from "../src/config.js";
import { seededRandom } from "../src/data/random.js";
import { chooseEngine } from "../src/engine/choose.js";
import type { EngineName } from "../src/engine/engine.js";
import { randomWeights } from "../src/model/initial.js";
import { compileTraining } from "../src/train/optimizer.js";
import { peakMemory } from "../src/train/preflight-measure.js";
import { setVariables } from "../src/train/trainer-save.js";
import { type Measurement, medianAfterWarmUp, type Workload } from "./shapes.js";

const { config, B, T, steps, mixedPrecision, engineName } = JSON.parse(process.argv[2] ?? "") as Workload & {
  readonly mixedPrecision: boolean;
  readonly engineName?: EngineName;
};
const { engine } = await chooseEngine({ engine: engineName ?? "tensorflow", mixedPrecision });
const readWeights = async () => randomWeights(config, 1);
await setVariables({ engine, config: resolveConfig({}), modelConfig: config, readWeights });
const training = compileTraining(engine, config, { B, T });
const random = seededRandom(1);
const ids = () => Int32Array.from({ length: B * T }, () => random.integer(config.vocabularySize));
const seconds: number[] = [];
const processorSeconds: number[] = [];
let loss = Number.NaN;
for (let step = 1; step <= steps; step++) {
  const batch = { inputs: ids(), targets: ids() };
  const [began, before] = [performance.now(), process.cpuUsage()];
  const update = { step, learningRate: 1e-4, weightDecay: 0.01, clipNorm: 1, tokens: B * T };
  loss = (await training.step(batch, update)).nats / (B * T);
  seconds.push((performance.now() - began) / 1000);
  const { user, system } = process.cpuUsage(before);
  processorSeconds.push((user + system) / 1e6);
}
const secondsPerStep = medianAfterWarmUp(seconds);
const measurement: Measurement = {
  secondsPerStep,
  processorSecondsPerStep: medianAfterWarmUp(processorSeconds),
  compileSeconds: Math.max(0, (seconds[0] as number) - secondsPerStep),
  peakMemoryBytes: peakMemory(engine),
  loss,
};
console.log(JSON.stringify(measurement));
await engine.dispose();

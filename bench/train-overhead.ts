/**
 * What the trainer costs beside its program: milliseconds a step between two step events, less the time in `run()` of the compiled
 * step. In: nothing. Out: the median, on the last line. Batches of 4 × 512 of a vocabulary of 50,257, the run log written as in a
 * real run; the model has one narrow layer, since the trainer's own work does not depend on it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { resolveConfig } from "../src/config.js";
import { seededRandom } from "../src/data/random.js";
import { chooseEngine } from "../src/engine/choose.js";
import type { Engine } from "../src/engine/engine.js";
import { randomWeights } from "../src/model/initial.js";
import { packageRoot } from "../src/paths.js";
import { logged, openRunLog } from "../src/train/run-log.js";
import { runTraining } from "../src/train/trainer.js";
import { median } from "./figures.js";

const [B, T, steps] = [4, 512, 60];
const modelConfig = {
  ...{ vocabularySize: 50_257, positions: T, width: 16, layers: 1, heads: 1 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 50_256 },
};
const random = seededRandom(1);
const tokens = Uint32Array.from({ length: B * T * steps + 1 }, () => random.integer(50_257));
const train = {
  ...{ blockSize: T, count: B * steps, droppedTokens: 0, textBytes: 4 * tokens.length, sourceTokens: tokens.length },
  block: (i: number) => tokens.subarray(i * T, (i + 1) * T + 1),
  documentsOf: (i: number) => [`document ${i}`],
};
const { engine, reason } = await chooseEngine({ engine: "tensorflow" });
let inProgram = 0;
const timed: Engine = {
  ...{ name: engine.name, description: engine.description },
  createVariables: (variables) => engine.createVariables(variables),
  deleteVariables: (names) => engine.deleteVariables(names),
  readVariables: (names) => engine.readVariables(names),
  async compile(...[name, inputs, step, precision]) {
    const compiled = await engine.compile(name, inputs, step, precision);
    const run: typeof compiled.run = async (values) => {
      const began = performance.now();
      const results = await compiled.run(values);
      inProgram += performance.now() - began;
      return results;
    };
    return { ...compiled, run };
  },
  dispose: () => engine.dispose(),
};
const outputDir = await mkdtemp(join(tmpdir(), "fledge-bench-"));
try {
  const log = await openRunLog(outputDir, 0);
  const shape = { blockSize: T, batchSize: B, gradientAccumulation: 1, numEpochs: 1, earlyStoppingPatience: 0 };
  const run = runTraining({
    config: resolveConfig({ ...shape, outputDir, logEverySteps: 10 }),
    ...{ engine: timed, engineReason: reason, runId: "bench", modelConfig, log, identity: {}, train },
    readWeights: async () => randomWeights(modelConfig, 1),
    validation: { ...train, count: B },
    tokenizerFolder: join(packageRoot(), "models/fledge-base"),
    now: () => performance.now(),
  });
  const outside: number[] = [];
  let last: { readonly step: number; readonly at: number; readonly inProgram: number } | undefined;
  let undisturbed = false;
  for await (const event of logged(run, log)) {
    if (event.type === "evaluation" || event.type === "checkpoint") undisturbed = false;
    if (event.type !== "step") continue;
    const at = performance.now();
    if (last && undisturbed) outside.push(at - last.at - (inProgram - last.inProgram));
    last = { step: event.step, at, inProgram };
    undisturbed = true;
  }
  await log.close();
  console.log(median(outside.slice(5)));
} finally {
  await engine.dispose();
  await rm(outputDir, { recursive: true });
}

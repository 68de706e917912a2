/** Trains a tiny model by `train()`, resuming what there is, until it ends or is killed. Argument: a folder made by the test. */
import { join } from "node:path";
import { train } from "../../src/fine-tune.js";

const [folder = ""] = process.argv.slice(2);
const run = train({
  modelName: join(folder, "../tiny"),
  initialWeights: "random",
  datasetName: join(folder, "../texts"),
  outputDir: join(folder, "run"),
  finalModelDir: join(folder, "final"),
  ...{ blockSize: 16, batchSize: 2, gradientAccumulation: 2, learningRate: 5e-3, dataGate: "warn" },
  ...{ numEpochs: 2, maxSteps: 9, evaluateEverySteps: 4, checkpointEverySteps: 1, earlyStoppingPatience: 0 },
  ...{ logEverySteps: 2, mixedPrecision: false, dropout: 0.1, resume: "auto" },
});
for await (const event of run) process.stdout.write(`${event.type}\n`);

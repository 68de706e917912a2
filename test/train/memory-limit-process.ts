/**
 * Trains a model of a few weights on micro-batches of 32,768 tokens, whose activations take almost all of the memory. Prints, as
 * JSON, the memory that an open engine takes, and the events of steps and of memory that ran out.
 */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseEngine } from "../../src/engine/choose.js";
import { randomWeights } from "../../src/model/initial.js";
import { tinyBlocks, tinyModel, tinyRun } from "./tiny-run.js";

const modelConfig = { ...tinyModel, width: 128 };
const { engine } = await chooseEngine({ engine: "tensorflow", mixedPrecision: false });
const folder = await mkdtemp(join(tmpdir(), "fledge-limit-"));
try {
  const taken = 1024 * Number(/^VmData:\s+(\d+) kB/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1]);
  const { events } = await tinyRun(
    folder,
    { batchSize: 4096, numEpochs: 2, evaluateEverySteps: 2, learningRate: 1e-3 },
    {
      engine,
      modelConfig,
      readWeights: async () => randomWeights(modelConfig, 1),
      train: tinyBlocks(8192, 1),
      validation: tinyBlocks(16, 2),
    },
  );
  const ofType = (name: string) => events.filter(({ type }) => type === name);
  console.log(JSON.stringify({ taken, steps: ofType("step"), outOfMemory: ofType("out-of-memory") }));
} finally {
  await rm(folder, { recursive: true });
  await engine.dispose();
}

/**
 * A training run of a model with one layer on made-up blocks, for the tests of the loop: plain TensorFlow.js, a second or
 * two. In: knobs, a folder, what differs. Out: its events and its result.
 */
import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { resolveConfig, type TrainingConfig } from "../../src/config.js";
import type { PackedBlocks } from "../../src/data/pack.js";
import { seededRandom } from "../../src/data/random.js";
import { openEager } from "../../src/engine/eager.js";
import { randomWeights } from "../../src/model/initial.js";
import { packageRoot } from "../../src/paths.js";
import type { TrainEvent } from "../../src/train/events.js";
import { runTraining } from "../../src/train/trainer.js";
import type { TrainingResult, TrainingRun } from "../../src/train/trainer-run.js";

/** Its model. */
export const tinyModel = {
  ...{ vocabularySize: 50, positions: 8, width: 8, layers: 1, heads: 2 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 49 },
};

/** Blocks of random tokens. */
export function tinyBlocks(count: number, seed: number): PackedBlocks {
  const random = seededRandom(seed);
  const tokens = Uint32Array.from({ length: count * 8 + 1 }, () => random.integer(50));
  const views = {
    block: (i: number) => tokens.subarray(i * 8, i * 8 + 9),
    documentsOf: (i: number) => [`document ${i}`],
  };
  const sizes = { sourceTokens: tokens.length, droppedTokens: 0, textBytes: tokens.length * 3 };
  return { blockSize: 8, count, ...sizes, ...views };
}

/** Trains: ten steps an epoch unless the knobs say otherwise. */
export async function tinyRun(
  folder: string,
  settings: Partial<TrainingConfig> = {},
  changes: Partial<TrainingRun> = {},
): Promise<{ events: TrainEvent[]; result: TrainingResult }> {
  await mkdir(folder, { recursive: true });
  await cp(join(packageRoot(), "models/fledge-base/tokenizer.json"), join(folder, "tokenizer.json"));
  const shape = { blockSize: 8, batchSize: 2, gradientAccumulation: 1, numEpochs: 2 };
  const training = runTraining({
    config: resolveConfig({ ...shape, earlyStoppingPatience: 0, learningRate: 1e-2, outputDir: folder, ...settings }),
    engine: await openEager("cpu"),
    engineReason: "test",
    runId: "test",
    modelConfig: tinyModel,
    readWeights: async () => randomWeights(tinyModel, 1),
    train: tinyBlocks(20, 1),
    validation: tinyBlocks(4, 2),
    identity: {},
    tokenizerFolder: folder,
    now: () => 0,
    ...changes,
  });
  const events: TrainEvent[] = [];
  while (true) {
    const next = await training.next();
    if (next.done) return { events, result: next.value };
    events.push(next.value);
  }
}

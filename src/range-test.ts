/**
 * Runs a learning-rate range test: from a model's weights, one step a rate, until the loss breaks away. In: knobs. Out: the
 * points, the suggested rate with its reason, a figure. Nothing is saved. The reading of the points is train/range-test.ts.
 */
import type { TrainingConfig } from "./config.js";
import { batchesOf, epochOrder } from "./data/batches.js";
import type { Dataset } from "./data/dataset.js";
import { chooseEngine } from "./engine/choose.js";
import { problem } from "./message.js";
import { prepareRun } from "./prepare.js";
import { trainableOf } from "./train/lora.js";
import { compileTraining } from "./train/optimizer.js";
import { hasBroken, type RangePoint, type RateSuggestion, rangeRate, suggestLearningRate } from "./train/range-test.js";
import { setVariables } from "./train/trainer-save.js";
import type { Figure } from "./view/figure.js";
import { rangeFigure } from "./view/range-test.js";

/** How the rates are tried. */
export interface RangeTestOptions {
  /** Lowest rate, above 0; default 1e-7. */
  readonly low?: number;
  /** Highest rate, above `low`; default 1. */
  readonly high?: number;
  /** Steps from the lowest to the highest, ≥ 8; default 100. */
  readonly steps?: number;
  /** Texts that are already in memory. */
  readonly dataset?: Dataset;
  /** Told each point as it is measured. */
  readonly onPoint?: (point: RangePoint) => void;
}

/** What the test found. */
export interface RangeTest {
  readonly points: readonly RangePoint[];
  /** Absent when the loss never fell. */
  readonly suggestion?: RateSuggestion;
  readonly figure: Figure;
}

/**
 * Finds a learning rate: rates rise by equal factors, and a tenth of the one with the lowest loss is the one to use.
 *
 * @param settings knobs of the run to find a rate for; its own learning rate and schedule are not used
 * @throws RangeError for rates or steps out of range, and whatever `train` would throw for the knobs
 * @example
 * (await findLearningRate({ datasetName: "my-texts/", blockSize: 64 }, { steps: 20 })).suggestion?.learningRate;
 */
export async function findLearningRate(
  settings: Partial<TrainingConfig> = {},
  { low = 1e-7, high = 1, steps = 100, dataset, onPoint }: RangeTestOptions = {},
): Promise<RangeTest> {
  checkRange(low, high, steps);
  const { config, model, data } = await prepareRun(settings, { dataset });
  const { batchSize, gradientAccumulation, blockSize, clipNorm, weightDecay, seed, separateDocuments } = config;
  const { engine } = await chooseEngine({
    mixedPrecision: config.mixedPrecision,
    ...(config.engine === "auto" ? {} : { engine: config.engine }),
  });
  const points: RangePoint[] = [];
  try {
    const trainable = trainableOf(model.config, config);
    await setVariables({ engine, config, modelConfig: model.config, readWeights: model.readWeights });
    const shape = { B: batchSize, T: blockSize, separateDocuments };
    const training = compileTraining(engine, model.config, shape, { trainable });
    const batches = endless((epoch) => batchesOf(data.train, epochOrder(data.train, { seed, epoch }), batchSize));
    for (let step = 0; step < steps && !hasBroken(points); step++) {
      const window = Array.from({ length: gradientAccumulation }, () => batches.next().value);
      for (const batch of window.slice(0, -1)) await training.accumulate(batch);
      const tokens = window.reduce((sum, { targetCount }) => sum + targetCount, 0);
      const learningRate = rangeRate({ low, high, steps }, step);
      const last = window.at(-1) as (typeof window)[number];
      const update = { step: step + 1, learningRate, weightDecay, clipNorm, tokens };
      const { nats } = await training.step(last, update);
      points.push({ learningRate, loss: nats / tokens });
      onPoint?.(points.at(-1) as RangePoint);
    }
  } finally {
    await engine.dispose();
  }
  const suggestion = suggestLearningRate(points);
  return { points, ...(suggestion && { suggestion }), figure: rangeFigure(points, suggestion) };
}

function* endless<Item>(pass: (epoch: number) => Iterable<Item>): Generator<Item, never> {
  for (let epoch = 0; ; epoch++) yield* pass(epoch);
}

function checkRange(low: number, high: number, steps: number): void {
  if (low > 0 && high > low && Number.isSafeInteger(steps) && steps >= 8) return;
  throw new RangeError(
    problem({
      cannot: "test learning rates",
      found: `low ${low}, high ${high}, steps ${steps}`,
      expected: "0 < low < high and at least 8 steps",
      fix: "leave them out for 1e-7, 1 and 100",
    }),
  );
}

/**
 * Learning-rate range test: one short run whose rate rises from step to step until the loss breaks away. In: the points of such
 * a run. Out: the rate to train with, and why. It is pure; src/range-test.ts makes the run.
 * Sources: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; Gugger 2018, "How Do You Find A
 * Good Learning Rate": the loss smoothed, and a tenth of the rate at which it is lowest, as in fastai's `lr_find`.
 */

/** One step of the test. */
export interface RangePoint {
  readonly learningRate: number;
  /** Training loss of the step, nats per token. */
  readonly loss: number;
}

/** What the test says. */
export interface RateSuggestion {
  /** A tenth of `limit`: a good peak rate. */
  readonly learningRate: number;
  /** Where the smoothed loss was lowest: at this rate training is about to break. */
  readonly limit: number;
  readonly reason: string;
}

/** The loss has broken away once it is this much above its lowest value, as a share of it. */
const breakaway = 1.25;
/** How much of the mean before goes into the mean after: the loss of about five steps. */
const memory = 0.8;
/** A fall is seen when it is this many times what the loss jumps between steps; noise alone comes so far once in six tests. */
const visible = 1.25;

/**
 * The rate of a step of the test: equal factors from `low` to `high` (a straight line on a logarithmic axis).
 *
 * @param step 0 … steps − 1
 * @example
 * rangeRate({ low: 1e-6, high: 1, steps: 7 }, 3); // 0.001
 */
export function rangeRate({ low, high, steps }: { low: number; high: number; steps: number }, step: number): number {
  return low * (high / low) ** (step / Math.max(1, steps - 1));
}

/** Whether the loss has broken away, so that the test may end. */
export function hasBroken(points: readonly RangePoint[]): boolean {
  const smooth = smoothLosses(points);
  const last = smooth.at(-1);
  return last !== undefined && (!Number.isFinite(last) || last > breakaway * Math.min(...smooth));
}

/**
 * The losses of a range test without the jumps from batch to batch: their exponential mean, with the bias of its start
 * divided out, as Adam does it.
 *
 * @returns as many losses as points
 */
export function smoothLosses(points: readonly RangePoint[]): number[] {
  let mean = 0;
  return points.map(({ loss }, i) => {
    mean = memory * mean + (1 - memory) * loss;
    return mean / (1 - memory ** (i + 1));
  });
}

/**
 * Reads a rate from the points of a range test. The steepest fall, which is also in use, is noise on a short run: on 50 points
 * with noise of an eighth of the fall it was up to three powers of ten away, a tenth of the lowest rate up to 0.1.
 *
 * @returns undefined when the loss did not fall by more than it jumps between steps, or there are fewer than 8 finite points
 * @example
 * suggestLearningRate([]); // undefined
 */
export function suggestLearningRate(points: readonly RangePoint[]): RateSuggestion | undefined {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length < 8) return undefined;
  const smooth = smoothLosses(finite);
  const start = Math.max(4, finite.length >> 2);
  const before = finite.slice(0, start).reduce((sum, { loss }) => sum + loss, 0) / start;
  const lowest = Math.min(...smooth.slice(start));
  const limit = finite[smooth.indexOf(lowest, start)]?.learningRate ?? Number.NaN;
  if (before - lowest < visible * jump(finite)) return undefined;
  const learningRate = Number((limit / 10).toPrecision(2));
  const reason = `the smoothed loss is lowest at ${scientific(limit)}, beyond which it breaks away; a tenth of that learns nearly as fast and is safe`;
  return { learningRate, limit, reason };
}

// What the loss changes from one step to the next, in the middle.
function jump(points: readonly RangePoint[]): number {
  const jumps = points.slice(1).map(({ loss }, i) => Math.abs(loss - (points[i]?.loss ?? loss)));
  return jumps.sort((a, b) => a - b)[jumps.length >> 1] ?? 0;
}

function scientific(value: number): string {
  return value.toExponential(1);
}

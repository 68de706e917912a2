/**
 * Learning-rate range test: one short run whose rate rises from step to step until the loss breaks away. In: the points of such
 * a run. Out: the rate to train with, and why. It is pure; src/range-test.ts makes the run.
 * Source: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", section 3.3; the choice of the steepest descent
 * as in fastai's `lr_find`.
 */

/** One step of the test. */
export interface RangePoint {
  readonly learningRate: number;
  /** Training loss of the step, nats per token. */
  readonly loss: number;
}

/** What the test says. */
export interface RateSuggestion {
  /** Where the smoothed loss falls fastest: a good peak rate. */
  readonly learningRate: number;
  /** Where the smoothed loss was lowest: at this rate training is about to break. */
  readonly limit: number;
  readonly reason: string;
}

/** The loss has broken away once it is this much above its lowest value, as a share of it. */
const breakaway = 1.25;

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
  const smooth = smoothed(points);
  const last = smooth.at(-1);
  return last !== undefined && (!Number.isFinite(last) || last > breakaway * Math.min(...smooth));
}

/**
 * Reads a rate from the points of a range test.
 *
 * @returns undefined when the loss never fell, or there are fewer than 8 finite points
 * @example
 * suggestLearningRate([]); // undefined
 */
export function suggestLearningRate(points: readonly RangePoint[]): RateSuggestion | undefined {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length < 8) return undefined;
  const smooth = smoothed(finite);
  const lowest = smooth.indexOf(Math.min(...smooth));
  let steepest = 0;
  let slope = 0;
  // Slope over two neighbours on the logarithmic axis; past the lowest point the loss only rises.
  for (let i = 1; i < lowest; i++) {
    const fall = (smooth[i - 1] as number) - (smooth[i + 1] as number);
    if (fall > slope) [slope, steepest] = [fall, i];
  }
  const best = finite[steepest];
  const limit = finite[lowest];
  if (slope === 0 || !best || !limit) return undefined;
  const reason = `the loss falls fastest at ${scientific(best.learningRate)} and is lowest at ${scientific(limit.learningRate)}, beyond which it breaks away`;
  return { learningRate: Number(best.learningRate.toPrecision(2)), limit: limit.learningRate, reason };
}

// Exponential mean with the bias of its start divided out, as Adam does it.
function smoothed(points: readonly RangePoint[], keep = 0.8): number[] {
  let mean = 0;
  return points.map(({ loss }, i) => {
    mean = keep * mean + (1 - keep) * loss;
    return mean / (1 - keep ** (i + 1));
  });
}

function scientific(value: number): string {
  return value.toExponential(1);
}

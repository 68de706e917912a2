/**
 * Tells a loss that stands far above those before it. In: one loss after the other. Out: running mean and variance, and the
 * z-score of a spike. It judges nothing else: a spike may be a hard batch or a learning rate that is too high.
 * Running statistics: exponentially weighted, T. Finch 2009, "Incremental calculation of weighted mean and variance", section 9.
 */

/** Running statistics of a run's losses; plain JSON, so that a checkpoint keeps them. */
export interface LossStatistics {
  /** Losses taken in. */
  readonly count: number;
  /** Nats per token. */
  readonly mean: number;
  readonly variance: number;
}

/** Before the first loss. */
export const noLosses: LossStatistics = { count: 0, mean: 0, variance: 0 };

/** A loss counts as a spike from this many standard deviations above the mean. */
export const spikeZScore = 5;

// The newest loss weighs one in twenty, and nothing is said before there are as many.
const weight = 1 / 20;
const lossesBeforeJudging = 20;
// Losses that happen to be nearly equal must not turn a thousandth into a spike.
const leastDeviation = 0.01;

/**
 * Takes in a loss.
 *
 * @param loss nats per token, finite
 * @returns the statistics with it, and its z-score when it is a spike
 * @example
 * nextLoss(noLosses, 4.2).statistics.mean; // 4.2
 */
export function nextLoss(
  { count, mean, variance }: LossStatistics,
  loss: number,
): { readonly statistics: LossStatistics; readonly zScore?: number } {
  if (count === 0) return { statistics: { count: 1, mean: loss, variance: 0 } };
  const difference = loss - mean;
  const deviation = Math.max(Math.sqrt(variance), leastDeviation * Math.abs(mean));
  const zScore = difference / deviation;
  const statistics = {
    count: count + 1,
    mean: mean + weight * difference,
    variance: (1 - weight) * (variance + weight * difference * difference),
  };
  return count >= lossesBeforeJudging && zScore >= spikeZScore ? { statistics, zScore } : { statistics };
}

/**
 * Learning rate by step. In: the peak rate, the schedule's shape, the number of steps. Out: the rate of one step.
 * Formulas as transformers' get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup.
 */

/** Shapes of the decay after warm-up. */
export const scheduleNames = ["linear", "cosine", "constant"] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** What a schedule is made of. */
export interface Schedule {
  readonly name: ScheduleName;
  /** Highest rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** Steps during which the rate rises in a straight line from 0. */
  readonly warmupSteps: number;
  readonly totalSteps: number;
}

/**
 * Learning rate of an optimiser step.
 *
 * @param step steps already made: 0 for the first one
 * @returns between 0 and `learningRate`
 * @example
 * learningRateAt({ name: "linear", learningRate: 2e-5, warmupSteps: 0, totalSteps: 100 }, 50); // 1e-5
 */
export function learningRateAt({ name, learningRate, warmupSteps, totalSteps }: Schedule, step: number): number {
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  if (name === "linear") return learningRate * (1 - progress);
  if (name === "cosine") return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
  return learningRate;
}

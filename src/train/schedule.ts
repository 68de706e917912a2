/**
 * Learning rate by step. In: the peak rate, the schedule's shape, the number of steps. Out: the rate of one step. It keeps no
 * state, so a resumed run has the rate of an uninterrupted one. With w steps of warm-up, n steps in all and s steps made,
 * p = (s − w) / (n − w) is the share of the way after the warm-up.
 */

/** Shapes after the warm-up. */
export const scheduleNames = ["linear", "cosine", "constant", "wsd"] as const;
export type ScheduleName = (typeof scheduleNames)[number];

/** What a schedule is made of. */
export interface Schedule {
  readonly name: ScheduleName;
  /** Highest rate, reached at the end of the warm-up. */
  readonly learningRate: number;
  /** Steps during which the rate rises in a straight line from 0. */
  readonly warmupSteps: number;
  readonly totalSteps: number;
  /** Share of all steps in which `wsd` falls to 0, at the end; default 0.2. */
  readonly decayFraction?: number;
}

/**
 * Learning rate of an optimiser step.
 *
 * - warm-up: rate × s / w (Goyal et al. 2017, section 2.2)
 * - `linear`: rate × (1 − p); `cosine`: rate × (1 + cos πp) / 2 (Loshchilov & Hutter 2017, equation 5), both as in
 *   transformers' get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup
 * - `constant`: rate
 * - `wsd`, warm-up, stable, decay (Hu et al. 2024, "MiniCPM", section 4.2): rate, and in the last d steps
 *   rate × (1 − √q) with q the share of those d steps that is over (Hägele et al. 2024, section 3)
 *
 * @param step steps already made: 0 for the first one
 * @returns between 0 and `learningRate`
 * @example
 * learningRateAt({ name: "linear", learningRate: 2e-5, warmupSteps: 0, totalSteps: 100 }, 50); // 1e-5
 */
export function learningRateAt(schedule: Schedule, step: number): number {
  const { name, learningRate, warmupSteps, totalSteps, decayFraction = 0.2 } = schedule;
  if (step < warmupSteps) return (learningRate * step) / warmupSteps;
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps));
  if (name === "linear") return learningRate * (1 - progress);
  if (name === "cosine") return (learningRate * (1 + Math.cos(Math.PI * progress))) / 2;
  if (name === "constant") return learningRate;
  const decaySteps = Math.max(1, Math.round(totalSteps * decayFraction));
  const decayed = Math.min(1, Math.max(0, (step - (totalSteps - decaySteps)) / decaySteps));
  return learningRate * (1 - Math.sqrt(decayed));
}

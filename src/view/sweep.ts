/**
 * A sweep as a table and a chart. In: results of trials and, for the chart, the events of their runs. Out: a displayable table
 * from best to worst, and the comparison of runs on one step axis. It runs nothing and reads nothing.
 */
import type { TrainEvent } from "../train/events.js";
import { rankTrials, type TrialResult } from "../train/sweep.js";
import { compareRunsFigure } from "./chart.js";
import type { Displayable } from "./display.js";
import type { Figure } from "./figure.js";
import { formatDuration, formatLoss } from "./format.js";
import { table } from "./table.js";

/** Runs of one chart: more lines cannot be told apart. */
const mostRuns = 6;

/**
 * The table of a sweep, best trial first.
 *
 * @example
 * display(sweepTable([{ name: "seed=1", varied: { seed: 1 }, settings: {}, bestValidationLoss: 3.7 }]));
 */
export function sweepTable(results: readonly TrialResult[]): Displayable {
  const rows = rankTrials(results).map(({ varied, bestValidationLoss, bestStep, seconds, failure }, place) => ({
    place: failure === undefined ? place + 1 : "failed",
    ...Object.fromEntries(Object.entries(varied).map(([knob, value]) => [knob, String(value)])),
    "validation loss": bestValidationLoss === undefined ? (failure ?? "") : formatLoss(bestValidationLoss),
    "at step": bestStep ?? "",
    time: seconds === undefined ? "" : formatDuration(seconds),
  }));
  return table(rows, { caption: "trials, best first", maxRows: 200 });
}

/**
 * The chart of a sweep: the best six trials.
 *
 * @param runs results with the events of each run
 */
export function sweepFigure(
  runs: readonly { readonly result: TrialResult; readonly events: readonly TrainEvent[] }[],
): Figure {
  const order = rankTrials(runs.map(({ result }) => result)).slice(0, mostRuns);
  const drawn = order.flatMap(({ name }) => runs.filter(({ result }) => result.name === name));
  return compareRunsFigure(drawn.map(({ result, events }) => ({ name: result.name, events })));
}

/**
 * What stands beside the loss: the learning rate and the gradient norm of every step. In: the events of a run. Out: two figures
 * on the step axis of the training chart. It draws no loss; chart.ts does.
 */
import type { TrainEvent } from "../train/events.js";
import { trainingCurves } from "./curves.js";
import type { Figure } from "./figure.js";
import { lineFigure } from "./plots.js";

/**
 * Draws learning rate and gradient norm.
 *
 * @param events the run's events so far, in order; none is fine.
 * @returns one figure each; a run that was resumed is whole in both.
 * @example
 * optimiserFigures([]).learningRate.description;
 */
export function optimiserFigures(events: readonly TrainEvent[]): { learningRate: Figure; gradientNorm: Figure } {
  const { learningRate, gradientNorm } = trainingCurves(events);
  const xTitle = "optimiser step";
  return {
    learningRate: lineFigure({
      ...{ title: "Learning rate", xTitle, yTitle: "learning rate" },
      series: [{ name: "learning rate", ...learningRate }],
    }),
    gradientNorm: lineFigure({
      ...{ title: "Gradient norm, before clipping", xTitle, yTitle: "global norm" },
      series: [{ name: "gradient norm", ...gradientNorm }],
    }),
  };
}

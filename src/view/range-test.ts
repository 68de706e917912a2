/**
 * The picture of a learning-rate range test. In: its points and the suggestion. Out: the loss over the logarithm of the rate,
 * smoothed beside it, with the suggested rate marked. It measures nothing.
 */
import { type RangePoint, type RateSuggestion, smoothLosses } from "../train/range-test.js";
import { type Figure, figure } from "./figure.js";
import { formatLoss } from "./format.js";
import { ink, palette } from "./look.js";

/**
 * Draws a range test.
 *
 * @param points rate and loss of every step
 * @example
 * rangeFigure([{ learningRate: 1e-5, loss: 4.2 }], undefined).description;
 */
export function rangeFigure(points: readonly RangePoint[], suggestion: RateSuggestion | undefined): Figure {
  const finite = points.filter(({ loss }) => Number.isFinite(loss));
  const x = finite.map(({ learningRate }) => Math.log10(learningRate));
  const at = suggestion && Math.log10(suggestion.learningRate);
  return figure({
    data: [
      {
        ...{ type: "scatter", mode: "lines", name: "training loss, each step", x, opacity: 0.45 },
        y: finite.map(({ loss }) => loss),
        line: { color: palette.blue, width: 1.2, dash: "solid" },
        hovertemplate: "%{y:.3f} at 10^%{x:.2f}",
      },
      {
        ...{ type: "scatter", mode: "lines", name: "smoothed", x },
        y: smoothLosses(finite),
        line: { color: palette.vermillion, width: 2.4, dash: "solid" },
        hovertemplate: "%{y:.3f} at 10^%{x:.2f}",
      },
    ],
    layout: {
      title: {
        text: "Learning-rate range test",
        ...(suggestion && { subtitle: { text: `suggested: ${suggestion.learningRate.toExponential(1)}` } }),
      },
      xaxis: { title: { text: "learning rate (power of ten)" } },
      yaxis: { title: { text: "loss (nats per token)" } },
      ...(at !== undefined && {
        shapes: [
          {
            ...{ type: "line", xref: "x", yref: "paper", x0: at, x1: at, y0: 0, y1: 1 },
            line: { color: ink.line, width: 1.4, dash: "dash" },
          },
        ],
        annotations: [
          {
            ...{ text: "suggested", x: at, y: 1, xref: "x", yref: "paper", showarrow: false },
            ...{ xanchor: "left", yanchor: "top", xshift: 6 },
          },
        ],
      }),
    },
    description: describe(finite, suggestion),
  });
}

function describe(points: readonly RangePoint[], suggestion: RateSuggestion | undefined): string {
  const first = points[0];
  const last = points.at(-1);
  if (!first || !last) return "No loss has been measured yet.";
  const losses = points.map(({ loss }) => loss);
  const range = `Training loss from ${formatLoss(first.loss)} at rate ${first.learningRate.toExponential(1)} to ${formatLoss(last.loss)} at ${last.learningRate.toExponential(1)}, lowest ${formatLoss(Math.min(...losses))}.`;
  if (!suggestion)
    return `${range} It never fell by more than it jumps from step to step, so that no rate is suggested.`;
  return `${range} Suggested rate ${suggestion.learningRate.toExponential(1)}: ${suggestion.reason}.`;
}

/**
 * Small general charts for notebooks: lines, bars, histograms. In: columns of numbers with a title and axis names.
 * Out: figures in the look of the training chart, each with a sentence. They choose the colours, dashes and markers;
 * anything finer is done by changing the figure's plain data.
 */
import { problem } from "../message.js";
import { downsample } from "./downsample.js";
import { type Dash, type Figure, figure, type MarkerSymbol } from "./figure.js";
import { formatCount, formatNumber } from "./format.js";
import { ink, palette } from "./look.js";

/** What every chart has. */
export interface ChartText {
  readonly title: string;
  /** Axis titles; say the unit in parentheses. */
  readonly xTitle: string;
  readonly yTitle: string;
  /** What the picture shows; default: made from the numbers. */
  readonly description?: string;
}

const colors = [palette.blue, palette.vermillion, palette.green, palette.purple, palette.orange, palette.sky];
const dashes: readonly Dash[] = ["solid", "dash", "longdash", "dashdot", "dot"];
const symbols: readonly MarkerSymbol[] = ["circle", "diamond", "square", "triangle-up", "triangle-down", "star"];

/**
 * A line chart of one or more series.
 *
 * @param chart texts, and series with a name and columns x (ascending) and y of one length, both [n].
 * @returns a figure; series of up to 40 points show their markers, longer ones are thinned to 500 points.
 * @throws RangeError when the columns of a series differ in length.
 * @example
 * lineFigure({ title: "Squares", xTitle: "n", yTitle: "n²", series: [{ name: "n²", x: [0, 1, 2], y: [0, 1, 4] }] });
 */
export function lineFigure(
  chart: ChartText & {
    readonly series: readonly { readonly name: string; readonly x: readonly number[]; readonly y: readonly number[] }[];
  },
): Figure {
  for (const { name, x, y } of chart.series) sameLength(`draw series "${name}"`, x.length, y.length);
  return figure({
    data: chart.series.map(({ name, x, y }, i) => {
      const color = colors[i % colors.length] ?? ink.strong;
      return {
        type: "scatter",
        mode: x.length <= 40 ? "lines+markers" : "lines",
        name,
        ...downsample({ x, y }),
        line: { color, width: 2.2, dash: dashes[i % dashes.length] ?? "solid" },
        marker: { color, symbol: symbols[i % symbols.length] ?? "circle", size: 8 },
      };
    }),
    layout: layoutOf(chart),
    description:
      chart.description ?? `${chart.title}. ${chart.series.map(({ name, y }) => `${name}: ${rangeOf(y)}`).join("; ")}.`,
  });
}

/**
 * A bar chart: one bar a label.
 *
 * @param chart texts, labels (distinct) and values, both [n].
 * @returns a figure whose bars stand on zero.
 * @throws RangeError when labels and values differ in number.
 * @example
 * barFigure({ title: "Files", xTitle: "kind", yTitle: "files", labels: ["text", "csv"], values: [12, 3] });
 */
export function barFigure(
  chart: ChartText & { readonly labels: readonly string[]; readonly values: readonly number[] },
): Figure {
  sameLength(`draw the bars of "${chart.title}"`, chart.labels.length, chart.values.length);
  const listed = chart.labels
    .slice(0, 12)
    .map((label, i) => `${label}: ${formatNumber(chart.values[i] ?? Number.NaN)}`);
  const rest = chart.labels.length > 12 ? `; and ${formatCount(chart.labels.length - 12)} more` : "";
  return figure({
    data: [
      {
        type: "bar",
        name: chart.yTitle,
        x: chart.labels,
        y: chart.values,
        marker: { color: palette.blue },
        showlegend: false,
      },
    ],
    layout: layoutOf(chart, "category"),
    description: chart.description ?? `${chart.title}. ${listed.join("; ")}${rest}.`,
  });
}

/**
 * A histogram: how many values fall into each of some equal stretches.
 *
 * @param chart title, x axis title, values [n] (finite ones count), number of bins ≥ 1 (default 30).
 * @returns a figure of counts.
 * @throws RangeError when no value is finite.
 * @example
 * histogramFigure({ title: "Document lengths", xTitle: "tokens", values: [10, 12, 30] });
 */
export function histogramFigure(chart: {
  readonly title: string;
  readonly xTitle: string;
  readonly values: readonly number[];
  readonly bins?: number;
  readonly yTitle?: string;
}): Figure {
  const values = chart.values.filter(Number.isFinite).sort((a, b) => a - b);
  const [low] = values;
  const high = values.at(-1);
  if (low === undefined || high === undefined) {
    const fix = "pass at least one finite number";
    throw new RangeError(
      problem({ cannot: `draw histogram "${chart.title}"`, found: "no finite value", expected: "at least one", fix }),
    );
  }
  const bins = Math.max(1, Math.round(chart.bins ?? 30));
  const width = (high - low || 1) / bins;
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.floor((value - low) / width));
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  const median = values[Math.floor(values.length / 2)] ?? low;
  const x = counts.map((_, i) => low + (i + 0.5) * width);
  return figure({
    data: [{ type: "bar", name: "count", x, y: counts, width, marker: { color: palette.blue }, showlegend: false }],
    layout: layoutOf({ title: chart.title, xTitle: chart.xTitle, yTitle: chart.yTitle ?? "count" }),
    description: `${chart.title}. ${formatCount(values.length)} values from ${formatNumber(low)} to ${formatNumber(high)}, median ${formatNumber(median)} (${chart.xTitle}).`,
  });
}

function layoutOf({ title, xTitle, yTitle }: ChartText, type: "linear" | "category" = "linear"): Figure["layout"] {
  return { title: { text: title }, xaxis: { title: { text: xTitle }, type }, yaxis: { title: { text: yTitle } } };
}

function sameLength(cannot: string, left: number, right: number): void {
  if (left === right) return;
  const found = `${formatCount(left)} and ${formatCount(right)} values`;
  throw new RangeError(problem({ cannot, found, expected: "two columns of one length", fix: "give each x its y" }));
}

function rangeOf(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const [first] = finite;
  const last = finite.at(-1);
  return first === undefined || last === undefined
    ? "no values"
    : `from ${formatNumber(first)} to ${formatNumber(last)}`;
}

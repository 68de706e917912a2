/**
 * Charts of training runs. In: the events of a run, or of several. Out: figures with training and validation loss on one
 * true step axis, the best checkpoint marked, each with a sentence that says in numbers what it shows. It does not
 * draw (svg.ts, html.ts) and does not read logs. Series differ by dash and marker as well as by colour.
 */
import { basename } from "node:path";
import type { TrainEvent } from "../train/events.js";
import { type TrainingCurves, trainingCurves } from "./curves.js";
import { centredMean, downsample } from "./downsample.js";
import {
  type Annotation,
  type Dash,
  type Figure,
  figure,
  type MarkerSymbol,
  type Trace,
  type VerticalLine,
} from "./figure.js";
import { formatCount, formatLoss } from "./format.js";
import { ink, palette } from "./look.js";

/** Most points of one series: more cannot be seen, and a notebook would have to store them. */
const pointLimit = 500;

const lossAxis = "loss (nats per token)";
const hover = "%{y:.3f}";
const unifiedhovertitle = { text: "step %{x:,}" };
// Evaluations are rare: the hover label of the nearest one says which step it belongs to.
const evaluationHover = "%{y:.3f} at step %{x:,}";

/**
 * The picture of a training run: training loss of every step and its running mean, validation loss from before the
 * first step on, the best checkpoint, and where the run was resumed, refused a step or stopped early.
 *
 * @param events the run's events so far, in order; none is fine.
 * @returns a figure; at most 500 points a series.
 * @example
 * const chart = trainingFigure([]);
 * chart.description; // "No loss has been measured yet."
 */
export function trainingFigure(events: readonly TrainEvent[]): Figure {
  const curves = trainingCurves(events);
  const { start, best, finish, lastStep } = curves;
  const perEpoch = start ? ` (1 epoch = ${formatCount(start.stepsPerEpoch)} steps)` : "";
  const title = start ? `Training ${basename(start.modelName)} on ${basename(start.datasetName)}` : "Training";
  const subtitle = subtitleOf(curves);
  return figure({
    data: [...trainTraces(curves), ...validationTraces(curves), ...spikeTrace(curves), ...skippedTrace(curves)],
    layout: {
      title: { text: title, ...(subtitle && { subtitle: { text: subtitle } }) },
      xaxis: {
        title: { text: `optimiser step${perEpoch}` },
        range: stepRange(lastStep || start?.totalSteps || 1),
        unifiedhovertitle,
      },
      yaxis: { title: { text: lossAxis } },
      shapes: [
        ...curves.resumedAt.map((step) => verticalLine(step, "dot")),
        ...curves.outOfMemoryAt.map((step) => verticalLine(step, "longdash")),
        ...(finish?.reason === "early-stopping" ? [verticalLine(finish.step, "dashdot")] : []),
      ],
      annotations: [
        ...curves.resumedAt.map((step) =>
          besideLine(step, `resumed at ${formatCount(step)}`, step > lastStep / 2 ? "right" : "left"),
        ),
        ...curves.outOfMemoryAt.map((step) =>
          besideLine(step, "memory ran out", step > lastStep / 2 ? "right" : "left"),
        ),
        ...(finish?.reason === "early-stopping" ? [besideLine(finish.step, "stopped early", "right")] : []),
        ...waitNotes(curves),
        ...(best && lastStep > 0 ? [bestNote(best, lastStep)] : []),
      ],
    },
    description: describe(curves),
  });
}

/**
 * Several runs in one picture: each run's validation loss as a line with markers, its training loss thin and dotted in
 * the same colour.
 *
 * @param runs name and events of each run, 1 to 6 of them; colours, dashes and markers repeat beyond six.
 * @returns a figure on one true step axis.
 * @example
 * compareRunsFigure([{ name: "learning rate 2e-5", events: [] }, { name: "learning rate 2e-4", events: [] }]);
 */
export function compareRunsFigure(
  runs: readonly { readonly name: string; readonly events: readonly TrainEvent[] }[],
): Figure {
  const drawn = runs.map(({ name, events }) => ({ name, curves: trainingCurves(events) }));
  const sentences = drawn.map(({ name, curves: { best } }) =>
    best
      ? `${name}: best ${formatLoss(best.validationLoss)} at step ${formatCount(best.step)}`
      : `${name}: not evaluated yet`,
  );
  return figure({
    data: drawn.flatMap(({ name, curves }, i) => runTraces(name, curves, i)),
    layout: {
      title: {
        text: `Comparing ${formatCount(runs.length)} runs`,
        subtitle: { text: "lines with markers: validation; thin dotted lines: training" },
      },
      xaxis: {
        title: { text: "optimiser step" },
        range: stepRange(Math.max(1, ...drawn.map(({ curves }) => curves.lastStep))),
        unifiedhovertitle,
      },
      yaxis: { title: { text: lossAxis } },
    },
    description: `Validation loss in nats per token. ${sentences.join("; ")}.`,
  });
}

function trainTraces({ train }: TrainingCurves): Trace[] {
  const count = train.x.length;
  const window = Math.min(51, 2 * Math.floor(count / 40) + 1);
  const perStep = downsample(train, pointLimit);
  const line = (width: number) => ({ color: palette.blue, width, dash: "solid" as const });
  const each: Trace = {
    type: "scatter",
    mode: "lines",
    name: "training loss",
    ...perStep,
    line: line(2.2),
    hovertemplate: hover,
  };
  if (window < 3) return [each];
  const mean = downsample({ x: train.x, y: centredMean(train.y, window) }, pointLimit);
  return [
    { ...each, name: "training loss, each step", line: line(1), opacity: 0.3 },
    {
      type: "scatter",
      mode: "lines",
      name: `training loss, mean of ${window} steps`,
      ...mean,
      line: line(2.2),
      hovertemplate: hover,
    },
  ];
}

function validationTraces({ validation, best }: TrainingCurves): Trace[] {
  const every: Trace = {
    type: "scatter",
    mode: "lines+markers",
    name: "validation loss",
    ...downsample(validation, pointLimit),
    line: { color: palette.vermillion, width: 2.2, dash: "dash" },
    marker: { color: palette.vermillion, symbol: "diamond", size: 8, line: { color: ink.paper, width: 1 } },
    hovertemplate: evaluationHover,
  };
  if (!best || validation.x.length < 2) return [every];
  const star = { color: palette.green, symbol: "star", size: 17, line: { color: ink.paper, width: 1.2 } } as const;
  return [
    every,
    {
      type: "scatter",
      mode: "markers",
      name: "best checkpoint",
      x: [best.step],
      y: [best.validationLoss],
      marker: star,
      hovertemplate: evaluationHover,
    },
  ];
}

function spikeTrace({ spikes }: TrainingCurves): Trace[] {
  if (spikes.x.length === 0) return [];
  const marker = { color: palette.purple, symbol: "triangle-down", size: 10 } as const;
  return [{ type: "scatter", mode: "markers", name: "loss spike", ...spikes, marker, hovertemplate: evaluationHover }];
}

// The counter of early stopping, at the evaluations that it counts: 1/2, 2/2.
function waitNotes({ waits, start }: TrainingCurves): Annotation[] {
  const patience = start?.config.earlyStoppingPatience ?? 0;
  if (patience === 0 || waits.length > 40) return [];
  return waits.map(({ step, validationLoss, count }) => ({
    ...{ text: `${count}/${patience}`, x: step, y: validationLoss, xref: "x", yref: "y", showarrow: true },
    ...{ ax: 0, ay: 22, xanchor: "center", yanchor: "top" },
  }));
}

function skippedTrace({ skippedAt, train, validation }: TrainingCurves): Trace[] {
  if (skippedAt.length === 0) return [];
  // A refused step has no loss: its cross stands at the foot of the plot.
  const foot = [...train.y, ...validation.y].reduce((low, loss) => Math.min(low, loss), Infinity);
  const y = skippedAt.map(() => (Number.isFinite(foot) ? foot : 0));
  const marker = { color: ink.strong, symbol: "x", size: 9 } as const;
  return [
    {
      type: "scatter",
      mode: "markers",
      name: "refused step",
      x: skippedAt,
      y,
      marker,
      hovertemplate: "at step %{x:,}",
    },
  ];
}

function runTraces(name: string, { train, validation }: TrainingCurves, index: number): Trace[] {
  const colors = [palette.blue, palette.vermillion, palette.green, palette.purple, palette.orange, palette.sky];
  const symbols: MarkerSymbol[] = ["circle", "diamond", "square", "triangle-up", "triangle-down", "star"];
  const lines: Dash[] = ["solid", "dash", "longdash", "dashdot"];
  const color = colors[index % colors.length] ?? ink.strong;
  const dash = lines[index % lines.length] ?? "solid";
  const symbol = symbols[index % symbols.length] ?? "circle";
  const window = Math.min(51, 2 * Math.floor(train.x.length / 40) + 1);
  const mean = downsample({ x: train.x, y: centredMean(train.y, window) }, pointLimit);
  const hovertemplate = "%{y:.3f}";
  return [
    {
      type: "scatter",
      mode: "lines",
      name: `${name}, training`,
      ...mean,
      line: { color, width: 1.2, dash: "dot" },
      opacity: 0.8,
      showlegend: false,
      hovertemplate,
    },
    {
      type: "scatter",
      mode: "lines+markers",
      name,
      ...downsample(validation, pointLimit),
      line: { color, width: 2.2, dash },
      marker: { color, symbol, size: 9 },
      hovertemplate,
    },
  ];
}

// A little air on both sides, so that the markers at step 0 and at the last step are whole.
function stepRange(lastStep: number): [number, number] {
  return [-0.012 * lastStep, 1.02 * lastStep];
}

function verticalLine(step: number, dash: Dash): VerticalLine {
  return {
    type: "line",
    xref: "x",
    yref: "paper",
    x0: step,
    x1: step,
    y0: 0,
    y1: 1,
    line: { color: ink.line, width: 1.4, dash },
  };
}

function besideLine(step: number, text: string, xanchor: "left" | "right"): Annotation {
  return {
    text,
    x: step,
    y: 1,
    xref: "x",
    yref: "paper",
    showarrow: false,
    xanchor,
    yanchor: "top",
    xshift: xanchor === "left" ? 6 : -6,
  };
}

function bestNote(best: { step: number; validationLoss: number }, lastStep: number): Annotation {
  const late = best.step > lastStep / 2;
  return {
    text: `best ${formatLoss(best.validationLoss)} at step ${formatCount(best.step)}`,
    x: best.step,
    y: best.validationLoss,
    xref: "x",
    yref: "y",
    showarrow: true,
    ax: late ? -36 : 36,
    ay: -44,
    xanchor: late ? "right" : "left",
    yanchor: "bottom",
  };
}

function subtitleOf({ validation, best, start }: TrainingCurves): string {
  const first = validation.y[0];
  if (first === undefined || !best) return start ? `${formatCount(start.parameters)} parameters, ${start.engine}` : "";
  if (validation.x.length < 2) return `validation loss ${formatLoss(first)} nats per token before training`;
  return `validation loss ${formatLoss(first)} → ${formatLoss(best.validationLoss)} nats per token, best at step ${formatCount(best.step)}`;
}

function describe(curves: TrainingCurves): string {
  const { train, validation, best, finish, resumedAt, skippedAt, spikes, outOfMemoryAt, lastStep } = curves;
  const sentences: string[] = [];
  const firstTrain = train.y[0];
  if (firstTrain !== undefined) {
    // The end of a noisy curve is the mean of its last twentieth.
    const tail = train.y.slice(-Math.max(1, Math.ceil(train.y.length / 20)));
    const end = tail.reduce((sum, loss) => sum + loss, 0) / tail.length;
    sentences.push(
      `Training loss ${moves(firstTrain, end)} from ${formatLoss(firstTrain)} to ${formatLoss(end)} nats per token over ${formatCount(lastStep)} optimiser steps.`,
    );
  }
  const [firstStep] = validation.x;
  const [first] = validation.y;
  const last = validation.y.at(-1);
  if (first !== undefined && last !== undefined && best) {
    const from = `${formatLoss(first)}${firstStep === 0 ? " before training" : ""}`;
    if (validation.x.length === 1) sentences.push(`Validation loss is ${from}.`);
    else {
      sentences.push(
        `Validation loss ${moves(first, last)} from ${from} to ${formatLoss(last)}; the best is ${formatLoss(best.validationLoss)} at step ${formatCount(best.step)}.`,
      );
    }
  }
  if (sentences.length === 0) return "No loss has been measured yet.";
  if (resumedAt.length > 0) sentences.push(`The run was resumed at step ${resumedAt.map(formatCount).join(", ")}.`);
  if (skippedAt.length > 0)
    sentences.push(
      `${skippedAt.length === 1 ? "1 step was" : `${formatCount(skippedAt.length)} steps were`} refused because a number was not finite.`,
    );
  if (spikes.x.length > 0) sentences.push(`The loss jumped at step ${spikes.x.map(formatCount).join(", ")}.`);
  if (outOfMemoryAt.length > 0) {
    sentences.push(`Memory ran out at step ${outOfMemoryAt.map(formatCount).join(", ")}; the micro-batch was halved.`);
  }
  if (finish?.reason === "early-stopping")
    sentences.push(`It stopped early at step ${formatCount(finish.step)}, when validation loss no longer fell.`);
  if (finish?.reason === "aborted") sentences.push(`It was stopped by hand at step ${formatCount(finish.step)}.`);
  return sentences.join(" ");
}

function moves(from: number, to: number): string {
  return to < from ? "falls" : to > from ? "rises" : "stays";
}

import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrainEvent } from "../../src/train/events.js";
import { compareRunsFigure, trainingFigure } from "../../src/view/chart.js";
import { trainingCurves } from "../../src/view/curves.js";
import { jupyterDisplay } from "../../src/view/display.js";
import { plotlyJson, type ScatterTrace, type Trace } from "../../src/view/figure.js";
import { optimiserFigures } from "../../src/view/optimiser-chart.js";
import { barFigure, histogramFigure, lineFigure } from "../../src/view/plots.js";
import { sampleRun } from "./sample-run.js";

function scatter(data: readonly Trace[], name: string): ScatterTrace {
  const trace = data.find((candidate) => candidate.name === name);
  assert.ok(trace?.type === "scatter", `no curve named "${name}" in ${data.map((candidate) => candidate.name)}`);
  return trace;
}

test("trainingFigure() puts every evaluation on the true step axis, step 0 included", () => {
  const { data, layout } = trainingFigure(sampleRun({ steps: 240 }));
  assert.deepEqual(scatter(data, "validation loss").x, [0, 60, 120, 180, 240]);
  assert.equal(scatter(data, "training loss, each step").x[0], 1);
  assert.equal(scatter(data, "training loss, each step").x.at(-1), 240);
  assert.equal(layout.xaxis.title.text, "optimiser step (1 epoch = 160 steps)");
  assert.equal(layout.yaxis.title.text, "loss (nats per token)");
});

test("trainingFigure() marks the best checkpoint and the early stop", () => {
  const { data, layout, description } = trainingFigure(sampleRun({ reason: "early-stopping" }));
  assert.deepEqual(scatter(data, "best checkpoint").x, [360]);
  assert.deepEqual(
    layout.annotations?.map((note) => note.text),
    ["stopped early", "1/2", "2/2", "best 3.707 at step 360"],
  );
  assert.equal(
    description,
    "Training loss falls from 4.902 to 3.255 nats per token over 480 optimiser steps. Validation loss falls from 5.000 before training to 3.762; the best is 3.707 at step 360. It stopped early at step 480, when validation loss no longer fell.",
  );
});

test("trainingFigure() tells every series by dash or marker as well as by colour", () => {
  const { data } = trainingFigure(sampleRun());
  const looks = data.map((trace) =>
    trace.type === "scatter" ? [trace.line?.dash, trace.line?.width, trace.marker?.symbol].join() : "",
  );
  assert.equal(new Set(looks).size, data.length);
});

test("trainingFigure() keeps 500 points a series and the worst spike of a long run", () => {
  const events = sampleRun({ steps: 20_000, evaluateEvery: 10 }).map(
    (event): TrainEvent => (event.type === "step" && event.step === 7777 ? { ...event, loss: 99 } : event),
  );
  const { data } = trainingFigure(events);
  for (const trace of data) assert.ok(trace.x.length <= 500, `${trace.name} has ${trace.x.length} points`);
  const each = scatter(data, "training loss, each step");
  assert.equal(each.y[each.x.indexOf(7777)], 99);
});

test("trainingFigure() draws a stopped and resumed run once, with a mark where it was resumed", () => {
  const crashed = sampleRun().slice(0, 350);
  const { data, layout, description } = trainingFigure([...crashed, ...sampleRun({ resumedFromStep: 240 })]);
  const { x } = scatter(data, "training loss, each step");
  assert.deepEqual(
    [...x],
    Array.from({ length: 480 }, (_, i) => i + 1),
  );
  assert.deepEqual(
    layout.shapes?.map((shape) => shape.x0),
    [240],
  );
  assert.match(description, /resumed at step 240/);
});

test("trainingCurves() forgets the steps after the checkpoint that a resumed run has not done again yet", () => {
  const resumed = sampleRun({ resumedFromStep: 240 }).slice(0, 3);
  assert.equal(trainingCurves([...sampleRun().slice(0, 350), ...resumed]).lastStep, 242);
});

test("trainingFigure() shows refused steps and leaves out losses that are not finite", () => {
  const events = sampleRun({ steps: 24 }).map(
    (event): TrainEvent => (event.type === "step" && event.step === 7 ? { ...event, loss: Number.NaN } : event),
  );
  const { data, description } = trainingFigure([
    ...events,
    { type: "skipped", step: 7, reason: "loss is not a number", blocks: [], documents: [] },
  ]);
  assert.deepEqual(scatter(data, "refused step").x, [7]);
  assert.ok(!scatter(data, "training loss").x.includes(7));
  assert.match(description, /1 step was refused because a number was not finite/);
});

test("trainingFigure() of no events says that there is nothing yet", () => {
  assert.equal(trainingFigure([]).description, "No loss has been measured yet.");
  assert.equal(trainingFigure(sampleRun().slice(0, 2)).description, "Validation loss is 5.000 before training.");
});

test("Figure shows itself as Plotly JSON, SVG, PNG and text, never as HTML", () => {
  const bundle = trainingFigure(sampleRun())[jupyterDisplay]();
  assert.deepEqual(Object.keys(bundle), ["application/vnd.plotly.v1+json", "image/svg+xml", "image/png", "text/plain"]);
  assert.equal(Buffer.from(String(bundle["image/png"]), "base64").subarray(1, 4).toString(), "PNG");
  assert.ok(JSON.stringify(bundle).length < 200_000, "a notebook must stay below 200 kB");
});

test("plotlyJson() is plain JSON whose texts cannot be read as markup", () => {
  const json = plotlyJson(trainingFigure(sampleRun({ modelName: "<b>bold</b>" })));
  assert.deepEqual(JSON.parse(JSON.stringify(json)), json);
  assert.doesNotMatch(JSON.stringify(json), /<b>bold/);
});

test("compareRunsFigure() gives each run its own dash and marker and says which is best", () => {
  const fast = sampleRun({ bestStep: 200 });
  const { data, description } = compareRunsFigure([
    { name: "slow", events: sampleRun() },
    { name: "fast", events: fast },
  ]);
  const [slowLook, fastLook] = ["slow", "fast"].map((name) => scatter(data, name));
  assert.notEqual(slowLook?.line?.dash, fastLook?.line?.dash);
  assert.notEqual(slowLook?.marker?.symbol, fastLook?.marker?.symbol);
  assert.match(description, /slow: best 3\.707 at step 360; fast: best 3\.847 at step 300\./);
});

test("lineFigure() refuses columns of different length", () => {
  assert.throws(
    () => lineFigure({ title: "t", xTitle: "x", yTitle: "y", series: [{ name: "a", x: [1, 2], y: [1] }] }),
    {
      name: "RangeError",
      message: 'Cannot draw series "a": 2 and 1 values, expected two columns of one length. Fix: give each x its y.',
    },
  );
});

test("barFigure() lists its values in the sentence and refuses labels without values", () => {
  const chart = { title: "Files", xTitle: "kind", yTitle: "files", labels: ["text", "csv"] };
  assert.equal(barFigure({ ...chart, values: [1200, 3] }).description, "Files. text: 1,200; csv: 3.");
  assert.throws(() => barFigure({ ...chart, values: [1] }), /Cannot draw the bars of "Files": 2 and 1 values/);
});

test("histogramFigure() counts every finite value once", () => {
  const { data, description } = histogramFigure({
    title: "Lengths",
    xTitle: "tokens",
    values: [1, 2, 3, 10, Number.NaN],
    bins: 3,
  });
  assert.deepEqual(data[0]?.y, [3, 0, 1]);
  assert.equal(description, "Lengths. 4 values from 1 to 10, median 3 (tokens).");
  assert.throws(() => histogramFigure({ title: "Lengths", xTitle: "tokens", values: [] }), {
    name: "RangeError",
    message:
      'Cannot draw histogram "Lengths": no finite value, expected at least one. Fix: pass at least one finite number.',
  });
});

test("trainingFigure() marks loss spikes and where memory ran out, and says so", () => {
  const events: TrainEvent[] = [
    ...sampleRun().slice(0, -1),
    { type: "spike", step: 100, loss: 9, meanLoss: 4, zScore: 7 },
    { type: "out-of-memory", step: 200, microBatchSize: 2, microBatches: 4, reason: "TensorFlow ran out" },
  ];
  const { data, layout, description } = trainingFigure(events);
  const spikes = data.find(({ name }) => name === "loss spike");
  assert.deepEqual([spikes?.x, spikes?.y], [[100], [9]]);
  assert.ok(layout.shapes?.some(({ x0 }) => x0 === 200));
  assert.ok(layout.annotations?.some(({ text }) => text === "memory ran out"));
  assert.match(description, /The loss jumped at step 100\. Memory ran out at step 200; the micro-batch was halved\./);
});

test("optimiserFigures() draws learning rate and gradient norm of every step, a resumed run whole", () => {
  const events = [...sampleRun().slice(0, 350), ...sampleRun({ resumedFromStep: 240 })];
  const { learningRate, gradientNorm } = optimiserFigures(events);
  assert.equal(learningRate.data[0]?.x.length, 480);
  assert.equal(gradientNorm.data[0]?.y[0], 0.8);
  assert.match(learningRate.description, /^Learning rate\. learning rate: from 0\.000499 to 0\.$/);
});

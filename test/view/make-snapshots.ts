/**
 * Makes the committed pictures that chart.test.ts compares with. Run after a wanted change of the look, then look at
 * the files: `npm run build && node dist/test/view/make-snapshots.js`.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageRoot } from "../../src/paths.js";
import { compareRunsFigure, trainingFigure } from "../../src/view/chart.js";
import { barFigure, histogramFigure, lineFigure } from "../../src/view/plots.js";
import { figureToSvg } from "../../src/view/svg.js";
import { sampleRun } from "./sample-run.js";

/** The folder of the committed pictures. */
export const snapshotFolder = join(packageRoot(), "test", "fixtures", "view");

/** File name → SVG as the code draws it now. */
export function snapshots(): ReadonlyMap<string, string> {
  const crashed = [
    ...sampleRun().slice(0, 350),
    { type: "skipped" as const, step: 222, reason: "loss is not a number", blocks: [], documents: [] },
  ];
  const figures = {
    training: trainingFigure(sampleRun({ reason: "early-stopping" })),
    resumed: trainingFigure([...crashed, ...sampleRun({ resumedFromStep: 240 })]),
    compare: compareRunsFigure([
      { name: "learning rate 2e-5", events: sampleRun() },
      { name: "learning rate 2e-4", events: sampleRun({ bestStep: 200, steps: 420 }) },
    ]),
    bars: barFigure({
      title: "Addresses by party",
      xTitle: "party",
      yTitle: "addresses",
      labels: ["Democratic", "Republican", "Democratic-Republican", "Whig"],
      values: [90, 95, 28, 8],
    }),
    histogram: histogramFigure({
      title: "Document lengths",
      xTitle: "tokens",
      yTitle: "documents",
      values: Array.from({ length: 200 }, (_, i) => 1000 + ((i * i) % 997) * 10),
    }),
    lines: lineFigure({
      title: "Learning rate schedule",
      xTitle: "optimiser step",
      yTitle: "learning rate",
      series: [
        { name: "linear", x: [0, 10, 100], y: [0, 2e-5, 0] },
        { name: "constant", x: [0, 10, 100], y: [0, 2e-5, 2e-5] },
      ],
    }),
  };
  return new Map(Object.entries(figures).map(([name, figure]) => [`${name}.svg`, figureToSvg(figure)]));
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  mkdirSync(snapshotFolder, { recursive: true });
  for (const [name, svg] of snapshots()) writeFileSync(join(snapshotFolder, name), svg);
}

/**
 * `fledge sweep`: trains once for every combination of knob values, or finds a learning rate by a range test. In: the knobs to
 * vary, the knobs of all trials. Out: a folder a trial, a table from best to worst, `sweep.json`, `sweep.png`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Knob } from "../../src/config/knob.js";
import { knobs } from "../../src/config/knobs.js";
import { gatherSettings, optionOf } from "../../src/config/sources.js";
import { checkKnob, checkKnobName, type TrainingConfig } from "../../src/config.js";
import { problem } from "../../src/message.js";
import { findLearningRate } from "../../src/range-test.js";
import { sweep as runSweep } from "../../src/sweep.js";
import { readRunLog } from "../../src/train/run-log.js";
import { type SweepGrid, sweepTrials, type TrialResult } from "../../src/train/sweep.js";
import { bundleOf } from "../../src/view/display.js";
import { formatDuration, formatLoss } from "../../src/view/format.js";
import { svgToPng } from "../../src/view/png.js";
import { figureToSvg } from "../../src/view/svg.js";
import { sweepFigure, sweepTable } from "../../src/view/sweep.js";
import type { Command } from "../command.js";
import { ownOptions } from "../options.js";

/** The command. */
export const sweep: Command = {
  help: `Usage: fledge sweep --vary KNOB=VALUE,VALUE… [--vary …] [option …]

Trains once for every combination of the values and compares the validation losses. The same command goes on after an
interruption: trials that are done are not run again, the one under way goes on from its checkpoint.

  fledge sweep --vary learningRate=1e-4,3e-4,1e-3 --vary blockSize=64,128 --max-steps 80

  --vary KNOB=VALUES          A knob of \`fledge train\` and the values to try
  --folder DIR                Where the trials, sweep.json and sweep.png go (default ./sweep)
  --config FILE               Knobs of all trials from a JSON file
  --find-learning-rate        Instead: one short run whose rate rises until the loss breaks away, and the
                              rate to train with; draws learning-rate.png

All other options are knobs of \`fledge train\`, the same for all trials.
`,
  async run(words) {
    const grid: Record<string, readonly unknown[]> = {};
    const others: string[] = [];
    for (let i = 0; i < words.length; i++) {
      const word = words[i] as string;
      if (word === "--vary" || word.startsWith("--vary=")) {
        const axis = word === "--vary" ? words[++i] : word.slice(7);
        const [name, values] = readAxis(axis ?? "");
        grid[name] = values;
      } else others.push(word);
    }
    const { own, rest } = ownOptions(others, {
      ...{ "--folder": "value", "--config": "value", "--find-learning-rate": "switch" },
    });
    const file = own["--config"];
    const { settings } = await gatherSettings({
      ...(file !== undefined && { file }),
      words: rest,
      environment: process.env,
    });
    const folder = own["--folder"] ?? "./sweep";
    return own["--find-learning-rate"] === undefined
      ? compare(settings, grid as SweepGrid, folder)
      : findRate(settings, folder);
  },
};

async function compare(base: Partial<TrainingConfig>, grid: SweepGrid, folder: string): Promise<number> {
  const trials = sweepTrials(base, grid, folder).length;
  const controller = new AbortController();
  const stop = () => (controller.signal.aborted ? process.exit(130) : controller.abort());
  process.on("SIGINT", stop);
  const results: TrialResult[] = [];
  try {
    for await (const result of runSweep(base, grid, { folder, signal: controller.signal })) {
      results.push(result);
      process.stdout.write(`${results.length} of ${trials}: ${resultLine(result)}\n`);
    }
  } catch (error) {
    if (!controller.signal.aborted) throw error;
  } finally {
    process.off("SIGINT", stop);
  }
  if (controller.signal.aborted) {
    process.stderr.write("stopped; the same command goes on from here\n");
    return 130;
  }
  process.stdout.write(`\n${bundleOf(sweepTable(results))["text/plain"]}\n`);
  const whole = results.filter(({ failure }) => failure === undefined);
  const runs = await Promise.all(
    whole.map(async (result) => ({ result, events: await readRunLog(result.settings.outputDir as string) })),
  );
  await writeFile(join(folder, "sweep.png"), svgToPng(figureToSvg(sweepFigure(runs)), 2));
  return whole.length > 0 ? 0 : 1;
}

async function findRate(settings: Partial<TrainingConfig>, folder: string): Promise<number> {
  await mkdir(folder, { recursive: true });
  const { suggestion, figure } = await findLearningRate(settings);
  await writeFile(join(folder, "learning-rate.png"), svgToPng(figureToSvg(figure), 2));
  process.stdout.write(`${figure.description}\n`);
  return suggestion ? 0 : 1;
}

function resultLine({ name, failure, bestValidationLoss, bestStep, seconds }: TrialResult): string {
  if (failure !== undefined) return `${name} failed: ${failure}`;
  return `${name}: validation loss ${formatLoss(bestValidationLoss ?? Number.NaN)} at step ${bestStep} in ${formatDuration(seconds ?? 0)}`;
}

function readAxis(axis: string): [string, readonly unknown[]] {
  const [name = "", ...rest] = axis.split("=");
  const values = rest.join("=").split(",").filter(Boolean);
  if (values.length === 0) {
    throw new RangeError(
      problem({
        cannot: "read --vary",
        found: `"${axis}"`,
        expected: "a knob and the values to try",
        fix: "write --vary learningRate=1e-4,1e-3",
      }),
    );
  }
  checkKnobName(name, "--vary");
  const knob: Knob = knobs[name];
  const read = values.map((value) => knob.parse([value]));
  for (const value of read) checkKnob(name, value, optionOf(name));
  return [name, read];
}

/**
 * Runs a sweep on disk. In: base knobs, values to try, a folder. Out: each trial trained in a folder of its own, the results in
 * `sweep.json`, from which the same call goes on after an interruption. Planning and order are train/sweep.ts.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TrainingConfig } from "./config.js";
import type { Dataset } from "./data/dataset.js";
import { exists, writeFileAtomic } from "./files.js";
import { train } from "./fine-tune.js";
import { listCheckpoints } from "./train/checkpoint.js";
import type { FinishEvent, TrainEvent } from "./train/events.js";
import { openOutputDir } from "./train/output-dir.js";
import { runSweep, type SweepGrid, sweepTrials, type Trial, type TrialResult } from "./train/sweep.js";
import { notebookSignal } from "./view/display.js";

/** How a sweep is run. */
export interface SweepOptions {
  /** Where the trials and `sweep.json` go; default `./sweep`. */
  readonly folder?: string;
  /** Texts that are already in memory. */
  readonly dataset?: Dataset;
  /** Aborting stops the trial under way with a checkpoint; the same call goes on from it. Default: Stop, in a notebook. */
  readonly signal?: AbortSignal;
  /** Told every event of every trial. */
  readonly onEvent?: (trial: Trial, event: TrainEvent) => void;
}

/**
 * Trains once for every combination of knob values. Call it again after an interruption: trials that are done are not run again,
 * the one under way goes on from its checkpoint.
 *
 * @param base knobs of all trials
 * @param grid values to try, by knob
 * @yields the result of each trial
 * @throws RangeError when a combination is no valid configuration, before the first trial runs
 * @example
 * const quick = { datasetName: "my-texts/", blockSize: 64, maxSteps: 2 };
 * for await (const { name, bestValidationLoss } of sweep(quick, { learningRate: [1e-4, 1e-3] })) {
 *   console.log(name, bestValidationLoss);
 * }
 */
export async function* sweep(
  base: Partial<TrainingConfig>,
  grid: SweepGrid,
  { folder = "./sweep", dataset, signal = notebookSignal(), onEvent }: SweepOptions = {},
): AsyncGenerator<TrialResult> {
  const trials = sweepTrials(base, grid, folder);
  const own = await openOutputDir(folder);
  try {
    const record = join(folder, "sweep.json");
    const done = new Map((await readResults(record)).map((result) => [resultKey(result), result]));
    const known = new Map(trials.flatMap((trial) => keyed(trial, done.get(resultKey(trial)))));
    const results: TrialResult[] = [];
    const runTrial = async (trial: Trial) => {
      let finish: FinishEvent | undefined;
      const resume = (await listCheckpoints(trial.settings.outputDir as string)).length > 0;
      const events = train({ ...trial.settings, resume }, { ...(dataset && { dataset }), ...(signal && { signal }) });
      for await (const event of events) {
        onEvent?.(trial, event);
        if (event.type === "finish") finish = event;
      }
      signal?.throwIfAborted();
      const { bestValidationLoss, bestStep, seconds } = finish as FinishEvent;
      return { bestValidationLoss, bestStep, seconds };
    };
    for await (const result of runSweep(trials, known, runTrial, signal)) {
      results.push(result);
      const others = [...done.values()].filter((one) => !results.some((own) => resultKey(own) === resultKey(one)));
      await writeFileAtomic(record, `${JSON.stringify([...results, ...others], null, 2)}\n`);
      yield result;
    }
  } finally {
    await own.close();
  }
}

/** The results that `sweep.json` holds; none when there is no such file. */
export async function readResults(file: string): Promise<TrialResult[]> {
  return (await exists(file)) ? JSON.parse(await readFile(file, "utf8")) : [];
}

// Other base knobs make another trial, even where the varied ones are the same.
function resultKey({ name, settings }: Trial): string {
  return JSON.stringify([name, Object.entries(settings).sort()]);
}

function keyed(trial: Trial, result: TrialResult | undefined): [string, TrialResult][] {
  return result ? [[trial.name, result]] : [];
}

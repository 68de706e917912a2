/**
 * Sweeps: the same run again and again with other knobs. In: base knobs, and a list of values for each knob that varies. Out:
 * the trials, each with a name and a folder of its own, their order by result, what is still to do. It trains nothing and
 * draws nothing: `runSweep` is given a function that does.
 */
import { type KnobName, resolveConfig, type TrainingConfig } from "../config.js";
import { problem } from "../message.js";

/** Values to try, by knob: `{ learningRate: [1e-4, 1e-3], blockSize: [64, 128] }`. */
export type SweepGrid = { readonly [Name in KnobName]?: readonly TrainingConfig[Name][] };

/** One run of a sweep. */
export interface Trial {
  /** Folder name, the same for the same knobs: `batchSize=4,learningRate=0.001`. */
  readonly name: string;
  /** The knobs that differ from trial to trial. */
  readonly varied: Readonly<Record<string, unknown>>;
  /** Everything the run is given. */
  readonly settings: Partial<TrainingConfig>;
}

/** What came out of a trial. */
export interface TrialResult extends Trial {
  /** Lowest validation loss in nats per token; absent when the trial failed. */
  readonly bestValidationLoss?: number;
  readonly bestStep?: number;
  readonly seconds?: number;
  /** Why there is no result. */
  readonly failure?: string;
}

/**
 * Every combination of the values, checked before the first of them runs.
 *
 * @param base knobs of all trials
 * @param folder each trial gets a folder below it
 * @throws RangeError for an empty list, a knob that a sweep cannot vary, or a combination that is no valid configuration
 * @example
 * sweepTrials({ maxSteps: 50 }, { learningRate: [1e-4, 1e-3] }, "sweep").length; // 2
 */
export function sweepTrials(base: Partial<TrainingConfig>, grid: SweepGrid, folder: string): Trial[] {
  const axes = Object.entries(grid).sort(([a], [b]) => a.localeCompare(b)) as [KnobName, readonly unknown[]][];
  for (const [name, values] of axes) checkAxis(name, values);
  if (axes.length === 0) throw emptySweep("no knob to vary");
  let combinations: Record<string, unknown>[] = [{}];
  for (const [name, values] of axes) {
    combinations = combinations.flatMap((varied) => values.map((value) => ({ ...varied, [name]: value })));
  }
  return combinations.map((varied) => {
    const name = Object.entries(varied).map(wording).join(",");
    const own = `${folder}/${name}`;
    const settings = { ...base, ...varied, outputDir: `${own}/run`, finalModelDir: `${own}/model` };
    resolveConfig(settings);
    return { name, varied, settings };
  });
}

// A value may be a path or a list: what stands in a folder's name is the knob and a plain form of the value.
function wording([name, value]: readonly [string, unknown]): string {
  return `${name}=${String(value).replace(/[^\w.+-]+/g, "_")}`;
}

function checkAxis(name: KnobName, values: readonly unknown[]): void {
  if (["outputDir", "finalModelDir", "resume"].includes(name)) {
    throw new RangeError(
      problem({
        cannot: `vary ${name} in a sweep`,
        found: "a knob that each trial sets itself",
        expected: "a knob that decides how it learns",
        fix: `leave ${name} out; the folder of the sweep is an option of its own`,
      }),
    );
  }
  if (values.length === 0) throw emptySweep(`no value for ${name}`);
}

function emptySweep(found: string): RangeError {
  return new RangeError(
    problem({
      cannot: "plan a sweep",
      found,
      expected: "at least one knob with the values to try",
      fix: "give { learningRate: [1e-4, 1e-3] }, or --vary learningRate=1e-4,1e-3",
    }),
  );
}

/**
 * Runs the trials that are not done, one after the other, and tells each result. A trial that fails is told with its reason
 * and the sweep goes on; a signal that aborts ends it after the trial under way.
 *
 * @param done results of an earlier call, by the name of the trial; failures are tried again
 * @param run trains one trial
 * @yields the result of every trial, in order, those of before included
 */
export async function* runSweep(
  trials: readonly Trial[],
  done: ReadonlyMap<string, TrialResult>,
  run: (trial: Trial) => Promise<Omit<TrialResult, keyof Trial>>,
  signal?: AbortSignal,
): AsyncGenerator<TrialResult> {
  for (const trial of trials) {
    const earlier = done.get(trial.name);
    if (earlier && earlier.failure === undefined) {
      yield { ...earlier, ...trial };
      continue;
    }
    if (signal?.aborted) return;
    try {
      yield { ...trial, ...(await run(trial)) };
    } catch (error) {
      if (signal?.aborted) throw error;
      yield { ...trial, failure: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** The results from best to worst; trials that failed stand last, in their order. */
export function rankTrials(results: readonly TrialResult[]): TrialResult[] {
  const loss = ({ bestValidationLoss }: TrialResult) => bestValidationLoss ?? Number.POSITIVE_INFINITY;
  return [...results].sort((a, b) => (loss(a) === loss(b) ? 0 : loss(a) - loss(b)));
}

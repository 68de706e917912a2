/**
 * Between a run on an engine and its checkpoints on disk. In: a run, its progress, the engine's variables. Out: a checkpoint
 * folder; and back, the values that variables start from. It decides nothing about when to save.
 */
import { join } from "node:path";
import { setImmediate as eventLoopTurn } from "node:timers/promises";
import { diskProblem } from "../files.js";
import { problem } from "../message.js";
import { weightShapes } from "../model/gpt2-config.js";
import { releaseMemory } from "../release-memory.js";
import { checkpointName, loadCheckpoint, pruneCheckpoints, saveCheckpoint } from "./checkpoint.js";
import { initialAdapters, mergeAdapters, trainableOf } from "./lora.js";
import { firstMoment, secondMoment, type Trainable, trainingVariables } from "./optimizer.js";
import { calmerSettings, type Progress, type TrainingRun } from "./trainer-run.js";

/** Weights by full Hugging Face name. */
export type Weights = ReadonlyMap<string, Float32Array>;

/**
 * Saves where a run stands and deletes the checkpoints it no longer needs.
 *
 * @returns the new folder
 * @throws DiskError when the disk refuses; RangeError when a value is not finite, rather than save it
 */
export async function saveRun(run: TrainingRun, progress: Progress): Promise<string> {
  const { outputDir, keepCheckpoints, maxCheckpointGB } = run.config;
  const { weights, adapters } = await readWeights(run);
  const { shapes } = trainableOf(run.modelConfig, run.config);
  const trained = [...shapes.keys()];
  const optimizer = { m: await readNamed(run, trained, firstMoment), v: await readNamed(run, trained, secondMoment) };
  for (const values of [weights, optimizer.m, optimizer.v]) await checkFinite(run, progress, values);
  const folder = await saveCheckpoint(outputDir, {
    step: progress.step,
    runId: run.runId,
    config: run.modelConfig,
    weights,
    optimizer,
    trainedShapes: shapes,
    adapters,
    state: { progress, identity: run.identity, engine: run.engine.description },
    tokenizerFolder: run.tokenizerFolder,
  });
  // The best and the last of this run stay; so nothing of an earlier run goes before there is something to replace it.
  const limit = {
    count: keepCheckpoints,
    bytes: maxCheckpointGB > 0 ? maxCheckpointGB * 1e9 : Number.POSITIVE_INFINITY,
  };
  await pruneCheckpoints(outputDir, [checkpointName(progress.best.step), folder], limit).catch((error: unknown) => {
    throw diskProblem(`delete old checkpoints in ${outputDir}`, error);
  });
  return folder;
}

/** Reads a run's plain weights from the engine, adapters merged, and the adapters themselves. */
export async function readWeights(run: TrainingRun): Promise<{ weights: Weights; adapters: Weights }> {
  const shapes = weightShapes(run.modelConfig);
  const beside = [...trainableOf(run.modelConfig, run.config).shapes.keys()].filter((name) => !shapes.has(name));
  const weights = await readNamed(run, [...shapes.keys()], (name) => name);
  if (beside.length === 0) return { weights, adapters: new Map() };
  const adapters = await readNamed(run, beside, (name) => name);
  return { weights: mergeAdapters(weights, adapters, run.config), adapters };
}

async function readNamed(
  run: TrainingRun,
  names: readonly string[],
  variableOf: (name: string) => string,
): Promise<Weights> {
  const values = await run.engine.readVariables(names.map(variableOf));
  return new Map(names.map((name) => [name, values.get(variableOf(name)) as Float32Array]));
}

async function checkFinite({ config, engine }: TrainingRun, { step }: Progress, values: Weights): Promise<void> {
  for (const [name, array] of values) {
    await eventLoopTurn(); // Stop is heard between two arrays
    if (isAllFinite(array)) continue;
    const bad = array.find((value) => !Number.isFinite(value));
    throw new RangeError(
      problem({
        cannot: `save the checkpoint of step ${step}`,
        found: `${bad} in "${name}", made by ${engine.description}; the last checkpoint is whole`,
        expected: "finite numbers",
        fix: `resume from it: ${calmerSettings(config)}`,
      }),
    );
  }
}

// 0 × value is NaN where a value is not finite. A callback for each value takes eight times as long.
function isAllFinite(array: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < array.length; i++) zero += 0 * (array[i] as number);
  return zero === 0;
}

/** What the variables of a run start from. */
type Start = Pick<TrainingRun, "engine" | "modelConfig" | "config" | "readWeights" | "checkpoint">;

/** Sets the engine's variables to the checkpoint's values, or to the model's weights and moments at zero. The host keeps none. */
export async function setVariables(start: Start): Promise<void> {
  await createVariables(start);
  releaseMemory();
}

async function createVariables({ engine, modelConfig, ...start }: Start): Promise<void> {
  const trainable = trainableOf(modelConfig, start.config);
  await engine.createVariables(trainingVariables(modelConfig, await initialValues(start, trainable), trainable));
}

async function initialValues(
  { checkpoint: head, config, readWeights }: Omit<Start, "engine" | "modelConfig">,
  { shapes }: Trainable,
): Promise<Weights> {
  if (!head) return new Map([...(await readWeights()), ...initialAdapters(shapes, config.seed)]);
  const { weights, adapters = [], optimizer } = await loadCheckpoint(head.folder);
  // A checkpoint's weights hold its adapters already; those that the adapters stand beside are the model's own.
  const values = new Map(config.loraRank > 0 ? [...(await readWeights()), ...adapters] : weights);
  for (const [name, value] of optimizer.m) values.set(firstMoment(name), value);
  for (const [name, value] of optimizer.v) values.set(secondMoment(name), value);
  return values;
}

/**
 * The weights that the run ends with: of the best evaluation, or the last ones where `keepBest` is off.
 *
 * @param unsaved weights of a best evaluation that the disk has refused
 * @throws Error when the checkpoint of the best evaluation is lost
 */
export async function finalWeights(
  run: TrainingRun,
  { best }: Progress,
  unsaved: { readonly step: number; readonly weights: Weights } | undefined,
): Promise<Weights> {
  const { keepBest, outputDir } = run.config;
  if (!keepBest) return (await readWeights(run)).weights;
  if (best.step === 0) return run.readWeights();
  if (unsaved?.step === best.step) return unsaved.weights;
  try {
    return (await loadCheckpoint(join(outputDir, checkpointName(best.step)))).weights;
  } catch (error) {
    throw new Error(
      problem({
        cannot: "end with the best weights",
        found: (error as Error).message,
        expected: `the checkpoint of step ${best.step}, the best evaluation`,
        fix: "set keepBest: false and resume: true to end with the last weights",
      }),
      { cause: error },
    );
  }
}

/**
 * Between a run on an engine and its checkpoints on disk. In: a run, its progress, the engine's variables. Out: a checkpoint
 * folder; and back, the values that variables start from. It decides nothing about when to save.
 */
import { join } from "node:path";
import { weightShapes } from "../model/gpt2-config.js";
import { checkpointName, loadCheckpoint, pruneCheckpoints, saveCheckpoint } from "./checkpoint.js";
import { firstMoment, secondMoment } from "./optimizer.js";
import type { BestEvaluation, Progress, TrainingRun } from "./trainer-run.js";

/** Saves where a run stands and deletes the checkpoints it no longer needs; returns the new folder. */
export async function saveRun(run: TrainingRun, progress: Progress): Promise<string> {
  const { outputDir } = run.config;
  const names = [...weightShapes(run.modelConfig).keys()];
  const read = async (nameOf: (weight: string) => string) => {
    const values = await run.engine.readVariables(names.map(nameOf));
    return new Map(names.map((name) => [name, values.get(nameOf(name)) as Float32Array]));
  };
  const folder = await saveCheckpoint(outputDir, {
    step: progress.step,
    runId: run.runId,
    config: run.modelConfig,
    weights: await read((name) => name),
    optimizer: { m: await read(firstMoment), v: await read(secondMoment) },
    state: { progress, identity: run.identity },
    tokenizerFolder: run.tokenizerFolder,
  });
  // The best and the last of this run stay; so nothing of an earlier run goes before there is something to replace it.
  await pruneCheckpoints(outputDir, [checkpointName(progress.best.step), folder]);
  return folder;
}

/** What the engine's variables start from: the checkpoint's values, or the model's weights and moments at zero. */
export function initialValues({ checkpoint, weights }: TrainingRun): Map<string, Float32Array> {
  if (!checkpoint) return new Map(weights);
  const values = new Map(checkpoint.weights);
  for (const [name, value] of checkpoint.optimizer.m) values.set(firstMoment(name), value);
  for (const [name, value] of checkpoint.optimizer.v) values.set(secondMoment(name), value);
  return values;
}

/** The weights that the run ends with: of the best evaluation, or the last ones where `keepBest` is off. */
export async function finalWeights(run: TrainingRun, best: BestEvaluation): Promise<ReadonlyMap<string, Float32Array>> {
  if (!run.config.keepBest) return run.engine.readVariables(weightShapes(run.modelConfig).keys());
  if (best.step === 0) return run.weights;
  return (await loadCheckpoint(join(run.config.outputDir, checkpointName(best.step)))).weights;
}

/**
 * The training loop. In: an engine with nothing on it, a model, packed blocks, a checked configuration, a clock and the
 * place for checkpoints. Out: a stream of events; the best weights are returned at the end. It loads no files by name,
 * draws nothing and prints nothing. When its consumer leaves early, it writes a checkpoint at the step boundary.
 */
import { isOutOfMemory } from "../engine/errors.js";
import { DiskError, diskProblem } from "../files.js";
import type { TrainEvent } from "./events.js";
import { trainableOf } from "./lora.js";
import { compileEvaluation, compileTraining } from "./optimizer.js";
import { planRun } from "./plan.js";
import { measureSteps } from "./preflight-measure.js";
import { evaluateRun } from "./trainer-evaluate.js";
import { halveMicroBatch, rewind } from "./trainer-memory.js";
import { type Progress, progressOf, type TrainingResult, type TrainingRun } from "./trainer-run.js";
import { finalWeights, readWeights, saveRun, setVariables, type Weights } from "./trainer-save.js";
import { Stepper } from "./trainer-step.js";

/**
 * Trains.
 *
 * @returns after the last event: the best weights and how the run ended
 * @throws RangeError when three steps in a row are not finite, or a single block does not fit in memory
 */
export async function* runTraining(run: TrainingRun): AsyncGenerator<TrainEvent, TrainingResult> {
  const { config } = run;
  const plan = planRun(config, run.train.count);
  const progress = progressOf(run);
  const started = run.now();
  const secondsBefore = progress.seconds;
  const elapsedSeconds = () => (run.now() - started) / 1000;
  const stepper = new Stepper(run, plan, progress);
  await setVariables(run);
  let programs = await compilePrograms(run, progress);
  const logStart = await syncLog(run);
  let saved = progress.step;
  let unsavedBest: { readonly step: number; readonly weights: Weights } | undefined;

  const save = async () => {
    progress.seconds = secondsBefore + elapsedSeconds();
    progress.logBytes = await syncLog(run);
    const folder = await saveRun(run, progress);
    saved = progress.step;
    return folder;
  };
  // A disk that refuses does not end a run: the next checkpoint may find room.
  const trySave = async (): Promise<TrainEvent> => {
    const { step, best } = progress;
    try {
      return { type: "checkpoint", step, folder: await save(), isBest: best.step === step };
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      if (best.step === step) unsavedBest = { step, weights: (await readWeights(run)).weights };
      const last = saved > 0 ? `its last checkpoint is that of step ${saved}` : "it has no checkpoint yet";
      return { type: "warning", message: `${error.message} The run goes on; ${last}.` };
    }
  };
  const shrink = async (error: Error): Promise<TrainEvent> => {
    if (stepper.isTorn) {
      await rewind(run, progress, saved);
      await run.log?.cut(Math.max(logStart, progress.logBytes));
    }
    const event = halveMicroBatch(run, progress, error);
    programs = await compilePrograms(run, progress);
    return event;
  };
  const isOutOfTime = () =>
    config.maxMinutes > 0 && progress.step > 0 && secondsBefore + elapsedSeconds() >= 60 * config.maxMinutes;
  const isSaveDue = () => {
    const every = config.checkpointEverySteps;
    const { step, evaluatedStep } = progress;
    return step > saved && (evaluatedStep === step || (every > 0 && step % every === 0));
  };
  const ending = (outOfTime: boolean): TrainingResult["reason"] | undefined => {
    const { earlyStoppingPatience } = config;
    if (earlyStoppingPatience > 0 && progress.evaluationsWithoutImprovement >= earlyStoppingPatience) {
      return "early-stopping";
    }
    if (progress.step >= plan.total) return "completed";
    if (outOfTime) return "time-limit";
    return run.signal?.aborted ? "aborted" : undefined;
  };

  // A run that goes on was measured when it began.
  let isMeasured = run.preflight === undefined || run.checkpoint !== undefined;
  let atBoundary = true;
  let reason: TrainingResult["reason"] | undefined;
  try {
    // The process that saved it was cut off before it could say so.
    if (run.checkpoint) {
      const { step, best } = progress;
      yield { type: "checkpoint", step, folder: run.checkpoint.folder, isBest: best.step === step };
    }
    while (true) {
      const outOfTime = isOutOfTime();
      const isDue = (outOfTime || plan.evaluationSteps.has(progress.step)) && progress.evaluatedStep !== progress.step;
      if (!isDue) {
        if (isSaveDue()) yield await trySave();
        reason = ending(outOfTime);
        if (reason) break;
      }
      atBoundary = false;
      const events: TrainEvent[] = [];
      try {
        if (!isMeasured) {
          events.push(await measureSteps(run, progress, programs.training, plan));
          isMeasured = true;
        } else if (isDue) {
          const began = run.now();
          events.push(await evaluateRun(run, plan, progress, programs.evaluate));
          events.push(...((await run.sample?.(progress.step)) ?? []));
          stepper.evaluationSeconds = (run.now() - began) / 1000;
        } else events.push(...(await stepper.step(programs.training)));
      } catch (error) {
        if (!isOutOfMemory(error)) throw error;
        events.push(await shrink(error));
      }
      atBoundary = true;
      for (const event of events) yield event;
    }
    const last = reason === "aborted" ? undefined : stepper.flushLog();
    if (last) yield last;
    if (saved < progress.step) yield await trySave();
  } finally {
    // The consumer left between two steps (a break, or Stop in a notebook): nothing of the run is lost.
    if (atBoundary && reason === undefined && saved < progress.step) await save();
    const isPaused = run.signal?.aborted && atBoundary && (reason === undefined || reason === "aborted");
    if (isPaused && saved > 0 && saved === progress.step) run.onPaused?.(saved);
  }
  return {
    weights: await finalWeights(run, progress, unsavedBest),
    step: progress.step,
    reason,
    seconds: secondsBefore + elapsedSeconds(),
    best: progress.best,
    validationLoss: config.keepBest ? progress.best.validationLoss : progress.lastLoss,
    baseLoss: progress.baseLoss,
  };
}

async function compilePrograms({ engine, modelConfig, config, train }: TrainingRun, { microBatchSize }: Progress) {
  const separateDocuments = train.documentEnd !== undefined;
  const shape = { B: microBatchSize, T: config.blockSize, separateDocuments };
  const { gradientCheckpointing, dropout: dropoutRate } = config;
  const trainable = trainableOf(modelConfig, config);
  const training = compileTraining(
    engine,
    modelConfig,
    { ...shape, gradientCheckpointing, dropoutRate },
    { trainable },
  );
  return { training, evaluate: await compileEvaluation(engine, modelConfig, shape, trainable) };
}

async function syncLog({ log }: TrainingRun): Promise<number> {
  try {
    return (await log?.sync()) ?? 0;
  } catch (error) {
    throw diskProblem("save the run log", error);
  }
}

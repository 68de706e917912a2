/**
 * The training loop. In: an engine with nothing on it, a model, packed blocks, a checked configuration, a clock and the
 * place for checkpoints. Out: a stream of events; the best weights are returned at the end. It loads no files by name,
 * draws nothing and prints nothing. When its consumer leaves early, it writes a checkpoint at the step boundary.
 */
import type { TrainEvent } from "./events.js";
import { compileEvaluation, compileTraining, trainingVariables } from "./optimizer.js";
import { planRun } from "./plan.js";
import { evaluateRun } from "./trainer-evaluate.js";
import { progressOf, type TrainingResult, type TrainingRun } from "./trainer-run.js";
import { finalWeights, initialValues, saveRun } from "./trainer-save.js";
import { Stepper } from "./trainer-step.js";

/**
 * Trains.
 *
 * @returns after the last event: the best weights and how the run ended
 * @throws RangeError when three steps in a row are not finite
 */
export async function* runTraining(run: TrainingRun): AsyncGenerator<TrainEvent, TrainingResult> {
  const { config, modelConfig, engine } = run;
  const plan = planRun(config, run.train.count);
  const progress = progressOf(run.checkpoint);
  const started = run.now();
  const secondsBefore = progress.seconds;
  const elapsedSeconds = () => (run.now() - started) / 1000;
  const budgetSeconds = 60 * config.maxMinutes;
  const stepper = new Stepper(run, plan, progress, elapsedSeconds);
  await engine.createVariables(trainingVariables(modelConfig, initialValues(run)));
  const separateDocuments = run.train.documentEnd !== undefined;
  const shape = { B: config.batchSize, T: config.blockSize, separateDocuments };
  const steps = compileTraining(engine, modelConfig, shape);
  const evaluate = await compileEvaluation(engine, modelConfig, shape);
  let saved = run.checkpoint ? progress.step : 0;
  let atBoundary = false;
  let reason: TrainingResult["reason"] = "completed";
  const save = async () => {
    progress.seconds = secondsBefore + elapsedSeconds();
    const folder = await saveRun(run, progress);
    saved = progress.step;
    return folder;
  };
  try {
    while (true) {
      const isOutOfTime = budgetSeconds > 0 && progress.step > 0 && secondsBefore + elapsedSeconds() >= budgetSeconds;
      const isDue = isOutOfTime || plan.evaluationSteps.has(progress.step);
      if (isDue && progress.evaluatedStep !== progress.step) {
        atBoundary = false;
        const evaluation = await evaluateRun(run, plan, progress, evaluate);
        const folder = progress.step > 0 ? await save() : undefined;
        atBoundary = true;
        yield evaluation;
        if (folder) yield { type: "checkpoint", step: saved, folder, isBest: evaluation.isBest };
      }
      const { earlyStoppingPatience } = config;
      if (earlyStoppingPatience > 0 && progress.evaluationsWithoutImprovement >= earlyStoppingPatience) {
        reason = "early-stopping";
        break;
      }
      if (progress.step >= plan.total) break;
      if (isOutOfTime) {
        reason = "time-limit";
        break;
      }
      if (run.signal?.aborted) {
        reason = "aborted";
        break;
      }
      atBoundary = false;
      const events = await stepper.step(steps);
      atBoundary = true;
      for (const event of events) yield event;
    }
    const last = reason === "aborted" ? undefined : stepper.flushLog();
    if (last) yield last;
    if (saved < progress.step) yield { type: "checkpoint", step: progress.step, folder: await save(), isBest: false };
  } finally {
    // The consumer left between two steps (a break, or Stop in a notebook): nothing of the run is lost.
    if (atBoundary && saved < progress.step) await save();
  }
  return {
    weights: await finalWeights(run, progress.best),
    step: progress.step,
    reason,
    seconds: secondsBefore + elapsedSeconds(),
    best: progress.best,
    validationLoss: config.keepBest ? progress.best.validationLoss : progress.lastLoss,
    baseLoss: progress.baseLoss,
  };
}

/**
 * `train()`: the whole way from names to a finished model. In: a configuration. Out: a stream of events; on disk the
 * checkpoints and the run log in `outputDir`, the model, its card and its plots in `finalModelDir`. It composes the parts
 * (data, model, engine, trainer, export, view) and has no arithmetic of its own.
 */
import { randomUUID } from "node:crypto";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { availableMemory } from "./available-memory.js";
import { checkPlan } from "./config/contradictions.js";
import type { TrainingConfig } from "./config.js";
import { chooseEngine, choosePrecision } from "./engine/choose.js";
import type { Engine } from "./engine/engine.js";
import type { CompileEvent } from "./engine/watch-compile.js";
import { type CardSamples, modelCard } from "./export/card.js";
import { drawSamples } from "./export/card-samples.js";
import { checkModelFolder, saveModelFolder } from "./export/huggingface.js";
import { checkFreeSpace } from "./files.js";
import { trainingSampler } from "./generate/training-samples.js";
import { parameterCount } from "./model/gpt2-config.js";
import { type PreparedRun, type PrepareOptions, prepareRun } from "./prepare.js";
import { checkpointBytes } from "./train/checkpoint.js";
import type { FinishEvent, NoticeEvent, StartEvent, TrainEvent } from "./train/events.js";
import { withNotices } from "./train/notices.js";
import { checkWritable, openOutputDir } from "./train/output-dir.js";
import { checkMemory } from "./train/preflight.js";
import { peakMemory, predictSeconds } from "./train/preflight-measure.js";
import { checkpointToResume, engineWarning, identityOf } from "./train/resume.js";
import { logged, openRunLog, type RunLog, readRunLog } from "./train/run-log.js";
import { runTraining } from "./train/trainer.js";
import { readableLoss } from "./train/trainer-evaluate.js";
import type { TrainingResult, TrainingRun } from "./train/trainer-run.js";
import { notebookHook, notebookSignal } from "./view/display.js";
import { formatCount } from "./view/format.js";
import { openTensorBoard, type TensorBoardWriter } from "./view/tensorboard.js";
import { saveTrainingPlot } from "./view/training-plot.js";

/** What a run is given besides its knobs. */
export interface TrainOptions extends PrepareOptions {
  /** The run that these settings make, where `prepareRun` has loaded it already: settings and dataset then lie in it. */
  readonly prepared?: PreparedRun;
  /** Aborting stops the run after the step under way, with a checkpoint to resume from. Default: Stop, in a notebook. */
  readonly signal?: AbortSignal;
  /** Milliseconds from any fixed point; default `performance.now`. */
  readonly now?: () => number;
  /** Seconds since 1970, for TensorBoard; default the machine's clock. */
  readonly wallSeconds?: () => number;
}

const wallSeconds = () => Date.now() / 1000;

/**
 * Fine-tunes a model and saves it, event by event. Leave the loop to stop: a checkpoint is written, and the same call with
 * `resume: true` goes on exactly where it stopped.
 *
 * @param settings knobs to change; see `TrainingConfig` for defaults and ranges
 * @yields notices of downloads and compiling as they come; `start`, then `evaluation` (step 0 is the model before training),
 * `step`, `log`, `checkpoint` …, last `finish`
 * @throws RangeError, TypeError or Error, each saying what to change, before anything on disk is touched
 * @example
 * for await (const event of train({ modelName: "fledge-base", datasetName: "my-texts/", blockSize: 64, maxSteps: 2 })) {
 *   if (event.type === "log") console.log(event.step, event.loss);
 * }
 */
export async function* train(
  settings: Partial<TrainingConfig> = {},
  options: TrainOptions = {},
): AsyncGenerator<TrainEvent> {
  yield* withNotices((tell) => trainTelling(settings, options, tell));
}

async function* trainTelling(
  settings: Partial<TrainingConfig>,
  options: TrainOptions,
  tell: (notice: NoticeEvent) => void,
): AsyncGenerator<TrainEvent> {
  const signal = options.signal ?? notebookSignal();
  const onProgress: TrainOptions["onProgress"] = (progress) => {
    options.onProgress?.(progress);
    tell(progress);
  };
  const prepared = options.prepared ?? (await prepareRun(settings, { ...options, onProgress }));
  const finalModelDir = resolve(prepared.config.finalModelDir);
  await checkModelFolder(finalModelDir);
  await checkWritable(dirname(finalModelDir), `save the model in ${finalModelDir}`);
  const outputDir = await openOutputDir(prepared.config.outputDir);
  try {
    yield* trainPrepared(prepared, { ...options, ...(signal && { signal }) }, tell);
  } finally {
    await outputDir.close();
  }
}

async function* trainPrepared(
  prepared: PreparedRun,
  options: TrainOptions,
  onCompile: (event: CompileEvent) => void,
): AsyncGenerator<TrainEvent> {
  const { config, model, data, plan } = prepared;
  const { dataset, tokenizerHash, splitHash } = data;
  const hashes = { model: model.sha256, data: dataset.sha256, tokenizer: tokenizerHash, split: splitHash };
  const identity = identityOf(config, hashes);
  const modelConfig = model.config;
  const point = config.resume ? await checkpointToResume({ config, identity, modelConfig }) : undefined;
  const checkpoint = point?.checkpoint;
  // With resume: "auto" only now is it known that this is a fresh run.
  if (!checkpoint) checkPlan(config, plan, data.train.count);
  await checkFreeSpace(`save checkpoints in ${config.outputDir}`, config.outputDir, checkpointBytes(modelConfig));
  const { precision } = choosePrecision(config.mixedPrecision);
  const free = availableMemory(); // of the machine; what an engine takes when it is opened is part of the prediction
  const { engine, reason } = await chooseEngine({
    onCompile,
    mixedPrecision: config.mixedPrecision,
    ...(config.engine === "auto" ? {} : { engine: config.engine }),
  });
  const bytes = await checkMemoryOf(engine, free, (available) =>
    checkMemory(modelConfig, config, precision, available),
  );
  const log = await openRunLog(config.outputDir, point?.logBytes ?? 0);
  const board = config.tensorboard
    ? await openTensorBoard(join(config.outputDir, "tensorboard"), log.history, options.wallSeconds ?? wallSeconds)
    : undefined;
  try {
    const runId = checkpoint?.runId ?? randomUUID();
    const start: StartEvent = {
      type: "start",
      runId,
      modelName: config.modelName,
      datasetName: dataset.name,
      engine: engine.name,
      engineReason: reason,
      parameters: parameterCount(modelConfig),
      trainTokens: data.train.sourceTokens,
      validationTokens: data.validation.sourceTokens,
      totalSteps: plan.total,
      stepsPerEpoch: plan.perEpoch,
      tokensPerStep: plan.tokensPerStep,
      config,
      resumedFromStep: checkpoint?.step ?? 0,
    };
    await log.append(start);
    yield log.history.length > 0 ? { ...start, history: log.history } : start;
    // A run that goes on has said what there is to say about model and data.
    const warnings = point
      ? [...point.warnings, ...engineWarning(point.checkpoint, engine)]
      : [...(model.notes ?? []), ...data.remarks];
    for (const message of warnings) {
      const warning: TrainEvent = { type: "warning", message };
      await log.append(warning);
      yield warning;
    }
    const parts = { engine, modelConfig, config, tokenizerFolder: model.folder };
    const sample = await trainingSampler(parts);
    const now = options.now ?? (() => performance.now());
    const isFresh = checkpoint === undefined && config.preflight;
    const preflight = isFresh && { bytes, seconds: await predictSeconds({ engine, modelConfig, config, now }) };
    const run: TrainingRun = {
      ...{ config, engine, engineReason: reason, identity, runId, modelConfig, log },
      now,
      readWeights: model.readWeights,
      train: data.train,
      validation: data.validation,
      tokenizerFolder: model.folder,
      ...(sample && { sample }),
      ...(preflight && { preflight }),
      ...(checkpoint && { checkpoint }),
      ...(options.signal && { signal: options.signal }),
      ...(notebookHook() && { onPaused: tellPaused }),
    };
    const result = yield* logged(runTraining(run), board ? alsoTo(board, log) : log);
    const finished = result.reason !== "aborted";
    if (finished) {
      const { samples, warning } = await samplesOf(run, result);
      await saveFinalModel(run, prepared, result, samples);
      if (warning) {
        await log.append(warning);
        yield warning;
      }
    }
    const finish: FinishEvent = {
      type: "finish",
      reason: result.reason,
      step: result.step,
      seconds: result.seconds,
      peakMemoryBytes: peakMemory(engine),
      baseValidationLoss: result.baseLoss,
      bestValidationLoss: result.best.validationLoss,
      bestStep: result.best.step,
      ...(finished && { finalModelDir: config.finalModelDir }),
    };
    await log.append(finish);
    if (log.unwritten > 0) {
      const message = `${log.unwritten} events are missing at the end of the run log: no space left on the disk.`;
      yield { type: "warning", message };
    }
    if (finished) await saveTrainingPlot(await readRunLog(config.outputDir), config.finalModelDir);
    yield finish;
  } finally {
    await log.close();
    await engine.dispose();
  }
}

// A run that does not fit leaves no engine open.
async function checkMemoryOf(engine: Engine, free: number, check: (available: number) => number): Promise<number> {
  const device = engine.deviceMemory?.();
  try {
    return check(device ? device.limit - device.inUse : free);
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

// A reader of a notebook has only seen that the cell was stopped.
function tellPaused(step: number): void {
  const line = `paused after step ${formatCount(step)}; its checkpoint is saved: go on with resume: true\n`;
  process.stdout.write(line);
}

function alsoTo(board: TensorBoardWriter, log: RunLog): Pick<RunLog, "append"> {
  return {
    async append(event) {
      await log.append(event);
      await board.write(event);
    },
  };
}

// A model that cannot write is saved all the same.
async function samplesOf(
  run: TrainingRun,
  { weights }: TrainingResult,
): Promise<{ samples?: CardSamples; warning?: TrainEvent }> {
  const { engine, modelConfig, tokenizerFolder, config } = run;
  try {
    return { samples: await drawSamples(engine, { config: modelConfig, weights, tokenizerFolder }, config.seed) };
  } catch (error) {
    const message = `The model card has no samples: ${error instanceof Error ? error.message : error}`;
    return { warning: { type: "warning", message } };
  }
}

async function saveFinalModel(
  run: TrainingRun,
  { model, data }: PreparedRun,
  result: TrainingResult,
  samples: CardSamples | undefined,
): Promise<void> {
  const { config, modelConfig } = run;
  const { dataset, validation } = data;
  const { outputDir: _outputDir, finalModelDir, resume: _resume, resumeAnyway: _anyway, ...trainingArguments } = config;
  const tuned = result.validationLoss;
  const card = modelCard({
    title: `${config.modelName.split(/[\\/]/).at(-1)} on ${dataset.name}`,
    ...(config.initialWeights === "pretrained" && { baseModel: config.modelName, baseModelSource: model }),
    config: modelConfig,
    dataset: { name: dataset.name, origin: dataset.origin, licence: dataset.licence, sha256: dataset.sha256 },
    losses: {
      base: result.baseLoss,
      tuned,
      baseBitsPerByte: readableLoss(result.baseLoss, validation).bitsPerByte,
      tunedBitsPerByte: readableLoss(tuned, validation).bitsPerByte,
    },
    steps: result.step,
    seconds: result.seconds,
    hardware: `${run.engineReason}; ${cpus().length} cores`,
    trainingArguments,
    ...(samples && { samples }),
  });
  await saveModelFolder(finalModelDir, {
    ...{ config: modelConfig, weights: result.weights, tokenizerFolder: run.tokenizerFolder },
    ...{ card, trainingArguments },
  });
}

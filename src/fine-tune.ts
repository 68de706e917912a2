/**
 * `train()`: the whole way from names to a finished model. In: a configuration. Out: a stream of events; on disk the
 * checkpoints and the run log in `outputDir`, the model, its card and its plots in `finalModelDir`. It composes the parts
 * (data, model, engine, trainer, export, view) and has no arithmetic of its own.
 */
import { createHash, randomUUID } from "node:crypto";
import { cpus } from "node:os";
import { join } from "node:path";
import { checkPlan, checkPositions } from "./config/contradictions.js";
import { resolveConfig, type TrainingConfig } from "./config.js";
import { type Dataset, datasetOf, loadDataset } from "./data/dataset.js";
import { type DataFinding, examineData, withoutDuplicates } from "./data/gate.js";
import { type PackedBlocks, packDocuments } from "./data/pack.js";
import { splitDataset } from "./data/split.js";
import { loadTokenizer } from "./data/tokenizer.js";
import { chooseEngine } from "./engine/choose.js";
import { modelCard } from "./export/card.js";
import { checkModelFolder, saveModelFolder } from "./export/huggingface.js";
import { readJson } from "./files.js";
import { parameterCount, parseGpt2Config } from "./model/gpt2-config.js";
import { randomWeights } from "./model/initial.js";
import { loadPretrained, type PretrainedModel, resolveModel } from "./model/pretrained.js";
import { prepareOutputDir } from "./train/checkpoint.js";
import type { FinishEvent, StartEvent, TrainEvent } from "./train/events.js";
import { planRun } from "./train/plan.js";
import { checkpointToResume, identityOf } from "./train/resume.js";
import { logged, openRunLog, readRunLog } from "./train/run-log.js";
import { runTraining } from "./train/trainer.js";
import { readableLoss } from "./train/trainer-evaluate.js";
import type { TrainingResult, TrainingRun } from "./train/trainer-run.js";
import { saveTrainingPlot } from "./view/training-plot.js";

/** What a run is given besides its knobs. */
export interface TrainOptions {
  /** Texts that are already in memory; they take the place of `datasetName` and `maxDocuments`. */
  readonly dataset?: Dataset;
  /** Aborting stops the run after the step under way, with a checkpoint to resume from. */
  readonly signal?: AbortSignal;
  /** Milliseconds from any fixed point; default `performance.now`. */
  readonly now?: () => number;
}

/**
 * Fine-tunes a model and saves it, event by event. Leave the loop to stop: a checkpoint is written, and the same call with
 * `resume: true` goes on exactly where it stopped.
 *
 * @param settings knobs to change; see `TrainingConfig` for defaults and ranges
 * @yields `start`, then `evaluation` (step 0 is the model before training), `step`, `log`, `checkpoint` …, last `finish`
 * @throws RangeError, TypeError or Error, each saying what to change, before anything on disk is touched
 * @example
 * for await (const event of train({ modelName: "fledge-base", datasetName: "my-texts/", numEpochs: 1 })) {
 *   if (event.type === "log") console.log(event.step, event.loss);
 * }
 */
export async function* train(
  settings: Partial<TrainingConfig> = {},
  options: TrainOptions = {},
): AsyncGenerator<TrainEvent> {
  const given = options.dataset;
  const config = resolveConfig(given ? { ...settings, datasetName: given.name } : settings);
  const now = options.now ?? (() => performance.now());
  const model = await loadModel(config);
  checkPositions(config, model.config.positions);
  const data = await loadData(config, model, given);
  const plan = planRun(config, data.train.count);
  if (!config.resume) checkPlan(config, plan, data.train.count);
  await checkModelFolder(config.finalModelDir);
  await prepareOutputDir(config.outputDir);
  const hashes = { model: model.sha256, tokenizer: data.tokenizerHash, split: data.splitHash };
  const identity = identityOf(config, hashes);
  const warnings: TrainEvent[] = [];
  const checkpoint = config.resume ? await checkpointToResume(config, identity, warnings) : undefined;
  // A run that goes on has said them already.
  if (!checkpoint) warnings.push(...data.remarks.map((message) => ({ type: "warning", message }) as const));
  const { engine, reason } = await chooseEngine({
    mixedPrecision: config.mixedPrecision,
    ...(config.engine === "auto" ? {} : { engine: config.engine }),
  });
  try {
    const log = await openRunLog(config.outputDir, checkpoint?.step ?? 0);
    const runId = checkpoint?.runId ?? randomUUID();
    const start: StartEvent = {
      type: "start",
      runId,
      modelName: config.modelName,
      datasetName: data.dataset.name,
      engine: engine.name,
      engineReason: reason,
      parameters: parameterCount(model.config),
      trainTokens: data.train.sourceTokens,
      validationTokens: data.validation.sourceTokens,
      totalSteps: plan.total,
      stepsPerEpoch: plan.perEpoch,
      tokensPerStep: plan.tokensPerStep,
      resumedFromStep: checkpoint?.step ?? 0,
    };
    await log.append(start);
    yield log.history.length > 0 ? { ...start, history: log.history } : start;
    for (const warning of warnings) {
      await log.append(warning);
      yield warning;
    }
    const run: TrainingRun = {
      ...{ config, engine, engineReason: reason, identity, now },
      runId,
      modelConfig: model.config,
      weights: model.weights,
      train: data.train,
      validation: data.validation,
      tokenizerFolder: model.folder,
      ...(checkpoint && { checkpoint }),
      ...(options.signal && { signal: options.signal }),
    };
    const result = yield* logged(runTraining(run), log);
    const finished = result.reason !== "aborted";
    if (finished) await saveFinalModel(run, data, result);
    const finish: FinishEvent = {
      type: "finish",
      reason: result.reason,
      step: result.step,
      seconds: result.seconds,
      peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
      baseValidationLoss: result.baseLoss,
      bestValidationLoss: result.best.validationLoss,
      bestStep: result.best.step,
      ...(finished && { finalModelDir: config.finalModelDir }),
    };
    await log.append(finish);
    if (finished) await saveTrainingPlot(await readRunLog(config.outputDir), config.finalModelDir);
    yield finish;
  } finally {
    await engine.dispose();
  }
}

/** The three parts of a dataset, packed. */
export interface TrainingData {
  readonly dataset: Dataset;
  readonly splitHash: string;
  readonly tokenizerHash: string;
  readonly train: PackedBlocks;
  readonly validation: PackedBlocks;
  /** What the gate has to say that does not stop the run, a sentence each. */
  readonly remarks: readonly string[];
}

async function loadData(config: TrainingConfig, model: PretrainedModel, given?: Dataset): Promise<TrainingData> {
  const { seed, maxDocuments, blockSize, separateDocuments, validationFraction, testFraction } = config;
  const remarks: string[] = [];
  const whole = given ?? (await loadDataset(config.datasetName, { maxDocuments, seed }));
  const dataset = config.deduplicate ? deduplicated(whole, remarks) : whole;
  const tokenizer = await loadTokenizer(model.folder);
  const split = splitDataset(dataset, { validationFraction, testFraction, seed });
  const train = packDocuments(split.train.documents, tokenizer, blockSize, { separateDocuments });
  const validation = packDocuments(split.validation.documents, tokenizer, blockSize, { separateDocuments });
  const findings = examineData({
    ...{ split, blockSize, modelName: config.initialWeights === "pretrained" ? config.modelName : "" },
    datasetName: dataset.name,
    validationBlocks: validation.count,
    bytesPerToken: train.textBytes / train.sourceTokens,
  });
  remarks.push(...passGate(findings, config));
  return { dataset, splitHash: split.hash, tokenizerHash: tokenizer.sha256, train, validation, remarks };
}

function deduplicated(dataset: Dataset, remarks: string[]): Dataset {
  const { kept, dropped } = withoutDuplicates(dataset.documents);
  if (dropped.length === 0) return dataset;
  const all = dataset.documents.length.toLocaleString("en");
  remarks.push(`Left out ${dropped.length.toLocaleString("en")} of ${all} documents, which repeat others.`);
  return datasetOf({ ...dataset, documents: kept });
}

// Returns what is to be said; throws where the run would measure what it has learned.
function passGate(findings: readonly DataFinding[], { dataGate }: TrainingConfig): string[] {
  const error = findings.find(({ severity }) => severity === "error");
  if (error && dataGate === "refuse") {
    throw new RangeError(`${error.message} To train all the same, set dataGate: "warn".`);
  }
  return findings.map(({ message }) => message);
}

async function loadModel(config: TrainingConfig): Promise<PretrainedModel> {
  if (config.initialWeights === "pretrained") return loadPretrained(config.modelName);
  const folder = resolveModel(config.modelName);
  const modelConfig = parseGpt2Config(await readJson(join(folder, "config.json"), "the model's configuration"), folder);
  const sha256 = createHash("sha256")
    .update(JSON.stringify([modelConfig, config.seed]))
    .digest("hex");
  return { folder, config: modelConfig, weights: randomWeights(modelConfig, config.seed), sha256 };
}

async function saveFinalModel(run: TrainingRun, data: TrainingData, result: TrainingResult): Promise<void> {
  const { config, modelConfig } = run;
  const { dataset, validation } = data;
  const { outputDir: _outputDir, finalModelDir, resume: _resume, ...trainingArguments } = config;
  const tuned = result.validationLoss;
  const card = modelCard({
    title: `${config.modelName.split(/[\\/]/).at(-1)} on ${dataset.name}`,
    ...(config.initialWeights === "pretrained" && { baseModel: config.modelName }),
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
  });
  await saveModelFolder(finalModelDir, {
    ...{ config: modelConfig, weights: result.weights, tokenizerFolder: run.tokenizerFolder },
    ...{ card, trainingArguments },
  });
}

/**
 * What a run needs before it can begin: the model's weights, the text split and packed, the plan of its steps. In: knobs.
 * Out: all of it, loaded and checked against each other. It opens no engine and writes nothing, so that training, the
 * explanation of a run and its preflight all begin here. The texts are prepare-data.ts' part.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkPlan, checkPositions } from "./config/contradictions.js";
import { resolveConfig, type TrainingConfig } from "./config.js";
import type { Dataset } from "./data/dataset.js";
import type { PackedBlocks } from "./data/pack.js";
import type { TokenProgress } from "./data/token-writer.js";
import { readJson } from "./files.js";
import type { DownloadProgress } from "./hub/download.js";
import { problem } from "./message.js";
import { findModel } from "./model/find-model.js";
import { parseGpt2Config } from "./model/gpt2-config.js";
import { randomWeights } from "./model/initial.js";
import { loadPretrained, type PretrainedModel } from "./model/pretrained.js";
import { loadRunData, type RunData } from "./prepare-data.js";
import { planRun, type RunPlan } from "./train/plan.js";

/** What a run is given besides its knobs. */
export interface PrepareOptions {
  /** Texts that are already in memory; they take the place of `datasetName` and `maxDocuments`. */
  readonly dataset?: Dataset | undefined;
  /** Called while a model or dataset is downloaded, and while a large dataset is turned into tokens. */
  readonly onProgress?: ((progress: DownloadProgress | TokenProgress) => void) | undefined;
  /** Where the tokens of large datasets are kept; default `FLEDGE_CACHE`, else `fledge` in ~/.cache. */
  readonly cacheFolder?: string | undefined;
}

/** A checked model whose weights are read when they are wanted, so that nobody need hold them. */
export interface PreparedModel extends Omit<PretrainedModel, "weights"> {
  /**
   * Reads the weights, or draws them. What was read to be checked is handed over once and forgotten; later calls read anew.
   *
   * @throws RangeError when the files have changed since they were checked
   */
  readonly readWeights: () => Promise<PretrainedModel["weights"]>;
}

/** A run that could begin. */
export interface PreparedRun {
  readonly config: TrainingConfig;
  readonly model: PreparedModel;
  readonly data: RunData;
  readonly plan: RunPlan;
}

/**
 * Loads and checks what a run needs.
 *
 * @param settings knobs to change
 * @throws RangeError, TypeError or Error, each saying what to change
 */
export async function prepareRun(
  settings: Partial<TrainingConfig>,
  options: PrepareOptions = {},
): Promise<PreparedRun> {
  const given = options.dataset;
  const config = overfitted(resolveConfig(given ? { ...settings, datasetName: given.name } : settings));
  const model = await loadModel(config, options);
  checkPositions(config, model.config.positions);
  const all = await loadRunData(config, model, options);
  const data = config.overfitOneBatch ? oneBatch(all, config) : all;
  const plan = planRun(config, data.train.count);
  // A run that goes on was accepted when it began.
  if (!config.resume) checkPlan(config, plan, data.train.count);
  return { config, model, data, plan };
}

/** Steps of a run on one batch, unless `maxSteps` says otherwise: a model that learns knows it by heart after fewer. */
const stepsByHeart = 200;

// One batch is one step an epoch; it is measured on what it learns, so early stopping and the best weights mean nothing.
function overfitted(config: TrainingConfig): TrainingConfig {
  if (!config.overfitOneBatch) return config;
  const steps = config.maxSteps > 0 ? config.maxSteps : stepsByHeart;
  const every = config.evaluateEverySteps > 0 ? config.evaluateEverySteps : Math.max(1, Math.floor(steps / 10));
  return { ...config, numEpochs: steps, evaluateEverySteps: every, earlyStoppingPatience: 0 };
}

function oneBatch(data: RunData, { batchSize, gradientAccumulation }: TrainingConfig): RunData {
  const all = data.train;
  const count = Math.min(all.count, batchSize * gradientAccumulation);
  const sourceTokens = count * all.blockSize + 1;
  const train: PackedBlocks = {
    ...all,
    ...{ count, sourceTokens, droppedTokens: 0 },
    textBytes: Math.round(all.textBytes * (sourceTokens / all.sourceTokens)),
    block: (i) => all.block(i),
    documentsOf: (i) => all.documentsOf(i),
  };
  return { ...data, train, validation: train };
}

async function loadModel(config: TrainingConfig, { onProgress }: PrepareOptions): Promise<PreparedModel> {
  const { modelName, modelRevision: revision, initialWeights, seed } = config;
  if (initialWeights === "pretrained") return withoutWeights(await loadPretrained(modelName, { revision, onProgress }));
  const found = await findModel(modelName, { revision, onProgress, weights: false });
  const path = join(found.folder, "config.json");
  const modelConfig = parseGpt2Config(await readJson(path, "the model's configuration"), path);
  const sha256 = createHash("sha256")
    .update(JSON.stringify([modelConfig, seed]))
    .digest("hex");
  return { ...found, config: modelConfig, sha256, readWeights: async () => randomWeights(modelConfig, seed) };
}

function withoutWeights({ weights, ...model }: PretrainedModel): PreparedModel {
  let first: PretrainedModel["weights"] | undefined = weights;
  const readWeights = async () => {
    const handedOver = first ?? (await readAgain(model));
    first = undefined;
    return handedOver;
  };
  return { ...model, readWeights };
}

async function readAgain({ folder, sha256 }: Omit<PretrainedModel, "weights">): Promise<PretrainedModel["weights"]> {
  const model = await loadPretrained(folder);
  if (model.sha256 === sha256) return model.weights;
  throw new RangeError(
    problem({
      cannot: `read the weights in ${folder} again`,
      found: `files with sha256 ${model.sha256}`,
      expected: `${sha256}, those that the run began with`,
      fix: "put these files back and go on with resume: true",
    }),
  );
}

/**
 * What a run needs before it can begin: the model's weights, the text split and packed, the plan of its steps. In: knobs.
 * Out: all of it, loaded and checked against each other. It opens no engine and writes nothing, so that training, the
 * explanation of a run and its preflight all begin here.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { checkPlan, checkPositions } from "./config/contradictions.js";
import { resolveConfig, type TrainingConfig } from "./config.js";
import { type Dataset, datasetOf, loadDataset } from "./data/dataset.js";
import { type DataFinding, examineData, withoutDuplicates } from "./data/gate.js";
import { type PackedBlocks, packDocuments } from "./data/pack.js";
import { splitDataset } from "./data/split.js";
import { loadTokenizer } from "./data/tokenizer.js";
import { readJson } from "./files.js";
import type { DownloadProgress } from "./hub/download.js";
import { findModel } from "./model/find-model.js";
import { parseGpt2Config } from "./model/gpt2-config.js";
import { randomWeights } from "./model/initial.js";
import { loadPretrained, type PretrainedModel } from "./model/pretrained.js";
import { planRun, type RunPlan } from "./train/plan.js";

/** What a run is given besides its knobs. */
export interface PrepareOptions {
  /** Texts that are already in memory; they take the place of `datasetName` and `maxDocuments`. */
  readonly dataset?: Dataset | undefined;
  /** Called while a model or dataset is downloaded. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

/** A run that could begin. */
export interface PreparedRun {
  readonly config: TrainingConfig;
  readonly model: PretrainedModel;
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
  const config = resolveConfig(given ? { ...settings, datasetName: given.name } : settings);
  const model = await loadModel(config, options);
  checkPositions(config, model.config.positions);
  const data = await loadData(config, model, given);
  const plan = planRun(config, data.train.count);
  // A run that goes on was accepted when it began.
  if (!config.resume) checkPlan(config, plan, data.train.count);
  return { config, model, data, plan };
}

/** The parts of a dataset that a run looks at, packed. */
export interface RunData {
  readonly dataset: Dataset;
  readonly splitHash: string;
  readonly tokenizerHash: string;
  readonly train: PackedBlocks;
  readonly validation: PackedBlocks;
  /** What the gate has to say that does not stop the run, a sentence each. */
  readonly remarks: readonly string[];
}

async function loadData(config: TrainingConfig, model: PretrainedModel, given?: Dataset): Promise<RunData> {
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

async function loadModel(config: TrainingConfig, { onProgress }: PrepareOptions): Promise<PretrainedModel> {
  const { modelName, modelRevision: revision, initialWeights, seed } = config;
  if (initialWeights === "pretrained") return loadPretrained(modelName, { revision, onProgress });
  const found = await findModel(modelName, { revision, onProgress, weights: false });
  const path = join(found.folder, "config.json");
  const modelConfig = parseGpt2Config(await readJson(path, "the model's configuration"), path);
  const sha256 = createHash("sha256")
    .update(JSON.stringify([modelConfig, seed]))
    .digest("hex");
  return { ...found, config: modelConfig, weights: randomWeights(modelConfig, seed), sha256 };
}

/**
 * The texts of a run, split and packed. In: knobs, a model's tokenizer, and where given a dataset in memory. Out: the blocks to
 * train on and to measure with. Small texts are examined and kept in memory; large ones become tokens on disk, block for
 * block the same. It trains nothing.
 */
import { join } from "node:path";
import type { TrainingConfig } from "./config.js";
import { type Dataset, datasetOf, loadDataset, openDataset, readDataset, sampleDataset } from "./data/dataset.js";
import { embeddedNames } from "./data/embedded.js";
import { type DataFinding, examineData, findingsOf, withoutDuplicates } from "./data/gate.js";
import { GateTally, STREAM_LIMITS } from "./data/gate-tally.js";
import { type PackedBlocks, packDocuments } from "./data/pack.js";
import { splitDataset } from "./data/split.js";
import type { TextSource } from "./data/text-source.js";
import { openTokenFile, type TokenFile } from "./data/token-file.js";
import { loadTokenizer, type Tokenizer } from "./data/tokenizer.js";
import { problem } from "./message.js";
import { fledgeCache } from "./paths.js";
import type { PreparedModel, PrepareOptions } from "./prepare.js";

/** The parts of a dataset that a run looks at, packed. */
export interface RunData {
  readonly dataset: DatasetFacts;
  readonly splitHash: string;
  readonly tokenizerHash: string;
  readonly train: PackedBlocks;
  readonly validation: PackedBlocks;
  /** What is to be said of the texts that does not stop the run, a sentence each. */
  readonly remarks: readonly string[];
}

/** What is known of a dataset besides its documents. */
export type DatasetFacts = Pick<Dataset, "name" | "origin" | "licence" | "sha256">;

// More than this on disk is not held in memory: as tokens and strings it takes ten times as much there.
const MOST_BYTES_IN_MEMORY = 64_000_000;

/**
 * Loads, splits and packs.
 *
 * @throws RangeError, TypeError, SyntaxError or HubError, each saying what to change
 */
export async function loadRunData(
  config: TrainingConfig,
  model: PreparedModel,
  options: PrepareOptions,
): Promise<RunData> {
  const { datasetName, maxDocuments, seed, streaming } = config;
  const tokenizer = await loadTokenizer(model.folder);
  if (options.dataset) return inMemory(config, options.dataset, tokenizer);
  if (embeddedNames.includes(datasetName)) {
    return inMemory(config, await loadDataset(datasetName, { maxDocuments, seed }), tokenizer);
  }
  const source = await openDataset(datasetName, {
    textColumn: config.textColumn === "auto" ? undefined : config.textColumn,
    revision: config.datasetRevision === "auto" ? undefined : config.datasetRevision,
    onProgress: options.onProgress,
  });
  const isLarge = source.bytes > MOST_BYTES_IN_MEMORY;
  if (streaming === "auto" ? isLarge : streaming) return onDisk(config, source, tokenizer, options);
  const whole = await readDataset(source);
  return inMemory(config, maxDocuments > 0 ? sampleDataset(whole, maxDocuments, seed) : whole, tokenizer);
}

async function onDisk(
  config: TrainingConfig,
  source: TextSource,
  tokenizer: Tokenizer,
  options: PrepareOptions,
): Promise<RunData> {
  const { maxDocuments, seed, validationFraction, testFraction, blockSize, separateDocuments, deduplicate } = config;
  if (deduplicate) {
    const found = `deduplicate with ${source.bytes.toLocaleString("en")} bytes that are streamed from disk`;
    const fix = "set deduplicate: false, or streaming: false if the text fits into memory";
    const cannot = `load dataset "${source.name}"`;
    throw new RangeError(problem({ cannot, found, expected: "a text in memory to compare", fix }));
  }
  const file = await openTokenFile(source, tokenizer, {
    ...{ maxDocuments, seed, validationFraction, testFraction, onProgress: options.onProgress },
    cacheFolder: join(options.cacheFolder ?? fledgeCache(), "tokens"),
  });
  const { name, origin, licence } = source;
  const train = file.pack("train", blockSize, { separateDocuments });
  const validation = file.pack("validation", blockSize, { separateDocuments });
  const tally = await tallyOf(file);
  const findings = findingsOf(tally.facts(file.by), runFacts(config, name, train, validation));
  return {
    dataset: { name, origin, licence, sha256: await source.fingerprint() },
    splitHash: file.splitHash,
    tokenizerHash: tokenizer.sha256,
    train,
    validation,
    remarks: [...source.notes, ...file.notes, ...tally.notes(), ...passGate(findings, config)],
  };
}

// Reads the texts twice more: what measures must be known before what is learned passes by.
async function tallyOf(file: TokenFile): Promise<GateTally> {
  const tally = new GateTally(STREAM_LIMITS);
  const learned = new Set(file.unitsOf("train"));
  for (const isTraining of [false, true]) {
    let unit = 0;
    for await (const { id, text, isLast } of file.texts()) {
      if (learned.has(unit) === isTraining) tally[isTraining ? "learn" : "hold"]({ id, text });
      if (isLast) unit++;
    }
  }
  return tally;
}

function runFacts(config: TrainingConfig, datasetName: string, train: PackedBlocks, validation: PackedBlocks) {
  return {
    datasetName,
    modelName: config.initialWeights === "pretrained" ? config.modelName : "",
    blockSize: config.blockSize,
    validationBlocks: validation.count,
    bytesPerToken: train.textBytes / train.sourceTokens,
  };
}

async function inMemory(config: TrainingConfig, whole: Dataset, tokenizer: Tokenizer): Promise<RunData> {
  const { seed, blockSize, separateDocuments, validationFraction, testFraction } = config;
  const remarks = [...(whole.notes ?? [])];
  const dataset = config.deduplicate ? deduplicated(whole, remarks) : whole;
  const split = splitDataset(dataset, { validationFraction, testFraction, seed });
  const train = packDocuments(split.train.documents, tokenizer, blockSize, { separateDocuments });
  const validation = packDocuments(split.validation.documents, tokenizer, blockSize, { separateDocuments });
  const findings = examineData({ split, ...runFacts(config, dataset.name, train, validation) });
  remarks.push(...passGate(findings, config));
  const { hash: splitHash } = split;
  return { dataset, splitHash, tokenizerHash: tokenizer.sha256, train, validation, remarks };
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

/**
 * `fledge inspect <dataset>`: what a text holds before it is trained on, as tables in the terminal, and what the gate before
 * training has to say of it. In: the words after `fledge inspect`. Out: text; exit code 1 when the gate finds an error.
 */
import { gatherSettings } from "../../src/config/sources.js";
import { resolveConfig, type TrainingConfig } from "../../src/config.js";
import { type Dataset, loadDataset } from "../../src/data/dataset.js";
import { examineData } from "../../src/data/gate.js";
import { type DatasetTotals, type Inspection, inspectDataset } from "../../src/data/inspect.js";
import { packDocuments } from "../../src/data/pack.js";
import type { PackingReport } from "../../src/data/packing-report.js";
import { splitDataset } from "../../src/data/split.js";
import { loadTokenizer, type Tokenizer } from "../../src/data/tokenizer.js";
import { problem } from "../../src/message.js";
import { findModel } from "../../src/model/find-model.js";
import { bundleOf, type MimeBundle } from "../../src/view/display.js";
import { formatCount } from "../../src/view/format.js";
import { table } from "../../src/view/table.js";
import type { Command } from "../command.js";
import { ownOptions } from "../options.js";

/** The command. */
export const inspect: Command = {
  help: `Usage: fledge inspect <dataset> [options]

Shows documents, lengths, languages, repeats, damage and personal data of a text, what the block size does to it, and what
would stop or mislead a training run. <dataset> is an embedded set (sotu, shakespeare, readmes), a file, a folder, or a
dataset of the Hugging Face Hub (owner/name). Options are the knobs of \`fledge train\`, among them:

  --model-name NAME          whose vocabulary counts the tokens (default fledge-base)
  --block-size N             tokens a block (default 512)
  --max-documents N          look at a sample of this many; 0, the default, looks at all
  --text-column NAME         column of the texts in files with rows (default: guessed)
  --dataset-revision NAME    branch, tag or commit of a dataset of the Hub

Exit code 1 when \`fledge train\` would refuse the text. Example: fledge inspect ./letters --block-size 256
`,
  async run(words) {
    const { subject: datasetName, rest } = ownOptions(words, {});
    if (datasetName === undefined) {
      throw new RangeError(
        problem({
          cannot: "inspect",
          found: "no dataset",
          expected: "one",
          fix: "run `fledge inspect sotu`, or give a file or folder",
        }),
      );
    }
    const { settings } = await gatherSettings({ words: rest, environment: process.env });
    const config = resolveConfig({ blockSize: 512, ...settings, datasetName });
    const { maxDocuments, seed, textColumn, datasetRevision } = config;
    const dataset = await loadDataset(datasetName, {
      ...{ maxDocuments, seed },
      textColumn: textColumn === "auto" ? undefined : textColumn,
      revision: datasetRevision === "auto" ? undefined : datasetRevision,
    });
    const tokenizer = await loadTokenizer((await findModel(config.modelName, { weights: false })).folder);
    const inspection = await inspectDataset(dataset, tokenizer, { blockSize: config.blockSize, top: 10 });
    const { name, origin, licence, sha256 } = dataset;
    print(
      `${[name, `from ${origin}`, `licence: ${licence}`, `sha256 ${sha256}`, ...(dataset.notes ?? [])].join("\n")}`,
    );
    print(bundleOf(table(inWords(inspection.totals, totalWords), { caption: "Totals" })));
    print(lengthBars(inspection));
    for (const [caption, part] of parts) {
      const rows = inspection[part];
      const format = { share: (share: unknown) => percent(Number(share)) };
      print(rows.numRows() === 0 ? `${caption}: none` : bundleOf(table(rows, { caption, maxRows: 12, format })));
    }
    print(bundleOf(table(inWords(inspection.packingReport, packingWords), { caption: "In blocks" })));
    const findings = findingsOf(dataset, tokenizer, config, inspection.totals.bytesPerToken);
    for (const { severity, message } of findings) process.stdout.write(`${severity}: ${message}\n`);
    if (findings.length === 0) process.stdout.write("The gate before training has nothing to say.\n");
    return findings.some(({ severity }) => severity === "error") ? 1 : 0;
  },
};

// What the gate says, and what a run would say where it could not even split or pack the text.
function findingsOf(dataset: Dataset, tokenizer: Tokenizer, config: TrainingConfig, bytesPerToken: number) {
  const { blockSize, modelName, datasetName } = config;
  try {
    const split = splitDataset(dataset, config);
    packDocuments(split.train.documents, tokenizer, blockSize);
    const validationBlocks = packDocuments(split.validation.documents, tokenizer, blockSize).count;
    return examineData({ split, datasetName, modelName, blockSize, validationBlocks, bytesPerToken });
  } catch (error) {
    if (error instanceof RangeError) return [{ severity: "error", message: error.message }];
    throw error;
  }
}

const parts: readonly (readonly [string, "samples" | "languages" | "scripts" | "topWords" | "topPhrases" | Finds])[] = [
  ["Samples", "samples"],
  ["Languages", "languages"],
  ["Scripts", "scripts"],
  ["Commonest words", "topWords"],
  ["Commonest runs of three words", "topPhrases"],
  ["Repeats", "duplicates"],
  ["Signs of damage", "damage"],
  ["Personal data", "personalData"],
];
type Finds = "duplicates" | "damage" | "personalData";

const totalWords: Record<keyof DatasetTotals, string> = {
  documents: "documents",
  characters: "characters",
  bytes: "bytes",
  tokens: "tokens",
  bytesPerToken: "bytes a token",
  vocabularyUsed: "different tokens in it",
  vocabularySize: "tokens of the vocabulary",
  shortestTokens: "tokens of the shortest document",
  medianTokens: "tokens of the middle document",
  longestTokens: "tokens of the longest document",
  longestDocument: "the longest document",
};

const packingWords: Record<keyof PackingReport, string> = {
  blockSize: "tokens a block",
  documents: "documents, joined end to end",
  tokens: "tokens, with an end of text for each",
  blocks: "full blocks",
  droppedTokens: "tokens after the last full block, left out",
  lossShare: "share of the tokens that is learned",
  endOfTexts: "ends of text that are learned",
  longDocuments: "documents longer than a block",
  truncatedTokens: "tokens that cutting instead of joining would lose",
  paddingShare: "share of padding that a block a document would need",
};

function inWords<Name extends string>(record: Readonly<Record<Name, number | string>>, words: Record<Name, string>) {
  return (Object.keys(words) as Name[]).map((name) => {
    const value = record[name];
    return { measure: words[name], value: name.endsWith("Share") ? percent(Number(value)) : value };
  });
}

// A bar a class of lengths, the longest 30 signs.
function lengthBars({ lengths }: Inspection): string {
  const rows = lengths.objects() as { unit: string; from: number; to: number; documents: number }[];
  const most = Math.max(...rows.map(({ documents }) => documents));
  const words = rows.map(({ from, to }) => `${formatCount(from)} to ${formatCount(to)}`);
  const width = Math.max(...words.map((word) => word.length));
  return (["tokens", "characters"] as const)
    .map((unit) => {
      const bars = rows.flatMap(({ unit: of, documents }, i) => {
        const bar = "#".repeat(Math.ceil((30 * documents) / most));
        return of === unit ? [`${words[i]?.padStart(width)}  ${bar} ${formatCount(documents)}`] : [];
      });
      return [`Documents by length in ${unit}`, ...bars].join("\n");
    })
    .join("\n\n");
}

function percent(share: number): string {
  return `${(100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

function print(view: string | MimeBundle): void {
  process.stdout.write(`${typeof view === "string" ? view : String(view["text/plain"])}\n\n`);
}

/**
 * `fledge inspect <dataset>`: what a text holds before it is trained on, as tables in the terminal, and what the gate before
 * training has to say of it. In: the words after `fledge inspect`. Out: text; exit code 1 when the gate finds an error.
 */
import { gatherSettings } from "../../src/config/sources.js";
import { resolveConfig } from "../../src/config.js";
import { loadDataset } from "../../src/data/dataset.js";
import { examineData } from "../../src/data/gate.js";
import { type Inspection, inspectDataset } from "../../src/data/inspect.js";
import { splitDataset } from "../../src/data/split.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { problem } from "../../src/message.js";
import { findModel } from "../../src/model/find-model.js";
import { bundleOf } from "../../src/view/display.js";
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
    for (const [caption, part] of parts) print(table(inspection[part], { caption, maxRows: 12 }));
    const split = splitDataset(dataset, config);
    const { totals, packingReport } = inspection;
    const findings = examineData({
      ...{ split, datasetName, modelName: config.modelName, blockSize: config.blockSize },
      validationBlocks: Math.floor(packingReport.blocks * config.validationFraction),
      bytesPerToken: totals.bytesPerToken,
    });
    for (const { severity, message } of findings) process.stdout.write(`${severity}: ${message}\n`);
    if (findings.length === 0) process.stdout.write("The gate before training has nothing to say.\n");
    return findings.some(({ severity }) => severity === "error") ? 1 : 0;
  },
};

const parts: readonly (readonly [
  string,
  Exclude<keyof Inspection, "totals" | "packingReport" | "documents" | "lengths">,
])[] = [
  ["Source", "source"],
  ["Totals", "summary"],
  ["Samples", "samples"],
  ["Languages", "languages"],
  ["Scripts", "scripts"],
  ["Commonest words", "topWords"],
  ["Commonest runs of three words", "topPhrases"],
  ["Repeats", "duplicates"],
  ["Signs of damage", "damage"],
  ["Personal data", "personalData"],
  ["In blocks", "packing"],
];

function print(view: unknown): void {
  process.stdout.write(`${String(bundleOf(view)["text/plain"])}\n\n`);
}

/**
 * `fledge eval`: measures a model on held-out text. In: a model's folder, the part of the data. Out: loss, perplexity and bits
 * per byte. Data and split are those of the model's own run unless the options say otherwise.
 */
import { join } from "node:path";
import { gatherSettings } from "../../src/config/sources.js";
import { resolveConfig, type TrainingConfig, trainingDefaults } from "../../src/config.js";
import { loadDataset } from "../../src/data/dataset.js";
import { packDocuments } from "../../src/data/pack.js";
import { splitDataset } from "../../src/data/split.js";
import { exists, readJson } from "../../src/files.js";
import { openModel } from "../../src/generate/text-model.js";
import { nearest, problem } from "../../src/message.js";
import { formatCount, formatLoss } from "../../src/view/format.js";
import type { Command } from "../command.js";
import { ownOptions } from "../options.js";

const parts = ["test", "validation", "train"] as const;
type Part = (typeof parts)[number];

/** The command. */
export const evaluate: Command = {
  help: `Usage: fledge eval [MODEL] [option …]

Measures MODEL (default ${trainingDefaults.finalModelDir}) on text that was held out of its training: loss in nats per token,
perplexity, bits per byte. The data and its split are those that the model was trained with; another model is measured on
the same text by giving its options.

  fledge eval ./final_model
  fledge eval fledge-base --dataset-name sotu --block-size 256

  --split PART                test (default), validation or train
  --json                      Print JSON

Knobs of \`fledge train\` that matter here: --dataset-name, --max-documents, --validation-fraction, --test-fraction, --seed,
--block-size, --batch-size, --separate-documents, --engine, --mixed-precision.
`,
  async run(words) {
    const {
      own,
      rest,
      subject = trainingDefaults.finalModelDir,
    } = ownOptions(words, {
      "--split": "value",
      "--json": "switch",
    });
    const part = partOf(own["--split"] ?? "test");
    const { settings } = await gatherSettings({ words: rest, environment: process.env });
    const config = resolveConfig({ ...(await argumentsOf(subject)), earlyStoppingPatience: 0, ...settings });
    const { loss, perplexity, bitsPerByte, tokens } = await measure(subject, part, config);
    const result = { model: subject, dataset: config.datasetName, split: part, loss, perplexity, bitsPerByte, tokens };
    const line = `${subject} on ${config.datasetName}, ${part}: loss ${formatLoss(loss)} nats per token, perplexity ${perplexity.toFixed(1)}, ${bitsPerByte.toFixed(3)} bits per byte (${formatCount(tokens)} tokens)`;
    process.stdout.write(`${own["--json"] === undefined ? line : JSON.stringify(result)}\n`);
    return 0;
  },
};

async function measure(modelName: string, part: Part, config: TrainingConfig) {
  const { datasetName, maxDocuments, seed, validationFraction, testFraction, separateDocuments } = config;
  const { mixedPrecision, engine } = config;
  const split = splitDataset(await loadDataset(datasetName, { maxDocuments, seed }), {
    ...{ validationFraction, testFraction, seed },
  });
  const model = await openModel(modelName, { mixedPrecision, ...(engine !== "auto" && { engine }) });
  try {
    const blockSize = Math.min(config.blockSize, model.config.positions);
    const blocks = packDocuments(split[part].documents, model.tokenizer, blockSize, { separateDocuments });
    return await model.measure(blocks, config.batchSize);
  } finally {
    await model.dispose();
  }
}

async function argumentsOf(model: string): Promise<Partial<TrainingConfig>> {
  const file = join(model, "training_args.json");
  return (await exists(file)) ? readJson(file, "the knobs of the model's run") : {};
}

function partOf(text: string): Part {
  const part = parts.find((name) => name === text);
  if (part) return part;
  const fix = `write --split ${nearest(text, parts) ?? "test"}`;
  throw new RangeError(
    problem({ cannot: "choose the part to measure", found: `--split ${text}`, expected: parts.join(", "), fix }),
  );
}

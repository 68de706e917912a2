/** Saves one checkpoint after another for ever, until it is killed. Arguments: output folder, tokenizer folder. */
import { prepareOutputDir, pruneCheckpoints, saveCheckpoint } from "../../src/train/checkpoint.js";
import { tinyCheckpoint } from "./tiny-checkpoint.js";

const [outputDir = "", tokenizerFolder = ""] = process.argv.slice(2);
await prepareOutputDir(outputDir);
for (let count = 0; ; count++) {
  // Three names in turn, so that replacing, pruning and saving anew are all interrupted.
  const folder = await saveCheckpoint(outputDir, tinyCheckpoint(count % 3, tokenizerFolder));
  if (count % 7 === 6) await pruneCheckpoints(outputDir, [folder]);
  process.stdout.write("saved\n");
}

/** Saves one checkpoint after another for ever, until it is killed. Arguments: output folder, tokenizer folder. */
import { pruneCheckpoints, saveCheckpoint } from "../../src/train/checkpoint.js";
import { openOutputDir } from "../../src/train/output-dir.js";
import { tinyCheckpoint } from "./tiny-checkpoint.js";

const [outputDir = "", tokenizerFolder = ""] = process.argv.slice(2);
await openOutputDir(outputDir);
for (let count = 0; ; count++) {
  // Three names in turn, so that replacing, pruning and saving anew are all interrupted.
  const folder = await saveCheckpoint(outputDir, tinyCheckpoint(count % 3, tokenizerFolder));
  if (count % 7 === 6) await pruneCheckpoints(outputDir, [folder]);
  process.stdout.write("saved\n");
}

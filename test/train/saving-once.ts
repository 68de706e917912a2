/** Saves the checkpoint of step 2 over that of step 1 and prunes, once. Arguments: output folder, tokenizer folder. */
import { pruneCheckpoints, saveCheckpoint } from "../../src/train/checkpoint.js";
import { openOutputDir } from "../../src/train/output-dir.js";
import { tinyCheckpoint } from "./tiny-checkpoint.js";

const [outputDir = "", tokenizerFolder = ""] = process.argv.slice(2);
const { folder, close } = await openOutputDir(outputDir);
await pruneCheckpoints(folder, [await saveCheckpoint(folder, tinyCheckpoint(2, tokenizerFolder))]);
await close();

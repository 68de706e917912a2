/**
 * Makes the base model's vocabulary: 4,096 tokens of byte-level BPE learned from the pretraining books.
 * Run it with `npm run build && node dist/models/train-tokenizer.js`; it rewrites models/fledge-base/tokenizer.json and
 * tokenizer_config.json, the same bytes each time. It does not see the State of the Union addresses.
 */
import { join } from "node:path";
import { pretrainingDocuments } from "../datasets/gutenberg.js";
import { saveTokenizer } from "../src/data/tokenizer-file.js";
import { trainTokenizer } from "../src/data/train-tokenizer.js";
import { packageRoot } from "../src/paths.js";

const { documents } = pretrainingDocuments();
const file = trainTokenizer(
  documents.map((document) => document.text),
  { vocabularySize: 4096 },
);
const folder = join(packageRoot(), "models", "fledge-base");
await saveTokenizer(file, folder, { modelMaxLength: 512 });
console.log(`${documents.length} documents → ${file.model.merges.length} merges → ${folder}`);

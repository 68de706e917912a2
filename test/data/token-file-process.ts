/**
 * Makes a large file of rows and turns it into tokens, in a process of its own whose memory is measured. In: a folder and bytes
 * of text. Out: one line of JSON. By hand, for the figure of docs/decisions.md:
 * `node dist/test/data/token-file-process.js /tmp/large 1000000000`
 */
import { mkdirSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { argv } from "node:process";
import { openDataset } from "../../src/data/dataset.js";
import { seededRandom } from "../../src/data/random.js";
import { openTokenFile } from "../../src/data/token-file.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const [, , folder = "", wanted = "0"] = argv;
const textBytes = Number(wanted);
const path = join(folder, "large.jsonl");
mkdirSync(folder, { recursive: true });
await writeRows();
const cacheFolder = join(folder, "large-cache");
const tokenizer = await loadTokenizer(join(packageRoot(), "models/fledge-base"));
const began = performance.now();
const split = { maxDocuments: 0, validationFraction: 0.1, testFraction: 0.1, seed: 42 };
const file = await openTokenFile(await openDataset(path), tokenizer, { ...split, cacheFolder });
const seconds = (performance.now() - began) / 1000;
const parts = (["train", "validation", "test"] as const).map((part) => file.pack(part, 512));
for (const blocks of parts) for (let i = 0; i < blocks.count; i += 100) blocks.block(i);
await rm(path);
await rm(cacheFolder, { recursive: true });
const sum = (of: (blocks: (typeof parts)[number]) => number) => parts.reduce((total, blocks) => total + of(blocks), 0);
const peakBytes = process.resourceUsage().maxRSS * 1024;
console.log(
  JSON.stringify({ tokens: sum((b) => b.sourceTokens), textBytes: sum((b) => b.textBytes), peakBytes, seconds }),
);

// Rows of 2,000 bytes of made-up words, 20,000 different ones.
async function writeRows(): Promise<void> {
  const random = seededRandom(1);
  const letters = () => String.fromCharCode(97 + random.integer(26));
  const words = Array.from({ length: 20_000 }, () => Array.from({ length: 2 + random.integer(9) }, letters).join(""));
  const target = await open(path, "w");
  let left = textBytes;
  while (left > 0) {
    const rows: string[] = [];
    for (let i = 0; i < 500 && left > 0; i++) {
      let text = "";
      while (text.length < 2000) text += ` ${words[random.integer(words.length)]}`;
      text = text.slice(1, Math.min(2001, left + 1));
      left -= text.length;
      rows.push(JSON.stringify({ text }));
    }
    await target.writeFile(`${rows.join("\n")}\n`);
  }
  await target.close();
}

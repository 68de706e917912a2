/** Tokens on disk: block for block what is packed in memory, made once, and within a limit of memory. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { batchesOf, epochOrder } from "../../src/data/batches.js";
import { loadDataset, openDataset } from "../../src/data/dataset.js";
import { type PackedBlocks, packDocuments } from "../../src/data/pack.js";
import { seededRandom } from "../../src/data/random.js";
import { splitDataset } from "../../src/data/split.js";
import { openTokenFile, type TokenFileOptions } from "../../src/data/token-file.js";
import { loadTokenizer, type Tokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const folder = await mkdtemp(join(tmpdir(), "fledge-token-file-"));
after(() => rm(folder, { recursive: true }));
const tokenizer = await loadTokenizer(join(packageRoot(), "models/fledge-base"));
const cacheFolder = join(folder, "cache");
const options: TokenFileOptions = { cacheFolder, maxDocuments: 0, validationFraction: 0.1, testFraction: 0.1, seed: 3 };

/** The tokenizer with some of it changed. */
function wrapped(changes: Partial<Tokenizer>): Tokenizer {
  const { vocabularySize, endOfTextId, sha256, folder } = tokenizer;
  const methods = {
    encode: (text: string) => tokenizer.encode(text),
    bytesOf: (id: number) => tokenizer.bytesOf(id),
    decode: (ids: ArrayLike<number>) => tokenizer.decode(ids),
  };
  return { vocabularySize, endOfTextId, sha256, folder, ...methods, ...changes };
}

const random = seededRandom(11);
const words = [
  "once",
  "upon",
  "a time,",
  "the sea",
  "Größe",
  "世界",
  "😀",
  "it's",
  "1848",
  "said.\n\n",
  "\n",
  "  ",
  "-",
];
const someText = (count: number) => Array.from({ length: count }, () => words[random.integer(words.length)]).join(" ");

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** Every block of every part, from disk and from memory. */
async function compare(path: string, changes: Partial<TokenFileOptions> = {}, separateDocuments = false) {
  const asked = { ...options, ...changes };
  const onDisk = await openTokenFile(await openDataset(path), tokenizer, asked);
  const dataset = await loadDataset(path, { maxDocuments: asked.maxDocuments, seed: asked.seed });
  const split = splitDataset(dataset, asked);
  assert.equal(onDisk.by, split.by);
  for (const part of ["train", "validation", ...(asked.testFraction > 0 ? ["test" as const] : [])] as const) {
    const {
      block,
      tokens: _,
      documentsOf,
      ...facts
    } = packDocuments(split[part].documents, tokenizer, 64, { separateDocuments });
    const { block: ours, documentsOf: numbers, ...oursFacts } = onDisk.pack(part, 64, { separateDocuments });
    assert.deepEqual(oursFacts, facts, part);
    for (let i = 0; i < facts.count; i++) {
      assert.deepEqual(ours(i), block(i), `${part} ${i}`);
      assert.equal(numbers(i).length, documentsOf(i).length, `${part} ${i}`);
    }
  }
  return { onDisk, split };
}

const rows = await file(
  "rows.jsonl",
  Array.from({ length: 200 }, () => JSON.stringify({ text: `Row: ${someText(10 + random.integer(60))}` })).join("\n"),
);

test("a TokenFile deals documents out and packs them as splitDataset() and packDocuments() do", async () => {
  await compare(rows);
  await compare(rows, { seed: 4 }, true);
  await compare(rows, { maxDocuments: 50 });
  await compare(rows, { testFraction: 0, validationFraction: 0.25 });
  // Two choices of documents, one of them sampled: fractions and seed of a split make no file of their own.
  assert.equal((await readdir(cacheFolder)).length, 2);
});

test("a TokenFile gives the batches of an epoch in the order of those in memory", async () => {
  const { onDisk, split } = await compare(rows);
  const batches = (blocks: PackedBlocks) => [...batchesOf(blocks, epochOrder(blocks, { seed: 5, epoch: 1 }), 4)];
  const memory = packDocuments(split.train.documents, tokenizer, 32, { separateDocuments: true });
  const disk = onDisk.pack("train", 32, { separateDocuments: true });
  assert.deepEqual(batches(disk), batches(memory));
});

test("a TokenFile cuts few documents by position where splitDataset() cuts them, long ones in pieces", async () => {
  const long = await file("long.txt", someText(400_000));
  assert.ok((await stat(long)).size > 2 * 2 ** 20, "more than two pieces");
  await compare(long);
  await compare(long, { testFraction: 0 });
  await mkdir(join(folder, "three"));
  for (const name of ["a", "b", "c"]) await writeFile(join(folder, "three", `${name}.txt`), someText(3000));
  await compare(join(folder, "three"), { validationFraction: 0.2 });
});

test("openTokenFile() makes a file once, and anew when a byte, the column or the tokenizer is another", async () => {
  let made = 0;
  const open = async (path: string, textColumn?: string, by = tokenizer) =>
    openTokenFile(await openDataset(path, { textColumn }), by, { ...options, onProgress: () => made++ });
  const lines = Array.from({ length: 20 }, (_, i) => JSON.stringify({ text: `text ${i}`, other: `other ${i}` }));
  const path = await file("once.jsonl", lines.join("\n"));
  const { key } = await open(path);
  assert.ok(made > 0);
  made = 0;
  assert.equal((await open(path)).key, key);
  assert.equal(made, 0);
  const keys = [key, (await open(path, "other")).key, (await open(path, undefined, wrapped({ sha256: "b" }))).key];
  await file("once.jsonl", lines.join("\n").replace("text 7", "text 8"));
  keys.push((await open(path)).key);
  assert.equal(new Set(keys).size, 4);
});

test("openTokenFile() uses 32 bits where a vocabulary needs them", async () => {
  const large = wrapped({
    vocabularySize: 100_000,
    sha256: "large",
    endOfTextId: 99_999,
    encode: () => Uint32Array.of(70_000, 5),
  });
  const opened = await openTokenFile(await openDataset(rows), large, options);
  assert.deepEqual(opened.pack("train", 4).block(0), Uint32Array.of(70_000, 5, 99_999, 70_000, 5));
});

test("a TokenFile that was cut short is refused with its place", async () => {
  const short = { ...options, cacheFolder: join(folder, "short") };
  const opened = await openTokenFile(await openDataset(rows), tokenizer, short);
  const blocks = opened.pack("train", 16);
  const place = join(folder, "short", (await readdir(short.cacheFolder))[0] ?? "");
  await truncate(join(place, "tokens.bin"), 100);
  assert.throws(() => blocks.block(blocks.count - 1), {
    message: `Cannot read ${join(place, "tokens.bin")}: a file that was cut short, expected all tokens of its manifest. Fix: delete the folder ${place} and run again.`,
  });
});

test("openTokenFile() refuses what splitDataset() would refuse", async () => {
  const path = await file("short.txt", "a");
  const message = /^Cannot cut a (train|validation|test) part from document "short\.txt": 1 characters, too few/;
  await assert.rejects(openTokenFile(await openDataset(path), tokenizer, options), { name: "RangeError", message });
  await assert.rejects(
    openTokenFile(await openDataset(await file("blank.jsonl", '{"text":" "}')), tokenizer, options),
    {
      message: /no text in any row, expected at least one text/,
    },
  );
});

test("openTokenFile() takes no more memory for 72 MB of rows than for 24 MB, with heaps of 40 MB", async () => {
  // 443 MB at the most for 1 GB, see docs/decisions.md. Nearly twice as much text as a heap could hold, threads included.
  const child = join(packageRoot(), "dist/test/data/token-file-process.js");
  const peakOf = async (bytes: number): Promise<number> => {
    const words = ["--max-old-space-size=40", child, folder, String(bytes)];
    const { stdout } = await promisify(execFile)(process.execPath, words);
    const { tokens = 0, textBytes, peakBytes = Infinity } = JSON.parse(stdout) as Record<string, number>;
    assert.equal(textBytes, bytes);
    assert.ok(tokens > bytes / 10, `${tokens} tokens`);
    return peakBytes;
  };
  const [small, large] = [await peakOf(24_000_000), await peakOf(72_000_000)];
  assert.ok(large < 400e6, `${large} bytes at the most`);
  // The text grew by 48 MB and its tokens by 70.
  assert.ok(large - small < 48e6, `${large - small} bytes more`);
});

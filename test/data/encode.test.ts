import assert from "node:assert/strict";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadDataset } from "../../src/data/dataset.js";
import { Encoder, encodeTexts } from "../../src/data/encode.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const baseFolder = join(packageRoot(), "models", "fledge-base");
const tokenizer = await loadTokenizer(baseFolder);
const { documents } = await loadDataset("sotu", { maxDocuments: 30 });
const texts = ["", ...documents.map(({ text }) => text), "last"];
const scratch = await mkdtemp(join(tmpdir(), "fledge-encode-"));
after(() => rm(scratch, { recursive: true }));

for (const threads of [1, 2, 3]) {
  test(`encodeTexts() with ${threads} threads gives what encode() gives, and counts every character`, async () => {
    const seen: [number, number][] = [];
    const ids = await encodeTexts(texts, tokenizer, { threads, onProgress: (...now) => seen.push(now) });
    assert.deepEqual(
      ids,
      texts.map((text) => tokenizer.encode(text)),
    );
    const total = texts.reduce((sum, text) => sum + text.length, 0);
    assert.deepEqual(seen.at(-1), [total, total]);
    assert.ok(seen.length > 2);
    for (const [i, [done]] of seen.entries()) assert.ok(done > (seen[i - 1]?.[0] ?? 0));
  });
}

test("encodeTexts() takes no texts, and refuses a number of threads that is none", async () => {
  assert.deepEqual(await encodeTexts([], tokenizer), []);
  await assert.rejects(encodeTexts(texts, tokenizer, { threads: 0 }), {
    name: "RangeError",
    message: "Cannot encode texts: threads 0, expected an integer ≥ 1. Fix: set threads: 2.",
  });
});

test("encodeTexts() refuses to go on with a tokenizer.json that has changed", async () => {
  await cp(join(baseFolder, "tokenizer.json"), join(scratch, "tokenizer.json"));
  const copy = await loadTokenizer(scratch);
  await writeFile(join(scratch, "tokenizer.json"), " ", { flag: "a" });
  await assert.rejects(encodeTexts(texts, copy, { threads: 2 }), {
    name: "Error",
    message: /^Cannot encode texts: another tokenizer\.json in .* Fix: load the tokenizer again\.$/,
  });
});

test("Encoder gives encode()'s ids batch after batch, and its threads read the vocabulary once", async () => {
  await cp(join(baseFolder, "tokenizer.json"), join(scratch, "tokenizer.json"));
  const copy = await loadTokenizer(scratch);
  const encoder = new Encoder(copy, 2);
  try {
    assert.equal((await encoder.encode(texts)).length, texts.length);
    // Threads that were started anew would refuse the file, as in the test above.
    await rm(join(scratch, "tokenizer.json"));
    for (const batch of [texts.slice(3), texts.slice(0, 2), []]) {
      const expected = batch.map((text) => tokenizer.encode(text));
      assert.deepEqual(await encoder.encode(batch), expected);
    }
  } finally {
    await encoder.close();
  }
});

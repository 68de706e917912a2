import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { packDocuments } from "../../src/data/pack.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const tokenizer = await loadTokenizer(join(packageRoot(), "models", "fledge-base"));
const documents = [
  { id: "a", text: "Fellow citizens of the Senate, I am glad to see you here. ".repeat(9) },
  { id: "b", text: "Naïve — ça va?" },
  { id: "c", text: "And so to work. ".repeat(7) },
];
const row = documents.flatMap(({ text }) => [...tokenizer.encode(text), tokenizer.endOfTextId]);

test("packDocuments() keeps every token of every document but the counted rest, end-of-text after each", () => {
  for (const blockSize of [1, 2, 7, 16, 50, row.length - 1]) {
    const blocks = packDocuments(documents, tokenizer, blockSize);
    assert.deepEqual([...blocks.tokens], row.slice(0, row.length - blocks.droppedTokens));
    assert.equal(blocks.sourceTokens, row.length);
    assert.equal(blocks.tokens.length, blocks.count * blockSize + 1);
    assert.ok(blocks.droppedTokens < blockSize, `${blocks.droppedTokens} of ${blockSize}`);
  }
});

test("block() gives T+1 tokens that begin where the block before ended", () => {
  const blocks = packDocuments(documents, tokenizer, 16);
  for (let i = 0; i < blocks.count; i++) {
    const block = blocks.block(i);
    assert.deepEqual([...block], row.slice(i * 16, i * 16 + 17));
    if (i > 0) assert.equal(blocks.block(i - 1)[16], block[0]);
  }
});

test("documentsOf() names the documents whose tokens a block has", () => {
  const blockSize = 16;
  const blocks = packDocuments(documents, tokenizer, blockSize);
  const owners = documents.flatMap(({ id, text }) => [...tokenizer.encode(text), 0].map(() => id));
  for (let i = 0; i < blocks.count; i++) {
    const expected = new Set(owners.slice(i * blockSize, (i + 1) * blockSize + 1));
    assert.deepEqual(blocks.documentsOf(i), [...expected]);
  }
});

test("packDocuments() counts the text in UTF-8 bytes, for bits per byte", () => {
  const bytes = documents.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  assert.equal(packDocuments(documents, tokenizer, 16).textBytes, bytes);
});

test("packDocuments() takes a text of exactly one block", () => {
  const blocks = packDocuments(documents, tokenizer, row.length - 1);
  assert.equal(blocks.count, 1);
  assert.equal(blocks.droppedTokens, 0);
});

test("packDocuments() refuses a text shorter than one block", () => {
  const tokens = tokenizer.encode("Once upon a time").length + 1;
  assert.throws(() => packDocuments([{ id: "a", text: "Once upon a time" }], tokenizer, 512), {
    name: "RangeError",
    message: `Cannot pack text into blocks: ${tokens} tokens in 1 document, expected at least 513 for one block of 512. Fix: set blockSize: ${tokens - 1} or less, or give more text.`,
  });
  assert.throws(() => packDocuments([], tokenizer, 512), {
    name: "RangeError",
    message:
      "Cannot pack text into blocks: 0 tokens in 0 documents, expected at least 513 for one block of 512. Fix: give some text.",
  });
});

test("packDocuments() refuses a block size that is no positive integer", () => {
  for (const blockSize of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => packDocuments(documents, tokenizer, blockSize), {
      name: "RangeError",
      message: `Cannot pack text into blocks: blockSize ${blockSize}, expected an integer ≥ 1. Fix: set blockSize: 512.`,
    });
  }
});

test("block() refuses an index out of range", () => {
  const blocks = packDocuments(documents, tokenizer, 50);
  for (const index of [-1, blocks.count, 0.5]) {
    assert.throws(() => blocks.block(index), {
      name: "RangeError",
      message: `Cannot read a block: index ${index}, expected an integer from 0 to ${blocks.count - 1}. Fix: stay below blocks.count.`,
    });
  }
});

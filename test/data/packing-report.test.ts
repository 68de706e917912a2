import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { doublingClasses } from "../../src/data/counts.js";
import { loadDataset } from "../../src/data/dataset.js";
import { packDocuments } from "../../src/data/pack.js";
import { reportPacking } from "../../src/data/packing-report.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

test("reportPacking() agrees with what packDocuments() does", async () => {
  const tokenizer = await loadTokenizer(join(packageRoot(), "models", "fledge-base"));
  const { documents } = await loadDataset("sotu", { maxDocuments: 9 });
  const lengths = documents.map(({ text }) => tokenizer.encode(text).length);
  const blocks = packDocuments(documents, tokenizer, 200);
  const report = reportPacking(lengths, 200);
  assert.equal(report.blocks, blocks.count);
  assert.equal(report.droppedTokens, blocks.droppedTokens);
  assert.equal(report.tokens, blocks.sourceTokens);
  const learned = blocks.tokens.subarray(1).filter((id) => id === tokenizer.endOfTextId).length;
  assert.equal(report.endOfTexts, learned);
});

test("reportPacking() says what cutting and filling up would cost", () => {
  const report = reportPacking([600, 30], 512);
  assert.equal(report.truncatedTokens, 89);
  assert.equal(report.longDocuments, 1);
  assert.equal(report.paddingShare, (1024 - 512 - 31) / 1024);
  assert.equal(report.droppedTokens, 632 - 513);
  assert.equal(reportPacking([], 512).lossShare, 0);
  assert.equal(reportPacking([10], 512).droppedTokens, 11);
});

test("doublingClasses() has no gaps between its first and last class", () => {
  assert.deepEqual(doublingClasses([5, 6, 40]), [
    { from: 4, to: 7, documents: 2 },
    { from: 8, to: 15, documents: 0 },
    { from: 16, to: 31, documents: 0 },
    { from: 32, to: 63, documents: 1 },
  ]);
  assert.deepEqual(doublingClasses([]), []);
});

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { desc, op } from "arquero";
import { datasetOf, loadDataset } from "../../src/data/dataset.js";
import { inspectDataset } from "../../src/data/inspect.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const tokenizer = await loadTokenizer(join(packageRoot(), "models", "fledge-base"));

test("inspectDataset() counts documents, characters, bytes and tokens", async () => {
  const documents = [
    { id: "long", text: "The cat saw the cat. The cat saw the café.", year: 1900 },
    { id: "short", text: "A dog.", year: 1901 },
  ];
  const dataset = datasetOf({ name: "pets", documents, origin: "test", licence: "none" });
  const {
    totals,
    summary,
    documents: rows,
    topWords,
    topPhrases,
  } = await inspectDataset(dataset, tokenizer, { top: 3 });
  const [long, short] = documents.map(({ text }) => tokenizer.encode(text).length);
  assert.equal(totals.documents, 2);
  assert.equal(totals.characters, 48);
  assert.equal(totals.bytes, 49);
  assert.equal(totals.tokens, (long ?? 0) + (short ?? 0));
  assert.equal(totals.longestDocument, "long");
  assert.equal(totals.shortestTokens, short);
  assert.equal(totals.longestTokens, long);
  assert.ok(totals.vocabularyUsed > 5 && totals.vocabularyUsed <= totals.tokens);
  assert.equal(summary.numRows(), Object.keys(totals).length);
  assert.deepEqual(rows.columnNames(), ["id", "year", "characters", "bytes", "tokens", "bytesPerToken"]);
  assert.deepEqual(topWords.objects(), [
    { word: "the", count: 4, share: 4 / 12 },
    { word: "cat", count: 3, share: 3 / 12 },
    { word: "saw", count: 2, share: 2 / 12 },
  ]);
  assert.deepEqual(
    topPhrases.array("words"),
    ["cat saw the", "the cat saw", "a dog"].slice(0, 2).concat("cat the cat"),
  );
});

test("inspectDataset() gives arquero tables whose verbs can be chained", async () => {
  const dataset = await loadDataset("sotu", { maxDocuments: 12 });
  const { totals, documents } = await inspectDataset(dataset, tokenizer);
  const byParty = documents
    .groupby("party")
    .rollup({ tokens: op.sum("tokens") })
    .orderby(desc("tokens"));
  const sum = (byParty.array("tokens") as number[]).reduce((a, b) => a + b, 0);
  assert.equal(sum, totals.tokens);
  assert.ok(totals.bytesPerToken > 3 && totals.bytesPerToken < 4);
});

test("inspectDataset() takes a dataset without documents", async () => {
  const dataset = datasetOf({ name: "none", documents: [], origin: "test", licence: "none" });
  const { totals, topWords } = await inspectDataset(dataset, tokenizer);
  assert.equal(totals.tokens, 0);
  assert.equal(totals.bytesPerToken, 0);
  assert.equal(topWords.numRows(), 0);
});

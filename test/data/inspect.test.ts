import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { desc, op } from "arquero";
import { commonPhrases } from "../../src/data/counts.js";
import { datasetOf, loadDataset } from "../../src/data/dataset.js";
import { inspectDataset } from "../../src/data/inspect.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { wordsOf } from "../../src/data/words.js";
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
  assert.deepEqual(rows.columnNames(), ["id", "year", "characters", "bytes", "tokens", "bytesPerToken", "language"]);
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

test("inspectDataset() tells languages, scripts, lengths, repeats, damage and personal data", async () => {
  const speech = (await loadDataset("sotu", { maxDocuments: 1 })).documents[0]?.text ?? "";
  const documents = [
    { id: "speech", text: speech },
    { id: "copy", text: speech },
    { id: "french", text: "Longtemps, je me suis couché de bonne heure, et mes yeux se fermaient si vite." },
    { id: "damaged", text: "caf\uFFFD for ada@example.org" },
  ];
  const dataset = datasetOf({ name: "mixed", documents, origin: "test", licence: "none" });
  const found = await inspectDataset(dataset, tokenizer, { blockSize: 64, samples: 2 });
  assert.deepEqual(found.languages.objects()[0], { language: "eng", documents: 2, share: 0.5 });
  assert.equal(found.scripts.get("script", 0), "Latin");
  const inTokens = found.lengths.filter((row: { unit: string }) => row.unit === "tokens");
  assert.equal(
    (inTokens.array("documents") as number[]).reduce((a, b) => a + b, 0),
    4,
  );
  assert.deepEqual(found.duplicates.objects(), [{ first: "speech", second: "copy", similarity: 1, kind: "exact" }]);
  assert.deepEqual(found.damage.objects(), [
    { id: "damaged", replacements: 1, mojibake: 0, controls: 0, loneSurrogates: 0 },
  ]);
  assert.deepEqual(found.personalData.objects(), [{ kind: "e-mail", finds: 1, documents: 1, example: "ad… (15)" }]);
  assert.deepEqual(found.samples.array("id"), ["speech", "damaged"]);
  assert.equal(found.source.get("value", 0), "mixed");
  assert.equal(found.packingReport.longDocuments, 2);
  assert.equal(
    (found.topTokens.array("count") as number[])[0],
    Math.max(...(found.topTokens.array("count") as number[])),
  );
});

test("commonPhrases() counts runs of three words inside a text, ties in order of the alphabet", () => {
  const texts = ["so it goes so it goes", "it goes", "and so it goes", ""].map(wordsOf);
  assert.deepEqual(commonPhrases(texts, 3), [
    ["so it goes", 3],
    ["and so it", 1],
    ["goes so it", 1],
  ]);
  assert.deepEqual(commonPhrases([], 3), []);
});

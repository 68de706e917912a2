import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { pretrainingDocuments } from "../../datasets/gutenberg.js";
import { loadDataset } from "../../src/data/dataset.js";
import { packageRoot } from "../../src/paths.js";

const { documents, sha256 } = pretrainingDocuments();

test("pretrainingDocuments() reads 18 books into documents of 2 to 12 thousand characters", () => {
  assert.equal(new Set(documents.map(({ title }) => title)).size, 18);
  assert.equal(new Set(documents.map(({ id }) => id)).size, documents.length);
  for (const { id, text } of documents)
    assert.ok(text.length >= 2_000 && text.length < 12_500, `${id}: ${text.length}`);
});

test("pretrainingDocuments() leaves out titles, notes on the edition and verse numbers", () => {
  for (const { id, text, form } of documents) {
    assert.doesNotMatch(text, /project gutenberg|small print!|\r/i, id);
    assert.doesNotMatch(text, /^\[.*by .*\]/, id);
    if (form === "scripture") assert.doesNotMatch(text, /\d+:\d+/, id);
  }
});

test("pretrainingDocuments() joins wrapped prose and keeps lines of verse", () => {
  const start = (prefix: string) => documents.find(({ id }) => id.startsWith(prefix))?.text ?? "";
  assert.match(start("austen-emma"), /with a comfortable home and happy disposition, seemed to unite/);
  assert.match(start("milton-paradise"), /Of Man's first disobedience, and the fruit\nOf that forbidden tree/);
  assert.match(start("bible-kjv"), /created the heaven and the earth\. And the earth was without form/);
});

test("pretrainingDocuments() shares no text with the State of the Union addresses", async () => {
  const books = documents.map(({ text }) => text).join("\n");
  for (const { id, text } of (await loadDataset("sotu")).documents) {
    const middle = Math.floor(text.length / 2);
    assert.ok(!books.includes(text.slice(middle, middle + 80)), id);
  }
});

test("datasets/README.md states the hash that pretrainingDocuments() finds", async () => {
  assert.ok((await readFile(join(packageRoot(), "datasets", "README.md"), "utf8")).includes(sha256));
});

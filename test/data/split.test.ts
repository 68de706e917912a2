import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dataset, datasetOf } from "../../src/data/dataset.js";
import { splitDataset } from "../../src/data/split.js";

const tenths = { validationFraction: 0.1, testFraction: 0.1, seed: 42 };

function texts(count: number, words = 50): Dataset {
  const documents = Array.from({ length: count }, (_, i) => ({
    id: `d${i}`,
    text: Array.from({ length: words }, (_, j) => `word${i}.${j}`).join(j(i)),
    year: 1900 + i,
  }));
  return datasetOf({ name: "texts", documents, origin: "test", licence: "none" });
}
const j = (i: number) => (i % 2 === 0 ? " " : "\n");

test("splitDataset() deals every document to exactly one part", () => {
  const whole = texts(100);
  const { train, validation, test, by } = splitDataset(whole, tenths);
  assert.equal(by, "document");
  assert.deepEqual(
    [train, validation, test].map(({ documents }) => documents.length),
    [80, 10, 10],
  );
  const all = [train, validation, test].flatMap(({ documents }) => documents);
  assert.deepEqual(new Set(all), new Set(whole.documents));
  assert.equal(all.length, 100);
});

test("splitDataset() keeps the order and the meta data of the documents", () => {
  const { train } = splitDataset(texts(100), tenths);
  const years = train.documents.map(({ year }) => Number(year));
  assert.deepEqual(
    years,
    [...years].sort((a, b) => a - b),
  );
});

test("splitDataset() is the same for the same seed, and its hash tells every difference", () => {
  const whole = texts(100);
  const split = splitDataset(whole, tenths);
  assert.deepEqual(splitDataset(whole, tenths), split);
  const hashes = [
    split.hash,
    splitDataset(whole, { ...tenths, seed: 43 }).hash,
    splitDataset(whole, { ...tenths, testFraction: 0.2 }).hash,
    splitDataset(whole, { ...tenths, validationFraction: 0.2 }).hash,
    splitDataset(texts(101), tenths).hash,
    splitDataset(texts(100, 51), tenths).hash,
  ];
  assert.equal(new Set(hashes).size, hashes.length);
  assert.notDeepEqual(splitDataset(whole, { ...tenths, seed: 43 }).validation, split.validation);
});

test("splitDataset() always leaves documents to train on", () => {
  for (let count = 1; count <= 40; count++) {
    for (const [validationFraction, testFraction] of [
      [0.5, 0.49],
      [0.34, 0.5],
      [0.9, 0.05],
      [0.3, 0],
      [0, 0.3],
      [0, 0],
    ] as const) {
      const { train, validation, test } = splitDataset(texts(count), { validationFraction, testFraction, seed: 1 });
      assert.ok(train.documents.length > 0);
      assert.equal(validation.documents.length > 0, validationFraction > 0);
      assert.equal(test.documents.length > 0, testFraction > 0);
    }
  }
});

test("splitDataset() cuts a single document by position, at white space, losing nothing", () => {
  const whole = texts(1, 1000);
  const { train, validation, test, by } = splitDataset(whole, tenths);
  assert.equal(by, "position");
  const parts = [train, validation, test].map(({ documents }) => documents[0]?.text ?? "");
  const text = whole.documents[0]?.text ?? "";
  assert.equal(parts.join(""), text);
  for (const part of parts.slice(0, 2)) assert.match(part, /\s$/);
  assert.ok(Math.abs((parts[0]?.length ?? 0) / text.length - 0.8) < 0.05);
  assert.deepEqual(
    [train, validation, test].map(({ documents }) => documents[0]?.id),
    ["d0#train", "d0#validation", "d0#test"],
  );
});

test("splitDataset() prefers the end of a paragraph near the place", () => {
  const text = `${"a ".repeat(395)}\n\n${"b ".repeat(100)}`;
  const whole = datasetOf({ name: "", documents: [{ id: "d", text }], origin: "", licence: "" });
  const { train, validation } = splitDataset(whole, { validationFraction: 0.2, testFraction: 0, seed: 1 });
  assert.match(train.documents[0]?.text ?? "", /a \n\n$/);
  assert.match(validation.documents[0]?.text ?? "", /^b /);
});

test("splitDataset() never cuts a character in two", () => {
  for (let length = 40; length < 60; length++) {
    const documents = [{ id: "d", text: "😀".repeat(length) }];
    const { train, validation } = splitDataset(datasetOf({ name: "", documents, origin: "", licence: "" }), {
      validationFraction: 0.33,
      testFraction: 0,
      seed: 1,
    });
    for (const part of [train, validation]) assert.match(part.documents[0]?.text ?? "", /^(😀)+$/u);
  }
});

test("splitDataset() refuses a text too short to cut", () => {
  const documents = [{ id: "d", text: "Hi" }];
  assert.throws(() => splitDataset(datasetOf({ name: "", documents, origin: "", licence: "" }), tenths), {
    name: "RangeError",
    message:
      'Cannot cut a validation part from document "d": 2 characters, too few or without a space to cut at, expected text long enough for every part. Fix: give more text, or set testFraction: 0.',
  });
});

test("splitDataset() refuses fractions out of range", () => {
  const whole = texts(20);
  for (const value of [-0.1, 1, Number.NaN]) {
    for (const name of ["validationFraction", "testFraction"] as const) {
      assert.throws(() => splitDataset(whole, { ...tenths, [name]: value }), {
        name: "RangeError",
        message: `Cannot split the dataset: ${name} ${value}, expected a number from 0 to below 1. Fix: set ${name}: 0.1.`,
      });
    }
  }
  assert.throws(() => splitDataset(whole, { validationFraction: 0.5, testFraction: 0.5, seed: 1 }), {
    name: "RangeError",
    message:
      "Cannot split the dataset: validationFraction 0.5 and testFraction 0.5, together 1, expected a sum below 1, so that text is left to train on. Fix: set validationFraction: 0.1 and testFraction: 0.1.",
  });
});

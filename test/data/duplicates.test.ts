import assert from "node:assert/strict";
import { test } from "node:test";
import { loadDataset } from "../../src/data/dataset.js";
import { findDuplicates, findOverlaps } from "../../src/data/duplicates.js";
import { seededRandom } from "../../src/data/random.js";
import { hashRuns, wordsOf } from "../../src/data/words.js";

const { documents } = await loadDataset("sotu", { maxDocuments: 40 });

test("wordsOf() keeps apostrophes, takes marks along and cuts scripts without spaces by character", () => {
  assert.deepEqual(wordsOf("Don't PANIC, 世界! पानी 42"), ["don't", "panic", "世", "界", "पानी", "42"]);
  assert.deepEqual(wordsOf("… —"), []);
});

test("hashRuns() gives one integer a run, the same for the same words only", () => {
  const runs = hashRuns(["a", "b", "c", "a", "b", "c"], 3);
  assert.equal(runs.length, 4);
  assert.equal(runs[0], runs[3]);
  assert.equal(new Set(runs).size, 3);
  assert.ok(runs.every((run) => Number.isSafeInteger(run) && run >= 0));
  assert.equal(hashRuns(["a", "b"], 13).length, 1);
  assert.equal(hashRuns([], 13).length, 0);
});

test("hashRuns() has no more collisions than chance over all runs of forty addresses", () => {
  const texts = new Set<string>();
  const hashes = new Set<number>();
  for (const { text } of documents) {
    const words = wordsOf(text);
    for (let i = 0; i + 13 <= words.length; i++) texts.add(words.slice(i, i + 13).join(" "));
    if (words.length >= 13) for (const hash of hashRuns(words, 13)) hashes.add(hash);
  }
  assert.equal(hashes.size, texts.size);
});

test("findDuplicates() groups equal texts and finds nearly equal ones, and nothing else", () => {
  const first = documents[0]?.text ?? "";
  const words = first.split(" ");
  const edited = words.map((word, i) => (i % 100 === 50 ? "edited" : word)).join(" ");
  const copies = [
    { id: "copy-1", text: `${first}\n` },
    { id: "copy-2", text: first },
    { id: "edited", text: edited },
  ];
  const { exact, near } = findDuplicates([...documents, ...copies]);
  assert.deepEqual(exact, [[documents[0]?.id, "copy-1", "copy-2"]]);
  assert.deepEqual(
    near.map(({ first, second }) => [first, second]),
    [[documents[0]?.id, "edited"]],
  );
});

test("findDuplicates() estimates similarity as counting all runs gives it", () => {
  const random = seededRandom(7);
  const words = Array.from({ length: 600 }, () => `w${random.integer(1e6)}`);
  for (const changed of [5, 10, 20]) {
    const other = words.map((word, i) => (i % Math.floor(600 / changed) === 3 ? "x" : word));
    const runsOf = (list: readonly string[]) => new Set(hashRuns(list, 5));
    const [a, b] = [runsOf(words), runsOf(other)];
    const shared = [...a].filter((run) => b.has(run)).length;
    const exact = shared / (a.size + b.size - shared);
    const pair = [words, other].map((list, i) => ({ id: String(i), text: list.join(" ") }));
    const [found] = findDuplicates(pair, { threshold: 0.5 }).near;
    assert.ok(Math.abs((found?.similarity ?? 0) - exact) < 0.13, `${found?.similarity} for ${exact}`);
  }
});

test("findDuplicates() of a thousand copies of a near duplicate stays small", () => {
  const base = documents[1]?.text.slice(0, 5000) ?? "";
  const many = Array.from({ length: 1000 }, (_, i) => ({ id: String(i), text: `${base} number ${i}` }));
  const { near } = findDuplicates(many);
  assert.ok(near.length >= 999 && near.length < 100_000, String(near.length));
});

test("findDuplicates() takes no documents, and documents without words", () => {
  assert.deepEqual(findDuplicates([]), { exact: [], near: [] });
  assert.deepEqual(
    findDuplicates([
      { id: "a", text: "…" },
      { id: "b", text: "—" },
    ]),
    { exact: [], near: [] },
  );
});

test("findOverlaps() names held-out texts that stand in the training text, with the share", () => {
  const [a, b, c] = documents as [(typeof documents)[0], (typeof documents)[0], (typeof documents)[0]];
  const half = a.text.slice(0, a.text.length / 2);
  const overlaps = findOverlaps(
    [b, c],
    [
      { id: "inside", text: b.text.slice(1000, 5000) },
      { id: "half", text: `${half} ${c.text.slice(0, half.length)}` },
      { id: "fresh", text: a.text },
    ],
  );
  assert.deepEqual(
    overlaps.slice(0, 2).map(({ id }) => id),
    ["inside", "half"],
  );
  assert.ok((overlaps[0]?.share ?? 0) > 0.98);
  assert.ok(Math.abs((overlaps[1]?.share ?? 0) - 0.5) < 0.1);
  assert.ok((overlaps[2]?.share ?? 0) < 0.05);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { longestOverlap } from "../../src/generate/memorisation.js";

/** Every run of the text in every known text: slow, and plainly right. */
function byTrying(text: string, training: readonly string[]): number {
  for (let length = text.length; length > 0; length--) {
    for (let start = 0; start + length <= text.length; start++) {
      if (training.some((known) => known.includes(text.slice(start, start + length)))) return length;
    }
  }
  return 0;
}

test("longestOverlap() finds the longest run that any training text shares, and where", () => {
  const training = ["a government of the people", "by the people, for the people"];
  assert.deepEqual(longestOverlap("It is for the people!", training), {
    text: " for the people",
    length: 15,
    share: 15 / 21,
    start: 5,
    document: 1,
    documentStart: 14,
  });
  assert.deepEqual(longestOverlap("xyz", ["abc"]), {
    text: "",
    length: 0,
    share: 0,
    start: 0,
    document: -1,
    documentStart: -1,
  });
  assert.equal(longestOverlap("", ["abc"]).length, 0);
  assert.equal(longestOverlap("abc", []).document, -1);
});

test("longestOverlap() agrees with trying every run, on 300 random texts", () => {
  const random = seededRandom(5);
  const word = (length: number, letters: number) =>
    Array.from({ length }, () => String.fromCharCode(97 + random.integer(letters))).join("");
  for (let round = 0; round < 300; round++) {
    const letters = 1 + random.integer(4);
    const text = word(random.integer(30), letters);
    const training = [word(random.integer(60), letters), word(random.integer(60), letters)];
    const found = longestOverlap(text, training);
    assert.equal(found.length, byTrying(text, training), JSON.stringify({ text, training }));
    assert.equal(text.slice(found.start, found.start + found.length), found.text);
    if (found.length > 0) assert.ok(training[found.document]?.startsWith(found.text, found.documentStart));
  }
});

test("longestOverlap() reads 10 MB for a planted run", () => {
  const random = seededRandom(6);
  const words = Array.from({ length: 2000 }, () => random.integer(1e9).toString(36));
  const known = Array.from({ length: 1_600_000 }, () => words[random.integer(2000)]).join(" ");
  assert.ok(known.length > 10e6);
  const planted = known.slice(7_000_000, 7_000_300);
  const found = longestOverlap(`@@@ ${planted} @@@`, [known]);
  assert.ok(found.length >= 300 && found.text.includes(planted));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { datasetOf } from "../../src/data/dataset.js";
import { type Random, seededRandom } from "../../src/data/random.js";
import { findLearningRate } from "../../src/range-test.js";
import { hasBroken, rangeRate, suggestLearningRate } from "../../src/train/range-test.js";

const sweep = { low: 1e-6, high: 1, steps: 61 };
// A loss that falls most at 1e-3, is lowest at 1e-2 and then breaks away.
const points = Array.from({ length: 61 }, (_, step) => {
  const learningRate = rangeRate(sweep, step);
  const power = Math.log10(learningRate);
  const loss = 5 - 2 / (1 + Math.exp(-4 * (power + 3))) + (power > -2 ? 8 * (power + 2) ** 2 : 0);
  return { learningRate, loss };
});

test("rangeRate() rises by equal factors between its ends", () => {
  assert.equal(rangeRate(sweep, 0), 1e-6);
  assert.ok(Math.abs(rangeRate(sweep, 30) - 1e-3) < 1e-12);
  assert.ok(Math.abs(rangeRate(sweep, 60) - 1) < 1e-12);
});

test("suggestLearningRate() names a tenth of the rate with the lowest smoothed loss", () => {
  const suggestion = suggestLearningRate(points);
  assert.ok(suggestion, "there is a fall to see");
  // The smoothing lags by a few steps of a tenth of a power of ten each.
  assert.ok(suggestion.limit >= 1e-2 && suggestion.limit < 3e-2, `${suggestion.limit}`);
  assert.equal(suggestion.learningRate, Number((suggestion.limit / 10).toPrecision(2)));
  assert.match(suggestion.reason, /^the smoothed loss is lowest at .*, beyond which it breaks away; a tenth of that /);
});

test("suggestLearningRate() stays within 0.4 powers of ten when every batch has noise of an eighth of the fall", () => {
  const clean = Math.log10(suggestLearningRate(points)?.learningRate ?? Number.NaN);
  for (let seed = 0; seed < 40; seed++) {
    const random = seededRandom(seed);
    const noisy = points.map((point) => ({ ...point, loss: point.loss + 0.25 * gaussian(random) }));
    const found = Math.log10(suggestLearningRate(noisy)?.learningRate ?? Number.NaN);
    assert.ok(Math.abs(found - clean) < 0.4, `seed ${seed}: 10^${found} instead of 10^${clean}`);
  }
});

test("suggestLearningRate() seldom takes noise for a fall", () => {
  const falls = Array.from({ length: 40 }, (_, seed) => {
    const random = seededRandom(seed);
    return suggestLearningRate(points.map((point) => ({ ...point, loss: 5 + 0.3 * gaussian(random) })));
  }).filter((suggestion) => suggestion !== undefined);
  assert.ok(falls.length <= 8, `${falls.length} of 40`);
});

test("suggestLearningRate() suggests nothing where the loss never fell, or there is too little to see", () => {
  assert.equal(suggestLearningRate(points.map((point, i) => ({ ...point, loss: 5 + i }))), undefined);
  assert.equal(suggestLearningRate(points.slice(0, 7)), undefined);
});

test("hasBroken() ends the test when the loss is far above its lowest, or not finite", () => {
  assert.equal(hasBroken(points.slice(0, 40)), false);
  assert.equal(hasBroken(points), true);
  assert.equal(hasBroken([{ learningRate: 1, loss: Number.NaN }]), true);
});

test("findLearningRate() finds a rate for the base model at which it learns, and draws the test", async () => {
  const documents = Array.from({ length: 12 }, (_, i) => ({
    id: `d${i}`,
    text: `The committee of the year ${1800 + i} reports upon the ${i * 31} matters before it. `.repeat(9),
  }));
  const dataset = datasetOf({ name: "reports", documents, origin: "this test", licence: "CC0" });
  const settings = { blockSize: 32, batchSize: 2, gradientAccumulation: 2, dataGate: "warn" } as const;
  const seen: number[] = [];
  const options = { dataset, steps: 40, low: 1e-5, high: 1, onPoint: () => seen.push(1) };
  const { points, suggestion, figure } = await findLearningRate({ ...settings, earlyStoppingPatience: 0 }, options);
  assert.equal(seen.length, points.length);
  assert.ok(
    suggestion && suggestion.learningRate > 1e-5 && suggestion.learningRate < 0.1,
    `${suggestion?.learningRate}`,
  );
  assert.match(figure.description, /Suggested rate .*: the smoothed loss is lowest at/);
  await assert.rejects(findLearningRate(settings, { dataset, steps: 3 }), {
    name: "RangeError",
    message:
      "Cannot test learning rates: low 1e-7, high 1, steps 3, expected 0 < low < high and at least 8 steps. Fix: leave them out for 1e-7, 1 and 100.",
  });
});

// Box & Muller 1958.
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.uniform())) * Math.cos(2 * Math.PI * random.uniform());
}

/** Choosing tokens: exact odds against ones worked out here, 20,000 draws against the odds, ties, and every refusal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import {
  checkSamplingOptions,
  type SamplingOptions,
  sampleToken,
  tokenProbabilities,
} from "../../src/generate/sampler.js";

const LOGITS = Float32Array.of(1, 3, -2, 2.5, 0, 3, -Infinity, 1.5);

/** Probability of every token, straight from the definitions: every subset in turn, no shared code with the sampler. */
function exact(logits: Float32Array, { temperature = 1, topK = 0, topP = 1 }: SamplingOptions): number[] {
  const weights = [...logits].map((logit) => Math.exp(logit / temperature));
  const normal = (odds: number[]): number[] => odds.map((odd) => odd / odds.reduce((sum, other) => sum + other, 0));
  const rank = (odds: number[], id: number): number =>
    odds.filter((odd, other) => odd > (odds[id] ?? 0) || (odd === odds[id] && other < id)).length;
  const kth = [...weights].sort((a, b) => b - a)[topK - 1] ?? 0;
  const top = normal(weights.map((weight) => (topK === 0 || weight >= kth ? weight : 0)));
  const before = (id: number): number =>
    top.filter((_, other) => rank(top, other) < rank(top, id)).reduce((sum, odd) => sum + odd, 0);
  return normal(top.map((odd, id) => (topP === 1 || before(id) < topP ? odd : 0)));
}

const cases: SamplingOptions[] = [
  {},
  { temperature: 0.5 },
  { temperature: 2 },
  { topK: 3 },
  { topK: 100 },
  { topP: 0.6 },
  { topP: 1e-9 },
  { temperature: 1.5, topK: 4, topP: 0.8 },
];

for (const options of cases) {
  test(`tokenProbabilities() are the exact odds for ${JSON.stringify(options)}`, () => {
    const { ids, probabilities } = tokenProbabilities(LOGITS, options);
    const actual = Array.from(LOGITS, () => 0);
    ids.forEach((id, i) => {
      actual[id] = probabilities[i] ?? 0;
    });
    for (const [id, probability] of exact(LOGITS, options).entries()) {
      assert.ok(Math.abs((actual[id] ?? 0) - probability) < 1e-12, `token ${id}: ${actual[id]} for ${probability}`);
    }
  });

  test(`sampleToken() draws 20,000 times as the odds say for ${JSON.stringify(options)}`, () => {
    const random = seededRandom(7);
    const draws = 20_000;
    const counts = Array.from(LOGITS, () => 0);
    for (let i = 0; i < draws; i++) {
      const token = sampleToken(LOGITS, options, random.uniform);
      counts[token] = (counts[token] ?? 0) + 1;
    }
    let chiSquare = 0;
    for (const [id, probability] of exact(LOGITS, options).entries()) {
      const count = counts[id] ?? 0;
      if (probability === 0) assert.equal(count, 0, `token ${id} must never come`);
      else chiSquare += (count - draws * probability) ** 2 / (draws * probability);
    }
    // 24.3 is exceeded by chance once in 1,000 with 7 degrees of freedom, less often with fewer.
    assert.ok(chiSquare < 24.3, `chi-square ${chiSquare}`);
  });
}

test("sampleToken() takes the likeliest token at temperature 0, the lowest id of equals, without a random number", () => {
  const never = (): number => assert.fail("no random number is needed");
  assert.equal(sampleToken(LOGITS, { temperature: 0 }, never), 1);
  assert.equal(sampleToken(LOGITS, { temperature: 0, topK: 5, topP: 0.1 }, never), 1);
});

test("tokenProbabilities() keeps every token as likely as the k-th, and of equals the lowest id in the nucleus", () => {
  const equal = Float32Array.of(1, 2, 2, 2, 0);
  assert.deepEqual([...tokenProbabilities(equal, { topK: 2 }).ids], [1, 2, 3]);
  assert.deepEqual([...tokenProbabilities(equal, { topP: 0.3 }).ids], [1, 2]);
});

test("sampleToken() is not thrown by a temperature near 0, or by a random number next to 1", () => {
  assert.equal(
    sampleToken(Float32Array.of(1, 2), { temperature: 1e-300 }, () => 0.5),
    1,
  );
  assert.equal(
    sampleToken(LOGITS, {}, () => 1 - 2 ** -53),
    7,
  );
  assert.equal(
    sampleToken(LOGITS, {}, () => 0),
    0,
  );
});

const refused: [options: SamplingOptions, message: RegExp][] = [
  [{ temperature: -1 }, /^Cannot use temperature: -1, expected a number of 0 or more\. Fix: set temperature: 0\.8/],
  [{ temperature: Number.NaN }, /use temperature: NaN/],
  [{ temperature: Infinity }, /use temperature: Infinity/],
  [{ topK: -1 }, /^Cannot use topK: -1, expected an integer of 0 or more\. Fix: set topK: 40, or 0 for all\.$/],
  [{ topK: 2.5 }, /use topK: 2\.5/],
  [{ topP: 0 }, /^Cannot use topP: 0, expected a number above 0 and at most 1\. Fix: set topP: 0\.95, or 1 for all\.$/],
  [{ topP: 1.1 }, /use topP: 1\.1/],
];

for (const [options, message] of refused) {
  test(`checkSamplingOptions() refuses ${Object.entries(options).join().replace(",", " ")}`, () => {
    assert.throws(() => checkSamplingOptions(options), { name: "RangeError", message });
    assert.throws(() => sampleToken(LOGITS, options, Math.random), { name: "RangeError", message });
  });
}

test("sampleToken() refuses logits that are not numbers", () => {
  const refuse = (logits: number[], message: RegExp): void => {
    for (const temperature of [0, 1]) {
      const sample = (): number => sampleToken(Float32Array.from(logits), { temperature }, () => 0.5);
      assert.throws(sample, { name: "RangeError", message });
    }
  };
  refuse(
    [1, Number.NaN],
    /^Cannot choose the next token: logit NaN for token 1, expected finite logits\. Fix: load the model/,
  );
  refuse([Infinity, 1], /logit Infinity for token 0/);
  refuse([-Infinity, -Infinity], /-Infinity for every token/);
  refuse([], /no logits/);
});

test("tokenProbabilities() takes OpenAI's penalties from the logits of what was written after the prompt", () => {
  const logits = Float32Array.of(2, 2, 2, 2, -Infinity);
  // Prompt 0, 1; then 1 once and 2 three times; 4 must not come.
  const tokens = [0, 1, 1, 2, 2, 2, 4];
  const { ids, probabilities } = tokenProbabilities(
    logits,
    { frequencyPenalty: 0.5, presencePenalty: 0.25 },
    tokens,
    2,
  );
  const odds = [0, 0.75, 1.75, 0].map((penalty) => Math.exp(-penalty));
  const sum = odds.reduce((total, odd) => total + odd, 0);
  assert.deepEqual([...ids].slice(0, 4), [0, 1, 2, 3]);
  odds.forEach((odd, id) => {
    assert.ok(Math.abs((probabilities[id] ?? 0) - odd / sum) < 1e-12, `token ${id}`);
  });
  assert.equal(probabilities[4] ?? 0, 0);
  assert.equal(logits[1], 2, "the logits are not changed");
  const invited = tokenProbabilities(logits, { frequencyPenalty: -1 }, [3], 0);
  assert.ok((invited.probabilities[3] ?? 0) > (invited.probabilities[0] ?? 1));
  assert.throws(() => tokenProbabilities(logits, { presencePenalty: Number.NaN }), {
    name: "RangeError",
    message: "Cannot use presencePenalty: NaN, expected a number. Fix: set presencePenalty: 0.5, or 0 for none.",
  });
});

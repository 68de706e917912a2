/** The sampler against transformers' logits processors on fixed logits (test/fixtures/generation/processors.py). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { type SamplingOptions, sampleToken, tokenProbabilities } from "../../src/generate/sampler.js";
import { packageRoot } from "../../src/paths.js";

interface Fixture {
  readonly logits: number[][];
  readonly tokens: number[][];
  readonly cases: { readonly options: SamplingOptions; readonly probabilities: Record<string, number>[] }[];
}
const path = join(packageRoot(), "test/fixtures/generation/processors.json");
const fixture: Fixture = JSON.parse(readFileSync(path, "utf8"));

for (const { options, probabilities } of fixture.cases) {
  test(`tokenProbabilities() gives transformers' odds for ${JSON.stringify(options)}`, () => {
    fixture.logits.forEach((row, i) => {
      const actual = tokenProbabilities(Float32Array.from(row), options, fixture.tokens[i]);
      const expected = probabilities[i] ?? {};
      const ids = [...actual.ids].filter((_, at) => (actual.probabilities[at] ?? 0) > 0);
      assert.deepEqual(ids.sort((a, b) => a - b).map(String), Object.keys(expected), `the tokens left in row ${i}`);
      actual.ids.forEach((id, at) => {
        const difference = (actual.probabilities[at] ?? 0) - (expected[id] ?? 0);
        assert.ok(Math.abs(difference) < 1e-5, `row ${i}, token ${id}: off by ${difference}`);
      });
    });
  });
}

test("sampleToken() with everything on draws 20,000 times as transformers' odds say", () => {
  const { options, probabilities } = fixture.cases.at(-1) as Fixture["cases"][number];
  const logits = Float32Array.from(fixture.logits[0] as number[]);
  const expected = Object.entries(probabilities[0] ?? {});
  const random = seededRandom(11);
  const counts = new Map<number, number>();
  for (let i = 0; i < 20_000; i++) {
    const id = sampleToken(logits, options, random.uniform, fixture.tokens[0]);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  assert.equal(expected.length, 14, "so that the limit below is the right one");
  const chiSquare = expected.reduce((sum, [id, probability]) => {
    const mean = 20_000 * probability;
    return sum + ((counts.get(Number(id)) ?? 0) - mean) ** 2 / mean;
  }, 0);
  // Exceeded by chance once in 1,000 with 13 degrees of freedom.
  assert.ok(chiSquare < 34.5, `chi-square ${chiSquare}`);
  assert.deepEqual(
    [...counts.keys()].sort((a, b) => a - b).map(String),
    expected.map(([id]) => id),
  );
});

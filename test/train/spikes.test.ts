import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../src/data/random.js";
import { nextLoss, noLosses, spikeZScore } from "../../src/train/spikes.js";

// A loss that falls from 6 to 3 with noise of a tenth of a nat, which is what training looks like.
function losses(count: number): number[] {
  const random = seededRandom(3);
  return Array.from({ length: count }, (_, i) => 3 + 3 * Math.exp(-i / 100) + 0.2 * (random.uniform() - 0.5));
}

function spikesIn(values: readonly number[]): number[] {
  let statistics = noLosses;
  return values.flatMap((loss, i) => {
    const next = nextLoss(statistics, loss);
    statistics = next.statistics;
    return next.zScore === undefined ? [] : [i];
  });
}

test("nextLoss() finds nothing in a loss that falls with noise, and the one that stands out", () => {
  const calm = losses(400);
  assert.deepEqual(spikesIn(calm), []);
  assert.deepEqual(spikesIn(calm.with(200, 6)), [200]);
  assert.deepEqual(spikesIn(calm.with(5, 60)), [], "too early to judge");
});

test("nextLoss() does not take the last digits of a loss that stands still for a spike", () => {
  assert.deepEqual(spikesIn([...new Array<number>(50).fill(2), 2.05]), []);
  assert.deepEqual(spikesIn([...new Array<number>(50).fill(2), 2.11]), [50]);
});

test("nextLoss() tells how far a spike stands above the mean", () => {
  let statistics = noLosses;
  for (let i = 0; i < 40; i++) statistics = nextLoss(statistics, 2 + (i % 2)).statistics;
  const deviation = Math.sqrt(statistics.variance);
  assert.ok(Math.abs(deviation - 0.5) < 0.05, `${deviation}`);
  const loss = statistics.mean + 2 * spikeZScore * deviation;
  assert.ok(Math.abs((nextLoss(statistics, loss).zScore ?? 0) - 2 * spikeZScore) < 1e-9);
});

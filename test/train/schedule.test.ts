import assert from "node:assert/strict";
import { test } from "node:test";
import { learningRateAt } from "../../src/train/schedule.js";

const schedule = { learningRate: 1e-3, warmupSteps: 10, totalSteps: 110 };

test("learningRateAt() rises in a straight line, then falls to 0 by its name", () => {
  for (const name of ["linear", "cosine", "constant"] as const) {
    assert.equal(learningRateAt({ ...schedule, name }, 0), 0);
    assert.equal(learningRateAt({ ...schedule, name }, 5), 5e-4);
    assert.equal(learningRateAt({ ...schedule, name }, 10), 1e-3);
  }
  assert.equal(learningRateAt({ ...schedule, name: "linear" }, 35), 7.5e-4);
  assert.ok(Math.abs(learningRateAt({ ...schedule, name: "cosine" }, 35) - 1e-3 * Math.cos(Math.PI / 8) ** 2) < 1e-12);
  assert.equal(learningRateAt({ ...schedule, name: "constant" }, 109), 1e-3);
  assert.equal(learningRateAt({ ...schedule, name: "linear" }, 110), 0);
});

test("learningRateAt() by wsd stays at the top and falls over the last part as 1 − √q", () => {
  const wsd = { ...schedule, name: "wsd", decayFraction: 0.2 } as const; // the last 22 of 110 steps
  assert.deepEqual([learningRateAt(wsd, 5), learningRateAt(wsd, 10), learningRateAt(wsd, 88)], [5e-4, 1e-3, 1e-3]);
  assert.ok(Math.abs(learningRateAt(wsd, 88 + 5.5) - 5e-4) < 1e-12, "a quarter of the way: √¼ is over");
  assert.equal(learningRateAt(wsd, 110), 0);
  assert.equal(learningRateAt({ ...wsd, decayFraction: 1, warmupSteps: 0 }, 0), 1e-3);
});

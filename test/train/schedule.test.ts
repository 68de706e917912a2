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

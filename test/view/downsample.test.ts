import assert from "node:assert/strict";
import { test } from "node:test";
import { centredMean, downsample } from "../../src/view/downsample.js";

test("downsample() keeps ends and extremes, only own points, in order", () => {
  const x = Array.from({ length: 10_007 }, (_, i) => i);
  const y = x.map((i) => Math.sin(i / 300) + (i === 4321 ? 50 : 0) - (i === 8765 ? 50 : 0));
  const kept = downsample({ x, y }, 500);
  assert.ok(kept.x.length <= 500 && kept.x.length > 400, `${kept.x.length} points`);
  assert.equal(kept.x[0], 0);
  assert.equal(kept.x.at(-1), 10_006);
  assert.ok(kept.x.includes(4321) && kept.x.includes(8765));
  kept.x.forEach((position, i) => {
    assert.equal(kept.y[i], y[position]);
    assert.ok(i === 0 || position > (kept.x[i - 1] ?? Number.POSITIVE_INFINITY));
  });
});

test("downsample() returns a short curve as it is", () => {
  const curve = { x: [0, 1, 2], y: [5, 4, 3] };
  assert.equal(downsample(curve, 500), curve);
  assert.ok(downsample({ x: [0, 1, 2, 3, 4], y: [1, 1, 1, 1, 1] }, 4).x.length <= 4);
});

test("centredMean() does not lag: a straight line stays itself away from the ends", () => {
  const line = Array.from({ length: 50 }, (_, i) => 2 * i);
  assert.deepEqual(centredMean(line, 9).slice(4, -4), line.slice(4, -4));
  assert.deepEqual(centredMean([1, 2, 6], 3), [1.5, 3, 4]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, shuffledIndices } from "../../src/data/random.js";

const draw = (...seeds: number[]) => {
  const random = seededRandom(...seeds);
  return Array.from({ length: 8 }, () => random.integer(1_000_000));
};

test("seededRandom() repeats itself for equal seeds and differs for others", () => {
  assert.deepEqual(draw(42, 3), draw(42, 3));
  const streams = [[42], [43], [42, 0], [42, 1], [0, 42], [-42], [42 + 2 ** 32], [0], [0, 0]].map((seeds) =>
    draw(...seeds).join(),
  );
  assert.equal(new Set(streams).size, streams.length);
});

test("seededRandom() keeps its sequence from version to version, or resumed runs would change their order", () => {
  assert.deepEqual(draw(42, 0), [23918, 811913, 844522, 155666, 900038, 361117, 382089, 545600]);
});

test("uniform() and integer() spread evenly", () => {
  const random = seededRandom(7);
  const counts = new Array<number>(10).fill(0);
  let sum = 0;
  for (let i = 0; i < 100_000; i++) {
    const value = random.uniform();
    assert.ok(value >= 0 && value < 1);
    sum += value;
    const face = random.integer(10);
    counts[face] = (counts[face] ?? 0) + 1;
  }
  assert.ok(Math.abs(sum / 100_000 - 0.5) < 0.005, `mean ${sum / 100_000}`);
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `counts ${counts}`);
});

test("shuffledIndices() holds each index once and every order equally often", () => {
  assert.deepEqual(
    [...shuffledIndices(1000, seededRandom(1))].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  const random = seededRandom(2);
  const orders = new Map<string, number>();
  for (let i = 0; i < 6000; i++) {
    const order = shuffledIndices(3, random).join("");
    orders.set(order, (orders.get(order) ?? 0) + 1);
  }
  assert.equal(orders.size, 6);
  for (const [order, count] of orders) assert.ok(Math.abs(count - 1000) < 150, `${order}: ${count}`);
});

test("seededRandom() refuses a seed that is no integer", () => {
  assert.throws(() => seededRandom(0.5), {
    name: "RangeError",
    message: "Cannot use seed: 0.5, expected an integer. Fix: set seed: 42.",
  });
});

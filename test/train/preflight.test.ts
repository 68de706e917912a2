import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveConfig } from "../../src/config.js";
import { availableMemory, checkMemory, predictedMemory } from "../../src/train/preflight.js";

const distilgpt2 = {
  ...{ vocabularySize: 50257, positions: 1024, width: 768, layers: 6, heads: 12 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 50256 },
};
const config = resolveConfig({ batchSize: 8, gradientAccumulation: 1, blockSize: 512 });
const peak = (changes: object) => predictedMemory(distilgpt2, { ...config, ...changes }, "float32");

test("availableMemory() takes the smaller of what the machine has free and what the container's limit leaves", () => {
  const files = new Map([
    ["/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    8000000 kB\n"],
    ["/sys/fs/cgroup/memory.max", "5000000000\n"],
    ["/sys/fs/cgroup/memory.current", "1000000000\n"],
  ]);
  assert.equal(
    availableMemory((path) => files.get(path)),
    4e9,
  );
  files.set("/sys/fs/cgroup/memory.max", "max\n");
  assert.equal(
    availableMemory((path) => files.get(path)),
    8_192_000_000,
  );
  assert.ok(availableMemory() > 0, "this machine");
});

test("checkMemory() lets a run pass that fits and tells its predicted peak", () => {
  assert.equal(checkMemory(distilgpt2, config, "float32", 100e9), peak({}));
});

test("checkMemory() refuses with the smallest change that fits, and accepts its own advice", () => {
  const half = { batchSize: 4, gradientAccumulation: 2 };
  const limit = peak(half) + 1e6;
  assert.throws(() => checkMemory(distilgpt2, config, "float32", limit), {
    name: "RangeError",
    message: new RegExp(
      "^Cannot train with batchSize 8 and blockSize 512: a predicted peak of [\\d.]+ GB, expected at most [\\d.]+ GB, what this machine has free\\. " +
        "Fix: set batchSize: 4 and gradientAccumulation: 2, the same effective batch\\.$",
    ),
  });
  assert.doesNotThrow(() => checkMemory(distilgpt2, { ...config, ...half }, "float32", limit));
  const short = peak({ batchSize: 1, gradientAccumulation: 8, blockSize: 128 }) + 1e5;
  assert.throws(
    () => checkMemory(distilgpt2, config, "float32", short),
    /Fix: set batchSize: 1, gradientAccumulation: 8 and blockSize: 128\.$/,
  );
  assert.throws(
    () => checkMemory(distilgpt2, { ...config, memoryLimitGB: 0.1 }, "float32", 100e9),
    /expected at most 0\.10 GB, memoryLimitGB\. Fix: choose a smaller model, train adapters with loraRank: 8, or free memory\.$/,
  );
});

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { resolveConfig } from "../../src/config.js";
import { findTensorFlow } from "../../src/engine/find.js";
import { packageRoot } from "../../src/paths.js";
import type { PreflightEvent } from "../../src/train/events.js";
import { checkMemory, predictedMemory } from "../../src/train/preflight.js";
import { stepFlops } from "../../src/train/preflight-measure.js";

const distilgpt2 = {
  ...{ vocabularySize: 50257, positions: 1024, width: 768, layers: 6, heads: 12 },
  ...{ layerNormEpsilon: 1e-5, endOfTextId: 50256 },
};
const config = resolveConfig({ batchSize: 8, gradientAccumulation: 1, blockSize: 512 });
const peak = (changes: object) => predictedMemory(distilgpt2, { ...config, ...changes }, "float32");

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
  const again = peak({ gradientCheckpointing: true }) + 1e5;
  assert.throws(() => checkMemory(distilgpt2, config, "float32", again), /Fix: set gradientCheckpointing: true\.$/);
  const shorter = { batchSize: 1, gradientAccumulation: 8, gradientCheckpointing: true, blockSize: 512 };
  const short = peak(shorter) + 1e5;
  assert.throws(
    () => checkMemory(distilgpt2, { ...config, blockSize: 1024 }, "float32", short),
    /Fix: set batchSize: 1, gradientAccumulation: 8, gradientCheckpointing: true and blockSize: 512\.$/,
  );
  assert.throws(
    () => checkMemory(distilgpt2, { ...config, memoryLimitGB: 0.1 }, "float32", 100e9),
    /expected at most 0\.10 GB, memoryLimitGB\. Fix: choose a smaller model, train adapters with loraRank: 8, or free memory\.$/,
  );
});

test("stepFlops() counts 6 operations a multiplied weight and token, and attention", () => {
  const one = { ...config, batchSize: 1, blockSize: 1 };
  const matrices = 6 * 12 * 768 ** 2 + 50257 * 768;
  assert.equal(stepFlops(distilgpt2, one), 6 * matrices + 6 * 768 * 6);
  assert.equal(stepFlops(distilgpt2, { ...one, gradientAccumulation: 3 }), 3 * stepFlops(distilgpt2, one));
  assert.equal(stepFlops({ ...distilgpt2, untiedHead: true }, one), stepFlops(distilgpt2, one));
});

// None of these is a size that the constants of the prediction were fitted to.
const sizes = {
  "many layers, accumulated": { width: 320, layers: 10, batchSize: 2, gradientAccumulation: 3, blockSize: 256 },
  "samples on": { width: 192, layers: 6, batchSize: 4, blockSize: 128, samplePrompts: ["The state"] },
  "many weights": { width: 384, layers: 4, batchSize: 1, blockSize: 64 },
};
for (const [name, work] of Object.entries(sizes)) {
  test(`train() predicts its peak memory within 25 % of what is then measured: ${name}`, async (t) => {
    if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
    const script = join(packageRoot(), "dist/test/train/peak-process.js");
    const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(work)]);
    const [preflight, { peakBytes }] = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)) as [PreflightEvent, { peakBytes: number }];
    const { predictedBytes, measuredBytes, predictedStepSeconds, measuredStepSeconds } = preflight;
    assert.ok(Math.abs(predictedBytes / peakBytes - 1) < 0.25, `predicted ${predictedBytes}, measured ${peakBytes}`);
    assert.ok(measuredBytes > 0.5 * peakBytes && measuredBytes <= peakBytes, `${measuredBytes} before training`);
    assert.ok(predictedStepSeconds > 0 && measuredStepSeconds > 0);
  });
}

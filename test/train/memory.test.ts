import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { findTensorFlow } from "../../src/engine/find.js";
import type { Gpt2Config } from "../../src/model/gpt2-config.js";
import { packageRoot } from "../../src/paths.js";
import { estimateMemory } from "../../src/train/memory.js";

const common = { layerNormEpsilon: 1e-5, endOfTextId: 0, positions: 512 };
const workloads: Readonly<Record<string, { config: Gpt2Config; B: number; T: number; dropoutRate?: number }>> = {
  "much text": { config: { ...common, vocabularySize: 4096, width: 256, layers: 4, heads: 4 }, B: 8, T: 256 },
  dropout: {
    config: { ...common, vocabularySize: 512, width: 256, layers: 4, heads: 4 },
    ...{ B: 8, T: 256, dropoutRate: 0.1 },
  },
  "many tokens": { config: { ...common, vocabularySize: 50_257, width: 256, layers: 1, heads: 4 }, B: 1, T: 128 },
  "many layers": { config: { ...common, vocabularySize: 512, width: 384, layers: 16, heads: 6 }, B: 2, T: 256 },
};

for (const [name, work] of Object.entries(workloads)) {
  test(`estimateMemory() is within 25 % of the measured peak: ${name}`, async (t) => {
    if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
    const { peakBytes } = await train({ ...work, steps: 3 });
    const estimate = estimateMemory(work.config, work).peakBytes;
    assert.ok(Math.abs(estimate / peakBytes - 1) < 0.25, `estimate ${estimate}, measured ${peakBytes}`);
  });
}

test("gradientCheckpointing takes less memory, as much less as estimateMemory() says within 25 %", async (t) => {
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  const work = { config: { ...common, vocabularySize: 512, width: 256, layers: 8, heads: 4 }, B: 8, T: 256 };
  const kept = await train({ ...work, steps: 3 });
  const again = await train({ ...work, steps: 3, gradientCheckpointing: true });
  assert.ok(again.peakBytes < 0.9 * kept.peakBytes, `${kept.peakBytes} bytes, ${again.peakBytes} with checkpointing`);
  const estimate = estimateMemory(work.config, { ...work, gradientCheckpointing: true }).peakBytes;
  assert.ok(Math.abs(estimate / again.peakBytes - 1) < 0.25, `estimate ${estimate}, measured ${again.peakBytes}`);
});

test("estimateMemory() grows with accumulation, and shrinks when fewer weights are trained", () => {
  const { config, B, T } = workloads["much text"] as { config: Gpt2Config; B: number; T: number };
  const plain = estimateMemory(config, { B, T }).peakBytes;
  assert.ok(estimateMemory(config, { B, T }, { gradientAccumulation: 2 }).peakBytes > plain);
  const trainable = { shapes: new Map([["transformer.ln_f.bias", [config.width]]]) };
  assert.ok(estimateMemory(config, { B, T }, { trainable }).peakBytes < plain);
});

test("a run of 2,000 steps takes no more memory at its end than after its first steps", async (t) => {
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  const config = { ...common, vocabularySize: 64, width: 16, layers: 1, heads: 2 };
  const { resident } = await train({ config, B: 1, T: 16, steps: 2000 });
  const [early, late] = [resident[0], resident.at(-1)] as [number, number];
  assert.ok(late - early < 8e6, `${early} bytes after 500 steps, ${late} after 2,000: more than 5 kB a step stayed`);
});

async function train(work: object): Promise<{ peakBytes: number; resident: number[] }> {
  const script = join(packageRoot(), "dist/test/train/memory-process.js");
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", script, JSON.stringify(work)]);
  return JSON.parse(stdout);
}

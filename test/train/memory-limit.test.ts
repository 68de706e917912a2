/** Memory that really runs out: a process that may have less than its micro-batch takes, on TensorFlow's own kernels. */
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { findTensorFlow } from "../../src/engine/find.js";
import { packageRoot } from "../../src/paths.js";
import type { OutOfMemoryEvent, StepEvent } from "../../src/train/events.js";

const script = join(packageRoot(), "dist/test/train/memory-limit-process.js");

interface Run {
  readonly taken: number;
  readonly steps: readonly StepEvent[];
  readonly outOfMemory: readonly OutOfMemoryEvent[];
}

async function run(program: string, ...before: readonly string[]): Promise<Run> {
  const { TF_MKL_ALLOC_MAX_BYTES: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(program, [...before, script], { env });
  return JSON.parse(stdout);
}

test("train() survives a real limit of memory: half the micro-batch, the same window, order and course", async (t) => {
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  try {
    execFileSync("prlimit", ["--version"]);
  } catch {
    return t.skip("limits are set with util-linux' prlimit, which Linux has");
  }
  const calm = await run(process.execPath);
  assert.deepEqual(calm.outOfMemory, []);
  // Half of what is left is for tensors: about two thirds of what a step takes, enough for half a micro-batch.
  const limited = await run("prlimit", `--data=${calm.taken + 600e6}`, process.execPath);
  assert.ok(limited.outOfMemory.length > 0, "memory ran out");
  for (const { reason, microBatchSize, microBatches } of limited.outOfMemory) {
    assert.match(reason, /^Cannot run a step: TensorFlow said "OOM when allocating tensor .* Fix: halve batchSize/);
    assert.equal(microBatchSize * microBatches, 4096, "the same effective batch");
  }
  assert.equal(limited.outOfMemory[0]?.microBatchSize, 2048);
  const last = new Map(limited.steps.map((event) => [event.step, event]));
  assert.equal(last.size, calm.steps.length);
  for (const { step, loss, gradientNorm } of calm.steps) {
    const { loss: otherLoss = 0, gradientNorm: otherNorm = 0 } = last.get(step) ?? {};
    assert.ok(Math.abs(loss - otherLoss) <= 1e-5 * loss, `step ${step}: ${otherLoss}, expected ${loss}`);
    assert.ok(Math.abs(gradientNorm - otherNorm) <= 1e-4 * gradientNorm, `step ${step}: gradient norm`);
  }
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import type { StepFunction } from "../../src/engine/engine.js";
import { emitStableHlo } from "../../src/engine/to-stablehlo.js";
import { trace } from "../../src/engine/trace.js";
import { registerTraceKernels } from "../../src/engine/trace-kernels.js";
import { packageRoot } from "../../src/paths.js";

test("docs/engine.md lists every kernel that can be traced", () => {
  registerTraceKernels("listed");
  const page = readFileSync(join(packageRoot(), "docs/engine.md"), "utf8");
  const [, list = ""] = /these TensorFlow\.js kernels:\n\n([\s\S]*?)\.\n/.exec(page) ?? [];
  const kernels = tf.getKernelsForBackend("listed").map(({ kernelName }) => kernelName);
  assert.deepEqual(
    [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name),
    kernels.sort(),
  );
});

test("docs/engine.md shows one layer as StableHLO, as it is written today", () => {
  const page = readFileSync(join(packageRoot(), "docs/engine.md"), "utf8");
  const [, shown] = /```mlir\n([\s\S]*?)\n?```/.exec(page) ?? [];
  assert.equal(shown, emitStableHlo(layer(), { state: "inside" }).text);
});

function layer() {
  const inputs = { x: { shape: [4, 3], dtype: "float32" } } as const;
  const variables = new Map([
    ["weight", [3, 2]],
    ["bias", [2]],
  ]);
  const step: StepFunction = ({ x }, state) => {
    const product = tf.matMul(x as tf.Tensor2D, state.read("weight") as tf.Tensor2D);
    return { y: tf.relu(tf.add(product, state.read("bias"))) };
  };
  return trace(step, { name: "layer", inputs, variables, precision: "float32" });
}

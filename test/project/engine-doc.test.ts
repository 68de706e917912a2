import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
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

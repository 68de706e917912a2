import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { compile } from "../../src/engine/compile.js";
import { explain } from "../../src/engine/explain.js";
import { findTensorFlow } from "../../src/engine/find.js";
import type { CompileEvent } from "../../src/engine/watch-compile.js";
import { packageRoot } from "../../src/paths.js";
import { engineNames, engineOptions, openForTest } from "../engines.js";

for (const name of engineNames) {
  test(`compile() keeps the state of a falling ball between calls on ${name}`, async (t) => {
    const opened = await openForTest(name);
    if (typeof opened === "string") return t.skip(opened);
    await opened.dispose();
    const fall = await compile(
      ({ seconds }, { height, speed }) => {
        const faster = tf.add(speed, tf.mul(9.81, seconds));
        const lower = tf.sub(height, tf.mul(faster, seconds));
        return { outputs: { height: lower }, state: { height: lower, speed: faster } };
      },
      {
        inputs: { seconds: [] },
        state: { height: { shape: [], values: [100] }, speed: { shape: [] } },
        ...engineOptions(name),
      },
    );
    let last = 0;
    for (let i = 0; i < 100; i++) last = (await fall.run({ seconds: [0.01] })).height[0] as number;
    const state = await fall.state();
    assert.ok(Math.abs((state.speed[0] as number) - 9.81) < 1e-3);
    assert.ok(Math.abs(last - 95.046) < 1e-2, String(last));
    assert.equal(state.height[0], last);
    await assert.rejects(
      fall.run({ seconds: [1, 2] }),
      /Cannot fill input "seconds": 2 values, expected 1 for shape \[\]/,
    );
    await fall.dispose();
  });
}

test("compile() learns a line by gradients of TensorFlow.js, and explain() counts its work", async (t) => {
  const opened = await openForTest("tensorflow");
  if (typeof opened === "string") return t.skip(opened);
  await opened.dispose();
  const fit = await compile(
    ({ x, y }, { slope }) => {
      const loss = (w: tf.Tensor) =>
        tf.mean(tf.square(tf.sub(tf.matMul(x as tf.Tensor2D, w as tf.Tensor2D), y))) as tf.Scalar;
      const { value, grad } = tf.valueAndGrad(loss)(slope);
      return { outputs: { loss: value }, state: { slope: tf.sub(slope, tf.mul(0.1, grad)) } };
    },
    {
      inputs: { x: [8, 2], y: [8, 1] },
      state: { slope: { shape: [2, 1] } },
      ...engineOptions("tensorflow"),
      name: "line",
    },
  );
  const x = Array.from({ length: 16 }, (_, i) => Math.sin(i * i));
  const y = Array.from({ length: 8 }, (_, i) => 3 * (x[2 * i] as number) - 2 * (x[2 * i + 1] as number));
  for (let i = 0; i < 200; i++) await fit.run({ x, y });
  const { slope } = await fit.state();
  assert.ok(Math.abs((slope[0] as number) - 3) < 1e-2 && Math.abs((slope[1] as number) + 2) < 1e-2, String(slope));
  assert.ok(fit.program);
  const { operations, flops, bytesRead, bytesWritten, peakBytes, summary, text } = explain(fit.program);
  assert.equal(operations.matMul, 2);
  // Forward 8x2 by 2x1, backward 2x8 by 8x1: 2·8·2 each; the rest is element by element.
  assert.ok(flops >= 64 && flops < 64 + 16 * 10, String(flops));
  assert.ok(bytesRead > 8 * 3 * 4 && bytesWritten > 0);
  assert.ok(peakBytes >= 4 * (16 + 8 + 2 + 8) && peakBytes < 1000, String(peakBytes));
  assert.match(text, /^program line \{/);
  assert.match(summary, /^\d+ operations: .*2 matMul.*\n[\d,]+ FLOPs; .* read, .* written; at most .* at once$/s);
  await fit.dispose();
});

test("compile() refuses what cannot be traced with the line of the function, and frees its engine", async (t) => {
  const opened = await openForTest("tensorflow");
  if (typeof opened === "string") return t.skip(opened);
  await opened.dispose();
  const bad = compile(({ x }) => ({ outputs: { y: tf.add(x, tf.zeros([3])) } }), {
    inputs: { x: [2] },
    ...engineOptions("tensorflow"),
  });
  await assert.rejects(bad, /Cannot trace tf\.add at .*compile\.test\.[tj]s:\d+:\d+: tensors of shape \[2\] and \[3\]/);
});

test("the example of docs/engine.md runs as it stands", async (t) => {
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  const page = readFileSync(join(packageRoot(), "docs/engine.md"), "utf8");
  const [, example = ""] = /## Compiling something else\n\n```ts\n([\s\S]*?)```/.exec(page) ?? [];
  const library = JSON.stringify(join(packageRoot(), "dist/src/index.js"));
  const script = `process.chdir(${JSON.stringify(packageRoot())});\n${example.replace('"fledge"', library)}`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ["--input-type=module", "-e", script], { cwd: packageRoot() });
  assert.match(stdout, /^95\.04\d*\n\d+ operations: .*\n\d+ FLOPs; /);
});

for (const name of engineNames) {
  test(`NaN that comes in comes out as NaN on ${name}, and the next run is right`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const spec = { x: { shape: [2], dtype: "float32" } } as const;
    const step = await engine.compile("sum", spec, ({ x }) => ({
      y: tf.sum(x),
      bad: tf.sum(tf.cast(tf.isNaN(x), "float32")),
    }));
    const nan = await step.run({ x: Float32Array.of(Number.NaN, 1) });
    assert.ok(Number.isNaN(nan.y[0]));
    assert.equal(nan.bad[0], 1);
    assert.equal((await step.run({ x: Float32Array.of(1, 1) })).y[0], 2);
    await engine.dispose();
  });
}

test("onCompile tells when each program is compiled, and in XLA's form of the first run", async (t) => {
  const opened = await openForTest("tensorflow/xla");
  if (typeof opened === "string") return t.skip(opened);
  await opened.dispose();
  const events: CompileEvent[] = [];
  const onCompile = (event: CompileEvent) => void events.push(event);
  const twice = await compile(({ x }) => ({ outputs: { y: tf.mul(x, 2) } }), {
    inputs: { x: [2] },
    name: "twice",
    ...engineOptions("tensorflow/xla"),
    onCompile,
  });
  for (let i = 0; i < 3; i++) assert.deepEqual([...(await twice.run({ x: [1, 2] })).y], [2, 4]);
  await twice.dispose();
  assert.deepEqual(
    events.map(({ phase, program }) => `${phase} ${program}`),
    ["start twice", "end twice", "start twice", "end twice"],
  );
  assert.ok((events[1]?.seconds ?? -1) >= 0);
});

for (const name of engineNames.filter((engine) => engine === "pjrt" || engine.startsWith("tensorflow"))) {
  test(`a step that no memory holds is a clear error on ${name}, and the engine goes on`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const spec = { x: { shape: [], dtype: "float32" } } as const;
    // 160 TB, more than a process can address, whatever the system promises.
    const huge = async () => {
      const fill = await engine.compile("huge", spec, ({ x }) => ({ y: tf.tile(tf.reshape(x, [1, 1]), [4e7, 1e6]) }));
      await fill.run({ x: Float32Array.of(1) });
    };
    // A device that knows its size refuses the program, others the run.
    await assert.rejects(huge, /(OOM|[Oo]ut of memory|takes 160 TB of the).* Fix: halve batchSize/s);
    const small = await engine.compile("small", spec, ({ x }) => ({ y: tf.neg(x) }));
    assert.deepEqual((await small.run({ x: Float32Array.of(1) })).y, Float32Array.of(-1));
    await engine.dispose();
  });
}

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import * as tf from "@tensorflow/tfjs";
import { chooseEngine, choosePrecision, engineName, formName } from "../../src/engine/choose.js";
import { findGpu, findTensorFlow } from "../../src/engine/find.js";
import { describeProgram } from "../../src/engine/program.js";
import { checkTensorFlowVersion, libraryFiles, loadTensorFlow } from "../../src/engine/tensorflow-library.js";
import { packageRoot } from "../../src/paths.js";
import { engineNames, openForTest } from "../engines.js";

const vector = { shape: [2], dtype: "float32" } as const;

for (const name of engineNames) {
  test(`variables stay on ${name} between steps, and updates keep their order`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    await engine.createVariables(
      new Map([
        ["w", { shape: [2], values: Float32Array.of(1, 2) }],
        ["zero", { shape: [2] }],
      ]),
    );
    const step = await engine.compile("step", { x: vector }, ({ x }, variables) => {
      const before = variables.read("w");
      variables.assignAdd("w", x);
      variables.assign("zero", tf.mul(variables.read("w"), 10));
      return { before };
    });
    assert.deepEqual((await step.run({ x: Float32Array.of(1, 1) })).before, Float32Array.of(1, 2));
    assert.deepEqual((await step.run({ x: Float32Array.of(1, 1) })).before, Float32Array.of(2, 3));
    const values = await engine.readVariables(["w", "zero"]);
    assert.deepEqual(
      [...values],
      [
        ["w", Float32Array.of(3, 4)],
        ["zero", Float32Array.of(30, 40)],
      ],
    );
    await engine.dispose();
    await engine.dispose();
  });

  test(`run() on ${name} refuses an input of the wrong length`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    const step = await engine.compile("step", { x: vector }, ({ x }) => ({ y: tf.square(x) }));
    await assert.rejects(step.run({ x: new Float32Array(3) }), {
      name: "TypeError",
      message:
        'Cannot fill input "x": 3 values, expected 2 for shape [2]. Fix: pass one value per element, row by row.',
    });
    assert.deepEqual((await step.run({ x: Float32Array.of(2, 3) })).y, Float32Array.of(4, 9));
    await engine.dispose();
  });
}

test("a compiled step leaves the event loop free while it runs", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  const square = { shape: [600, 600], dtype: "float32" } as const;
  const step = await engine.compile("slow", { x: square }, ({ x }) => {
    let y = x as tf.Tensor2D;
    for (let i = 0; i < 40; i++) y = tf.matMul(y, x as tf.Tensor2D);
    return { y: tf.sum(y) };
  });
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  await step.run({ x: new Float32Array(360_000) });
  clearInterval(timer);
  assert.ok(turns > 0, "timers ran during the step");
  await engine.dispose();
});

test("describeProgram() prints a step one operation a line, and leaves out what nobody needs or what changes nothing", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  const step = await engine.compile("tiny", { x: vector }, ({ x }) => {
    tf.exp(x);
    return { y: tf.sum(tf.mul(tf.square(x), 1)) };
  });
  assert.ok(step.program);
  assert.equal(
    describeProgram(step.program),
    [
      "program tiny {",
      '  %0 = input() {name: "x"} : float32[2]',
      "  %2 = square(%0) : float32[2]",
      "  %4 = reduceSum(%2) {axes: [0], keepDims: false} : float32[]",
      "  return { y: %4 }",
      "}",
    ].join("\n"),
  );
  await engine.dispose();
});

for (const name of engineNames) {
  test(`compile() on ${name} refuses an input whose shape is not static`, async (t) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return t.skip(engine);
    for (const shape of [[-1, 2], [null, 2] as never, [2.5]]) {
      await assert.rejects(
        engine.compile("bad", { x: { shape, dtype: "float32" } }, ({ x }) => ({ y: x })),
        /^TypeError: Cannot compile a step for input "x": shape \[(-1, 2|, 2|2\.5)\], expected whole numbers from 0 on: shapes are static\. Fix: compile/,
      );
    }
    await engine.dispose();
  });
}

test("compile() refuses what cannot be traced", async (t) => {
  const engine = await openForTest("tensorflow");
  if (typeof engine === "string") return t.skip(engine);
  const compile = (compute: (x: tf.Tensor) => tf.Tensor) =>
    engine.compile("bad", { x: vector }, ({ x }) => ({ y: compute(x) }));
  await tf.setBackend("cpu");
  const outside = tf.tensor1d([1, 2]);
  const cases: [(x: tf.Tensor) => tf.Tensor, RegExp][] = [
    [
      (x) => tf.scalar(x.dataSync()[0] as number),
      /Cannot read a tensor while a step is traced: .* at .*engine\.test\.[tj]s:\d+:\d+, .* Fix: return the tensor/,
    ],
    [
      (x) => tf.booleanMaskAsync(x, tf.greater(x, 0)) as unknown as tf.Tensor,
      /Cannot read a tensor while a step is traced: .* at .*engine\.test\.[tj]s:\d+:\d+, .* use tf\.where for tf\.whereAsync/,
    ],
    [
      (x) => Promise.resolve(x) as unknown as tf.Tensor,
      /Cannot trace this step: output "y" is a Promise, expected a tensor whose shape is known .* Fix: use operations of/,
    ],
    [() => 3 as unknown as tf.Tensor, /output "y" is number, expected a tensor .* Fix: return tensors by name/],
    [
      (x) => tf.add(x, outside),
      /Cannot trace this step: a tensor of shape \[2\] made outside it, used at .*engine\.test\.[tj]s.* Fix: /,
    ],
    [
      (x) => tf.tan(x),
      /Cannot trace this step: the TensorFlow\.js operation "Tan" at .*engine\.test\.[tj]s:\d+:\d+, expected one of the \d+ covered ones, such as "Tanh"\. Fix: /,
    ],
    [
      (x) => tf.add(x, tf.zeros([3])),
      /Cannot trace tf\.add at .*engine\.test\.[tj]s:\d+:\d+: tensors of shape \[2\] and \[3\], expected the same size, or 1.* Fix: /,
    ],
    [
      (x) => tf.matMul(tf.reshape(x, [1, 2]), tf.zeros([3, 4])),
      /Cannot trace tf\.matMul at .*: tensors of shape \[1, 2\] and \[3, 4\], expected as many columns in the first as rows/,
    ],
    [
      (x) => tf.concat([tf.reshape(x, [1, 2]), tf.zeros([2, 1])]),
      /Cannot trace tf\.concat at .*: tensors of shape \[1, 2\] and \[2, 1\], expected the same shape but for dimension 0/,
    ],
    [
      (x) => tf.reshape(x, [3]),
      /Cannot trace tf\.reshape at .*engine\.test.*: TensorFlow\.js said "Size\(2\) must match the product of shape 3", expected arguments that/,
    ],
    [
      (x) => tf.slice(x, [1], [5]),
      /Cannot trace tf\.slice at .*: TensorFlow\.js said .* Fix: change the call of tf\.slice at/,
    ],
    [(x) => tf.complex(x, x), /the TensorFlow\.js operation "Complex"/],
    [(x) => tf.add(x, tf.tensor(["a"])), /a tensor of type string, expected float32, int32 or bool/],
  ];
  for (const [compute, message] of cases) await assert.rejects(compile(compute), message);
  const mine = new RangeError("thrown by the step itself");
  await assert.rejects(
    compile(() => {
      throw mine;
    }),
    mine,
  );
  await assert.rejects(
    engine.compile("bad", { x: vector }, (async ({ x }: { x: tf.Tensor }) => ({ y: x })) as never),
    /Cannot trace this step: the step is a Promise, expected a tensor/,
  );
  await assert.rejects(
    engine.compile("bad", {}, (_inputs, variables) => ({ y: variables.read("nobody") })),
    /Cannot use variable "nobody": no variable of that name, expected .* Fix: create it first/,
  );
  await engine.dispose();
});

test("chooseEngine() says which engine it opened and why", async (t) => {
  const forced = await chooseEngine({ engine: "cpu" });
  assert.match(forced.reason, /^cpu: TensorFlow\.js 4\.22\.0 in plain JavaScript, .* slow, .* \(forced\)$/);
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  const { engine, reason } = await chooseEngine({ environment: {} });
  assert.match(reason, /^tensorflow: TensorFlow 2\.\d+\.\d+ on (CPU|GPU), (bfloat16|float32) products \(.+\)$/);
  await engine.dispose();
});

test("chooseEngine() falls back to TensorFlow.js where no TensorFlow can be loaded, and says so", async () => {
  const { engine, reason } = await chooseEngine({ environment: { FLEDGE_TENSORFLOW: "/nowhere" } });
  assert.equal(engine.name, "wasm");
  assert.match(
    reason,
    /compiled engine not available: Cannot load TensorFlow from \/nowhere: no TensorFlow libraries there/,
  );
});

test("chooseEngine() fails when the forced engine cannot be opened", async () => {
  const environment = { FLEDGE_TENSORFLOW: "/nowhere" };
  await assert.rejects(
    chooseEngine({ engine: "tensorflow", environment }),
    /Fix: run `npm run setup`, or set FLEDGE_TENSORFLOW/,
  );
});

test("engineName() refuses an unknown name with the nearest one", () => {
  assert.equal(engineName("auto"), undefined);
  assert.throws(() => engineName("tensorflw"), {
    name: "RangeError",
    message:
      'Cannot choose the engine: FLEDGE_ENGINE="tensorflw", expected one of pjrt, tensorflow, tfjs-node, wasm, cpu, or auto. Fix: set FLEDGE_ENGINE=tensorflow.',
  });
});

test("formName() refuses an unknown form", () => {
  assert.equal(formName("xla"), "xla");
  assert.throws(() => formName("xlaa"), {
    name: "RangeError",
    message:
      'Cannot choose the form: FLEDGE_FORM="xlaa", expected one of graph, xla, or auto. Fix: set FLEDGE_FORM=xla.',
  });
});

test("findGpu() believes what nvidia-smi answers, and chooseEngine() says what it found", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fledge-gpu-"));
  t.after(() => rm(folder, { recursive: true }));
  const gpu = { name: "NVIDIA A100-SXM4-40GB", computeCapability: 8 };
  await writeFile(join(folder, "nvidia-smi"), `#!/bin/sh\necho "${gpu.name}, 8.0"\n`, { mode: 0o755 });
  assert.deepEqual(findGpu({ PATH: `${folder}:${process.env.PATH}` }), gpu);
  assert.equal(findGpu({ PATH: "/nowhere" }), undefined);
  assert.equal(choosePrecision("auto", new Set(), gpu).precision, "bfloat16");
  assert.equal(choosePrecision("auto", new Set(["amx_bf16"]), { ...gpu, computeCapability: 7.5 }).precision, "float32");
  await assert.rejects(
    chooseEngine({ engine: "pjrt", environment: { PATH: `${folder}:${process.env.PATH}` } }),
    /Cannot open the PJRT engine: NVIDIA A100-SXM4-40GB, and no PJRT plugin, .* Fix: run .*pip install 'jax-cuda12-plugin\[with-cuda\]'/,
  );
  await assert.rejects(
    chooseEngine({ engine: "pjrt", environment: {} }),
    /Cannot open the PJRT engine: no NVIDIA GPU, no TPU and no FLEDGE_PJRT_PLUGIN/,
  );
});

test("choosePrecision() takes bfloat16 where the processor has it", () => {
  assert.equal(choosePrecision("auto", new Set(["avx512_bf16"])).precision, "bfloat16");
  assert.equal(choosePrecision("auto", new Set(["avx2"])).precision, "float32");
  assert.equal(choosePrecision(false, new Set(["amx_bf16"])).precision, "float32");
});

test("loadTensorFlow() refuses an old version and a library that is none", async (t) => {
  assert.doesNotThrow(() => checkTensorFlowVersion("2.21.0", "here"));
  assert.throws(() => checkTensorFlowVersion("2.9.1", "/old"), {
    name: "RangeError",
    message:
      "Cannot use the TensorFlow in /old: version 2.9.1, expected 2.16.0 or newer. Fix: run `npm run setup`, which installs the tested one from requirements.txt.",
  });
  const folder = await mkdtemp(join(tmpdir(), "fledge-tf-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const file of ["libtensorflow_framework.so.2", "libtensorflow_cc.so.2"])
    await writeFile(join(folder, file), "no library");
  if (!libraryFiles(folder)) return t.skip("Linux only");
  assert.throws(
    () => loadTensorFlow(folder),
    /Cannot load .*libtensorflow_framework\.so\.2: .* Fix: delete \.venv and run/,
  );
  // A head of an ELF file for a processor that does not exist: magic, 64 bits, little end first, version, shared object, machine.
  const foreign = Buffer.alloc(4096);
  foreign.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0xff, 0xfe, 1]);
  await writeFile(join(folder, "libtensorflow_framework.so.2"), foreign);
  assert.throws(
    () => loadTensorFlow(folder),
    new RegExp(
      `Cannot load .*libtensorflow_framework.*, expected a library built for ${process.platform} ${process.arch}\\. Fix: `,
    ),
  );
});

test("a process that used the compiled engine ends in order", async (t) => {
  if (!findTensorFlow()) return t.skip("no TensorFlow on this machine");
  const choose = join(packageRoot(), "dist/src/engine/choose.js");
  const script = `const { chooseEngine } = await import(${JSON.stringify(choose)});
    const { engine } = await chooseEngine({ engine: "tensorflow" });
    await engine.createVariables(new Map([["w", { shape: [2] }]]));
    console.log("done");`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  assert.equal(stdout, "done\n");
});

for (const name of engineNames) {
  test(`an engine that was disposed says so, and the process lives, on ${name}`, async (context) => {
    const engine = await openForTest(name);
    if (typeof engine === "string") return context.skip(engine);
    const spec = { x: { shape: [2], dtype: "float32" } } as const;
    const step = await engine.compile("square", spec, ({ x }) => ({ y: tf.square(x as tf.Tensor) }));
    await engine.dispose();
    const message =
      "Cannot run a step: an engine that was disposed, expected an open one. Fix: open a new engine with chooseEngine().";
    await assert.rejects(step.run({ x: Float32Array.of(1, 2) }), { name: "Error", message });
    const again = engine.compile("square", spec, ({ x }) => ({ y: tf.square(x as tf.Tensor) }));
    await assert.rejects(
      again.then((compiled) => compiled.run({ x: Float32Array.of(1, 2) })),
      { message },
    );
  });
}

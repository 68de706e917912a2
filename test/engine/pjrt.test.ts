/** The PJRT engine against XLA's own CPU plugin: the C API, the cache of compiled programs, failures. What only a GPU shows is in gpu.test.ts. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { OutOfMemoryError } from "../../src/engine/errors.js";
import { openPjrt } from "../../src/engine/pjrt.js";
import { checkPjrtVersion, PjrtLibrary, pjrtFailure } from "../../src/engine/pjrt-library.js";
import { packageRoot } from "../../src/paths.js";
import { pjrtEnvironment } from "../engines.js";

const plugin = pjrtEnvironment().FLEDGE_PJRT_PLUGIN;
const skip = plugin ? false : "no PJRT plugin for the CPU on this machine";

test("a program is compiled once: kept on disk by content, and compiled anew when what was kept is damaged", {
  skip,
}, async (t) => {
  const cacheFolder = await mkdtemp(join(tmpdir(), "fledge-pjrt-"));
  t.after(() => rm(cacheFolder, { recursive: true }));
  const run = async (factor: number) => {
    const engine = openPjrt({ plugin: plugin as string, precision: "float32", cacheFolder });
    const spec = { x: { shape: [2], dtype: "float32" } } as const;
    const step = await engine.compile("twice", spec, ({ x }) => ({ y: tf.mul(x, factor) }));
    const { y } = await step.run({ x: Float32Array.of(1, 2) });
    await engine.dispose();
    return [...y];
  };
  assert.deepEqual(await run(2), [2, 4]);
  const [file] = await readdir(cacheFolder);
  assert.match(file as string, /^[0-9a-f]{64}\.pjrt$/);
  const kept = await readFile(join(cacheFolder, file as string));
  assert.deepEqual(await run(2), [2, 4]);
  assert.deepEqual(await readdir(cacheFolder), [file], "the same content is the same file");
  await writeFile(join(cacheFolder, file as string), kept.subarray(0, 10));
  assert.deepEqual(await run(2), [2, 4]);
  assert.deepEqual(await run(3), [3, 6]);
  assert.equal((await readdir(cacheFolder)).length, 2);
});

test("variables on PJRT are updated in place: the module says which argument gives its memory to which result", {
  skip,
}, async () => {
  const engine = openPjrt({ plugin: plugin as string, precision: "float32" });
  await engine.createVariables(new Map([["w", { shape: [2], values: Float32Array.of(1, 2) }]]));
  const step = await engine.compile("add", { x: { shape: [2], dtype: "float32" } }, ({ x }, variables) => {
    variables.assignAdd("w", x as tf.Tensor);
    return {};
  });
  for (let i = 0; i < 50; i++) await step.run({ x: Float32Array.of(1, 10) });
  assert.deepEqual((await engine.readVariables(["w"])).get("w"), Float32Array.of(51, 502));
  await engine.deleteVariables(["w"]);
  await assert.rejects(engine.readVariables(["w"]), /Cannot use variable "w": no variable of that name/);
  await engine.dispose();
  await assert.rejects(step.run({ x: Float32Array.of(1, 1) }), /Cannot run a step: an engine that was disposed/);
});

test("a compiled step says what memory it takes: arguments, results that take new memory, and what is between", {
  skip,
}, async () => {
  const engine = openPjrt({ plugin: plugin as string, precision: "float32" });
  await engine.createVariables(new Map([["w", { shape: [1000, 1000] }]]));
  const step = await engine.compile("grow", { x: { shape: [1000, 1000], dtype: "float32" } }, ({ x }, variables) => {
    variables.assignAdd("w", x as tf.Tensor);
    return { doubled: tf.mul(x as tf.Tensor, 2) };
  });
  // The variable, the input and the output; the variable's new value lies where the old one was.
  assert.ok(step.peakBytes !== undefined && step.peakBytes >= 12e6 && step.peakBytes < 16e6, `${step.peakBytes} bytes`);
  assert.equal(engine.deviceMemory?.(), undefined, "the host's memory is no device's");
  await engine.dispose();
});

test("PjrtLibrary refuses a file that is no plugin, and an API of another version", { skip }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fledge-pjrt-"));
  t.after(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "text.so"), "no library");
  assert.throws(() => new PjrtLibrary(join(folder, "text.so")), /Cannot load .*text\.so: .* Fix: /);
  const other = join(packageRoot(), "node_modules/@koromix/koffi-linux-x64/linux_x64/koffi.node");
  assert.throws(
    () => new PjrtLibrary(process.platform === "linux" && process.arch === "x64" ? other : join(folder, "text.so")),
    /Cannot (use .* as a PJRT plugin: a library without the function GetPjrtApi|load ).* Fix: /,
  );
  assert.match(new PjrtLibrary(plugin as string).version, /^0\.\d+$/);
  assert.doesNotThrow(() => checkPjrtVersion(0, 81, "x.so"));
  assert.throws(() => checkPjrtVersion(1, 0, "x.so"), {
    name: "RangeError",
    message:
      "Cannot use the PJRT plugin x.so: API version 1.0, expected 0.54 or a newer one of major version 0. " +
      "Fix: install another version of the plugin, or set FLEDGE_ENGINE=tensorflow.",
  });
});

test("pjrtFailure() tells a device out of memory from other failures", () => {
  assert.deepEqual(
    pjrtFailure("LoadedExecutable_Execute", "Out of memory while trying to allocate 17179869184 bytes.", 8),
    new OutOfMemoryError(
      'Cannot fit this step into the device: the plugin said "Out of memory while trying to allocate 17179869184 bytes", ' +
        "expected enough memory. Fix: halve batchSize and double gradientAccumulation, or shorten blockSize.",
    ),
  );
  assert.match(
    pjrtFailure("Client_Compile", "INTERNAL: no.", 13).message,
    /^Cannot run PJRT's Client_Compile: .* Fix: force TensorFlow/,
  );
});

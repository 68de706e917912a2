import assert from "node:assert/strict";
import { test } from "node:test";
import * as tf from "@tensorflow/tfjs";
import { seededRandom } from "../../src/data/random.js";
import type { TensorSpec } from "../../src/engine/engine.js";
import { sizeOf } from "../../src/engine/program.js";
import { stableHloRules } from "../../src/engine/stablehlo-rules.js";
import { engineNames, openForTest } from "../engines.js";
import { operationCases } from "./drawn-cases.js";

const engines = await Promise.all(
  engineNames
    .filter((name) => name === "pjrt" || name.startsWith("tensorflow"))
    .map(async (name) => ({ name, engine: await openForTest(name) })),
);

const seen = new Set<string>();

for (const [name, { shapes, compute, positive = false, discrete = false }] of operationCases()) {
  for (const { name: engineName, engine } of engines)
    test(`${name} on ${engineName}: values and gradients as TensorFlow.js computes them`, async (t) => {
      if (typeof engine === "string") return t.skip(engine);
      const random = seededRandom(name.length, shapes.length);
      const draw = () => (positive ? 0.5 + random.uniform() : 2 * random.uniform() - 1);
      const values = shapes.map((shape) => Float32Array.from({ length: sizeOf(shape) }, draw));
      const run = (inputs: tf.Tensor[]): Record<string, tf.Tensor> => {
        const y = compute(...inputs);
        if (discrete) return { y };
        // A weighted sum, so that every element of the gradient differs.
        const weight = tf.tensor(
          Float32Array.from({ length: sizeOf(y.shape) }, (_, i) => Math.sin(i + 1)),
          y.shape,
        );
        const grads = tf.grads((...x) => tf.sum(tf.mul(compute(...x), weight)) as tf.Scalar)(inputs);
        return { y, ...Object.fromEntries(grads.map((gradient, i) => [`gradient ${i}`, gradient])) };
      };
      const specs = shapes.map((shape, i): [string, TensorSpec] => [`x${i}`, { shape, dtype: "float32" }]);
      const names = specs.map(([input]) => input);
      const step = await engine.compile(name, Object.fromEntries(specs), (inputs) =>
        run(names.map((i) => inputs[i] as tf.Tensor)),
      );
      for (const operation of step.program?.operations ?? []) seen.add(operation.name);
      const actual = await step.run(Object.fromEntries(names.map((input, i) => [input, values[i] as Float32Array])));
      await tf.setBackend("cpu");
      const expected = run(values.map((value, i) => tf.tensor(value, [...(shapes[i] as number[])])));
      assert.deepEqual(Object.keys(actual), Object.keys(expected));
      for (const [output, tensor] of Object.entries(expected)) {
        const wanted = await tensor.data();
        assert.equal(actual[output]?.length, wanted.length, output);
        wanted.forEach((value, i) => {
          const error = Math.abs((actual[output]?.[i] as number) - value);
          assert.ok(
            error <= 1e-5 * Math.max(1, Math.abs(value)),
            `${output}[${i}]: ${actual[output]?.[i]}, expected ${value}`,
          );
        });
      }
    });
}

test("every operation of a program has a StableHLO rule that a case here, or a step with state elsewhere, has run", (t) => {
  const failure = engines.map(({ engine }) => engine).find((engine) => typeof engine === "string");
  if (failure) return t.skip(String(failure));
  // engine.test.ts, assign-slice.test.ts and optimizer.test.ts run these.
  const stateful = ["adam", "after", "assign", "assignAdd", "assignSlice", "read"];
  assert.deepEqual([...seen, ...stateful].sort(), Object.keys(stableHloRules).sort());
});

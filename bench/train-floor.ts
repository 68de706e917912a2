/**
 * The matmul floor of a workload: the time that TensorFlow takes for the products of a training step and nothing else. In: a
 * Workload as JSON. Out: seconds, on the last line. Each product runs in its three forms (forward, and both gradients).
 */
import * as tf from "@tensorflow/tfjs";
import { chooseEngine } from "../src/engine/choose.js";
import { median } from "./figures.js";
import { productsOf, type Workload } from "./shapes.js";

const { mixedPrecision, ...work } = JSON.parse(process.argv[2] ?? "") as Workload & { mixedPrecision: boolean };
const { engine } = await chooseEngine({ engine: "tensorflow", mixedPrecision });
let seconds = 0;
for (const [i, { rows, inner, columns, count }] of productsOf(work).entries()) {
  const [x, w, y] = [`x${i}`, `w${i}`, `y${i}`];
  await engine.createVariables(
    new Map([
      [x, { shape: [rows, inner] }],
      [w, { shape: [inner, columns] }],
      [y, { shape: [rows, columns] }],
    ]),
  );
  for (const form of ["forward", "by x", "by w"] as const) {
    const step = await engine.compile(`${form} ${i}`, {}, (_inputs, variables) => {
      const [a, b] = { forward: [x, w], "by x": [y, w], "by w": [x, y] }[form].map((name) => variables.read(name));
      const product = tf.matMul(a as tf.Tensor2D, b as tf.Tensor2D, form === "by w", form === "by x");
      return { corner: tf.slice(product, [0, 0], [1, 1]) };
    });
    const times: number[] = [];
    for (let run = 0; run < 5; run++) {
      const began = performance.now();
      await step.run({});
      times.push((performance.now() - began) / 1000);
    }
    seconds += count * median(times.slice(1));
  }
}
console.log(seconds);
await engine.dispose();

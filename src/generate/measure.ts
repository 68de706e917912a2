/**
 * The probability and the rank of every token of a text, in one compiled program. In: token ids and what follows each. Out: a
 * loss and a rank a token. Padding on the right is never seen: attention is causal. It trains nothing.
 */
import * as tf from "@tensorflow/tfjs";
import type { CompiledStep, Engine } from "../engine/engine.js";
import { hiddenStates } from "../model/gpt2.js";
import { type Gpt2Config, headName } from "../model/gpt2-config.js";
import { rowsPerChunk, sparseCrossEntropy } from "../model/loss.js";

/** inputs [T] and targets [T] → losses [T] in nats, above [T]: how many tokens the model found likelier. */
export type MeasureStep = CompiledStep<"inputs" | "targets", "losses" | "above">;

/**
 * The length that is compiled for a text.
 *
 * @returns the next power of two from 32, at most `positions`
 */
export function measuredLength(tokens: number, positions: number): number {
  return Math.min(positions, Math.max(32, 2 ** Math.ceil(Math.log2(tokens))));
}

/**
 * Compiles the measurement; products are float32, so that a text measures the same at every length.
 *
 * @param T tokens at once, at most the model's positions
 */
export function compileMeasure(engine: Engine, config: Gpt2Config, T: number): Promise<MeasureStep> {
  const { vocabularySize: V, width: C } = config;
  const spec = { shape: [T], dtype: "int32" } as const;
  const step = engine.compile(
    `measure ${T}`,
    { inputs: spec, targets: spec },
    ({ inputs, targets }, variables) => {
      const weight = (name: string) => variables.read(name);
      const hidden = hiddenStates(inputs, { B: 1, T }, weight, config); // [T, C]
      const losses: tf.Tensor1D[] = [];
      const above: tf.Tensor1D[] = [];
      const chunk = rowsPerChunk(T, V);
      for (let begin = 0; begin < T; begin += chunk) {
        const rows = Math.min(chunk, T - begin);
        const part = tf.slice(hidden, [begin, 0], [rows, C]) as tf.Tensor2D;
        const ids = tf.slice(targets as tf.Tensor1D, [begin], [rows]); // [n]
        const logits = tf.matMul(part, weight(headName(config)) as tf.Tensor2D, false, true); // [n, V]
        const offsets = tf.tensor(
          Int32Array.from({ length: rows }, (_, row) => row * V),
          [rows],
          "int32",
        );
        const own = tf.gather(tf.reshape(logits, [rows * V]), tf.add(ids, offsets) as tf.Tensor1D); // [n]
        losses.push(sparseCrossEntropy(logits, ids).losses as tf.Tensor1D);
        above.push(tf.sum(tf.cast(tf.greater(logits, tf.reshape(own, [rows, 1])), "float32"), 1) as tf.Tensor1D);
      }
      return { losses: tf.concat(losses, 0), above: tf.concat(above, 0) };
    },
    "float32",
  );
  return step;
}

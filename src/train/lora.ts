/**
 * What a run trains when it does not train every weight: the upper blocks, or low-rank adapters beside frozen matrices. In: a
 * model's shapes and the knobs. Out: the trained variables, how the model's weights come of them, their first values, and the
 * plain weights that adapters amount to. It compiles nothing and saves nothing.
 * Source: Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1.
 */
import * as tf from "@tensorflow/tfjs";
import type { TrainingConfig } from "../config/training-config.js";
import { seededRandom } from "../data/random.js";
import { sizeOf } from "../engine/program.js";
import { problem } from "../message.js";
import type { WeightReader } from "../model/gpt2.js";
import { type Gpt2Config, weightShapes } from "../model/gpt2-config.js";
import type { Trainable } from "./optimizer.js";

/** The knobs that decide what is trained. */
export type TrainableKnobs = Pick<TrainingConfig, "freezeLayers" | "loraRank" | "loraAlpha" | "loraTargets">;

/** Names of an adapter's matrices: A [in, rank] and B [rank, out]; the weight becomes W + alpha / rank × A B. */
export const adapterA = (weight: string) => `lora.A/${weight}`;
export const adapterB = (weight: string) => `lora.B/${weight}`;

/**
 * Chooses what a run trains.
 *
 * @throws RangeError when more blocks are frozen than there are, or nothing would be left to train
 * @example
 * [...trainableOf(config, { freezeLayers: 0, loraRank: 8, loraAlpha: 16, loraTargets: ["c_attn"] }).shapes.keys()];
 */
export function trainableOf(config: Gpt2Config, knobs: TrainableKnobs): Trainable {
  const { freezeLayers, loraRank, loraAlpha } = knobs;
  if (freezeLayers > config.layers) {
    throw new RangeError(
      problem({
        cannot: `use freezeLayers: ${freezeLayers}`,
        found: `a model of ${config.layers} blocks`,
        expected: `at most ${config.layers}`,
        fix: `set freezeLayers: ${config.layers - 1}`,
      }),
    );
  }
  const shapes = weightShapes(config);
  const free = [...shapes].filter(([name]) => !isFrozen(name, freezeLayers));
  if (loraRank === 0) return { shapes: new Map(free) };
  const adapted = free.filter(([name]) => isTarget(name, knobs.loraTargets));
  if (adapted.length === 0) {
    throw new RangeError(
      problem({
        cannot: "train adapters",
        found: `freezeLayers ${freezeLayers} of ${config.layers} blocks and loraTargets ${JSON.stringify(knobs.loraTargets)}`,
        expected: "at least one matrix to adapt",
        fix: 'set freezeLayers: 0 and loraTargets: ["c_attn"]',
      }),
    );
  }
  const trained = adapted.flatMap(([name, shape]) => {
    const [rows, columns] = shape as readonly [number, number];
    return [
      [adapterA(name), [rows, loraRank]],
      [adapterB(name), [loraRank, columns]],
    ] as [string, number[]][];
  });
  const targets = new Set(adapted.map(([name]) => name));
  const weights =
    (variable: WeightReader): WeightReader =>
    (name) => {
      const weight = variable(name);
      if (!targets.has(name)) return weight;
      const product = tf.matMul(variable(adapterA(name)) as tf.Tensor2D, variable(adapterB(name)) as tf.Tensor2D);
      return tf.add(weight, tf.mul(product, loraAlpha / loraRank)); // [in, out]
    };
  return { shapes: new Map(trained), weights };
}

function isFrozen(name: string, freezeLayers: number): boolean {
  if (freezeLayers === 0) return false;
  const block = /^transformer\.h\.(\d+)\./.exec(name)?.[1];
  return block === undefined ? /\.w[tp]e\./.test(name) : Number(block) < freezeLayers;
}

function isTarget(name: string, targets: readonly string[]): boolean {
  return targets.some((target) => name.endsWith(`.${target}.weight`));
}

/**
 * First values of adapters: A uniform in ±1/√in, as linear layers begin in PyTorch, B zero, so that the model begins as it was.
 *
 * @param shapes of `trainableOf`
 * @returns the A matrices; what is not among them begins at zero
 */
export function initialAdapters(shapes: Trainable["shapes"], seed: number): Map<string, Float32Array> {
  const random = seededRandom(seed);
  const values = new Map<string, Float32Array>();
  for (const [name, shape] of shapes) {
    if (!name.startsWith(adapterA(""))) continue;
    const bound = 1 / Math.sqrt(shape[0] as number);
    values.set(
      name,
      Float32Array.from({ length: sizeOf(shape) }, () => bound * (2 * random.uniform() - 1)),
    );
  }
  return values;
}

/**
 * The plain weights that frozen weights and adapters amount to.
 *
 * @param weights of the base model, by name
 * @param adapters their A and B, by name
 * @returns every weight; those without an adapter are the same arrays
 */
export function mergeAdapters(
  weights: ReadonlyMap<string, Float32Array>,
  adapters: ReadonlyMap<string, Float32Array>,
  { loraRank, loraAlpha }: Pick<TrainableKnobs, "loraRank" | "loraAlpha">,
): Map<string, Float32Array> {
  return new Map(
    [...weights].map(([name, weight]) => {
      const a = adapters.get(adapterA(name));
      const b = adapters.get(adapterB(name));
      return [name, a && b ? merged(weight, a, b, loraRank, loraAlpha / loraRank) : weight];
    }),
  );
}

// W [in, out] + scale × A [in, rank] B [rank, out].
function merged(weight: Float32Array, a: Float32Array, b: Float32Array, rank: number, scale: number): Float32Array {
  const columns = b.length / rank;
  const result = weight.slice();
  for (let row = 0; row < a.length / rank; row++) {
    for (let k = 0; k < rank; k++) {
      const factor = scale * (a[row * rank + k] as number);
      for (let column = 0; column < columns; column++) {
        const at = row * columns + column;
        result[at] = (result[at] as number) + factor * (b[k * columns + column] as number);
      }
    }
  }
  return result;
}

/**
 * Random weights to train from scratch. In: a model configuration and a seed. Out: weights by Hugging Face name.
 * Source: Radford et al. 2019, section 2.3, as transformers' GPT2PreTrainedModel does it: normal with deviation 0.02, the
 * projections into the residual stream divided by √(2 × layers), biases 0, LayerNorm 1.
 */
import { type Random, seededRandom } from "../data/random.js";
import { sizeOf } from "../engine/program.js";
import { type Gpt2Config, weightShapes } from "./gpt2-config.js";

const deviation = 0.02;

/**
 * Draws the weights of an untrained GPT-2.
 *
 * @param seed same seed, same weights
 * @returns every weight of `weightShapes(config)`
 * @example
 * randomWeights(config, 42).get("transformer.wte.weight"); // Float32Array of V*C normal numbers
 */
export function randomWeights(config: Gpt2Config, seed: number): Map<string, Float32Array> {
  const random = seededRandom(seed);
  return new Map(
    [...weightShapes(config)].map(([name, shape]) => {
      const values = new Float32Array(sizeOf(shape));
      if (name.endsWith(".bias")) return [name, values];
      if (name.includes(".ln_")) return [name, values.fill(1)];
      const scale = name.endsWith("c_proj.weight") ? deviation / Math.sqrt(2 * config.layers) : deviation;
      return [name, values.map(() => scale * normal(random))];
    }),
  );
}

// Box & Muller 1958; 1 − u keeps the logarithm finite.
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random.uniform()));
  return radius * Math.cos(2 * Math.PI * random.uniform());
}

/**
 * What a GPT-2 looks like. In: a Hugging Face `config.json` as an object. Out: a checked `Gpt2Config`, the names and shapes
 * of its weights, and the same JSON back. Variants that compute something else than GPT-2 are refused by name rather than
 * run wrong. It reads no files. Keys and defaults: transformers' GPT2Config.
 */
import { sizeOf } from "../engine/program.js";
import { problem } from "../message.js";

/** The sizes of a GPT-2; letters in brackets are the names that the model code uses. */
export interface Gpt2Config {
  /** Number of tokens known [V]. */
  readonly vocabularySize: number;
  /** Longest text in tokens that it can look at. */
  readonly positions: number;
  /** Numbers per token between layers [C]. */
  readonly width: number;
  readonly layers: number;
  /** Attention heads per layer [H]; divides `width`. */
  readonly heads: number;
  /** Added to the variance in every LayerNorm; GPT-2 has 1e-5. */
  readonly layerNormEpsilon: number;
  /** The token that ends a document; GPT-2 has 50256. */
  readonly endOfTextId: number;
  /** The output head is a matrix of its own, not the token embedding again. Default false, as in GPT-2. */
  readonly untiedHead?: boolean;
}

/** The sizes of the GPT-2 family as published: distilgpt2, gpt2 and gpt2-medium share the vocabulary and positions. */
const DEFAULTS = { positions: 1024, vocabularySize: 50257, width: 768, layers: 12, heads: 12, layerNormEpsilon: 1e-5 };

// Options that change what the model computes, with the one value that means plain GPT-2.
const REQUIRED = new Map<string, unknown>([
  ["scale_attn_weights", true],
  ["scale_attn_by_inverse_layer_idx", false],
  ["add_cross_attention", false],
]);

// Two names of one function: 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).
const GELU_TANH = ["gelu_new", "gelu_pytorch_tanh"];

/**
 * Reads a Hugging Face configuration.
 *
 * @param json the parsed `config.json`; missing keys take transformers' defaults.
 * @param source where it came from, for the messages.
 * @throws TypeError for a value of the wrong type; RangeError for a model that Fledge cannot compute exactly.
 * @example
 * parseGpt2Config({ model_type: "gpt2", n_layer: 6 }).layers; // 6
 */
export function parseGpt2Config(json: Readonly<Record<string, unknown>>, source = "config.json"): Gpt2Config {
  const refuse = (found: string, expected: string): RangeError => {
    const fix = "choose a model of the GPT-2 family, such as distilgpt2 or fledge-base";
    return new RangeError(problem({ cannot: `use the model of ${source}`, found, expected, fix }));
  };
  if (json.model_type !== "gpt2") {
    throw refuse(`model_type ${JSON.stringify(json.model_type) ?? "missing"}`, 'model_type "gpt2"');
  }
  const activation = json.activation_function ?? "gelu_new";
  if (!GELU_TANH.includes(String(activation))) {
    throw refuse(`activation_function ${JSON.stringify(activation)}`, 'activation_function "gelu_new"');
  }
  for (const [key, value] of REQUIRED) {
    if ((json[key] ?? value) !== value) throw refuse(`${key} ${JSON.stringify(json[key])}`, `${key} ${value}`);
  }
  if (json.quantization_config) throw refuse("quantized weights (quantization_config)", "plain floating-point weights");

  const vocabularySize = integer(json, "vocab_size", DEFAULTS.vocabularySize, source);
  const width = integer(json, "n_embd", DEFAULTS.width, source);
  const heads = integer(json, "n_head", DEFAULTS.heads, source);
  if (width % heads !== 0) throw refuse(`n_embd ${width} and n_head ${heads}`, "n_embd to be a multiple of n_head");
  if ((json.n_inner ?? 4 * width) !== 4 * width)
    throw refuse(`n_inner ${json.n_inner}`, `n_inner null or ${4 * width}`);

  const layerNormEpsilon = json.layer_norm_epsilon ?? DEFAULTS.layerNormEpsilon;
  if (typeof layerNormEpsilon !== "number" || !(layerNormEpsilon > 0)) {
    throw wrongType(source, "layer_norm_epsilon", layerNormEpsilon, "a number above 0");
  }
  const eos = Array.isArray(json.eos_token_id) ? json.eos_token_id[0] : json.eos_token_id;
  const endOfTextId = integer({ eos_token_id: eos }, "eos_token_id", vocabularySize - 1, source, 0);
  if (endOfTextId >= vocabularySize) {
    throw refuse(`eos_token_id ${endOfTextId}`, `an id below vocab_size ${vocabularySize}`);
  }
  const tied = json.tie_word_embeddings ?? true;
  if (typeof tied !== "boolean") throw wrongType(source, "tie_word_embeddings", tied, "true or false");
  return {
    vocabularySize,
    positions: integer(json, "n_positions", DEFAULTS.positions, source),
    width,
    layers: integer(json, "n_layer", DEFAULTS.layers, source),
    heads,
    layerNormEpsilon,
    endOfTextId,
    ...(!tied && { untiedHead: true }),
  };
}

function integer(
  json: Readonly<Record<string, unknown>>,
  key: string,
  absent: number,
  source: string,
  smallest = 1,
): number {
  const value = json[key] ?? absent;
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < smallest) {
    throw wrongType(source, key, value, `an integer ≥ ${smallest}`);
  }
  return value;
}

function wrongType(source: string, key: string, value: unknown, expected: string): TypeError {
  const found = `${key} ${JSON.stringify(value)}`;
  return new TypeError(problem({ cannot: `read ${source}`, found, expected, fix: `give ${key} its value again` }));
}

/**
 * The configuration as transformers and transformers.js read it. Dropout is 0 because Fledge trains without.
 *
 * @returns an object for `config.json`.
 */
export function toHuggingFaceConfig(config: Gpt2Config): Record<string, unknown> {
  return {
    architectures: ["GPT2LMHeadModel"],
    model_type: "gpt2",
    vocab_size: config.vocabularySize,
    n_positions: config.positions,
    n_ctx: config.positions,
    n_embd: config.width,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: null,
    activation_function: "gelu_new",
    layer_norm_epsilon: config.layerNormEpsilon,
    resid_pdrop: 0,
    embd_pdrop: 0,
    attn_pdrop: 0,
    scale_attn_weights: true,
    tie_word_embeddings: config.untiedHead !== true,
    use_cache: true,
    bos_token_id: config.endOfTextId,
    eos_token_id: config.endOfTextId,
    torch_dtype: "float32",
  };
}

/**
 * The weights of a GPT-2 by their Hugging Face names, in the order they are used; {@link headName} says which is the head.
 * Dense layers are Conv1D, stored [in, out].
 *
 * @returns name → shape.
 * @example
 * weightShapes(config).get("transformer.h.0.attn.c_attn.weight"); // [C, 3C]
 */
export function weightShapes(config: Gpt2Config): Map<string, readonly number[]> {
  const { vocabularySize: V, positions: P, width: C, layers } = config;
  const shapes = new Map<string, readonly number[]>();
  const dense = (name: string, input: number, output: number): void => {
    shapes.set(`${name}.weight`, [input, output]);
    shapes.set(`${name}.bias`, [output]);
  };
  const layerNorm = (name: string): void => {
    shapes.set(`${name}.weight`, [C]);
    shapes.set(`${name}.bias`, [C]);
  };
  shapes.set("transformer.wte.weight", [V, C]);
  shapes.set("transformer.wpe.weight", [P, C]);
  for (let layer = 0; layer < layers; layer++) {
    const h = `transformer.h.${layer}`;
    layerNorm(`${h}.ln_1`);
    dense(`${h}.attn.c_attn`, C, 3 * C);
    dense(`${h}.attn.c_proj`, C, C);
    layerNorm(`${h}.ln_2`);
    dense(`${h}.mlp.c_fc`, C, 4 * C);
    dense(`${h}.mlp.c_proj`, 4 * C, C);
  }
  layerNorm("transformer.ln_f");
  if (config.untiedHead) shapes.set(headName(config), [V, C]);
  return shapes;
}

/**
 * The weight [V, C] that turns hidden states into logits.
 *
 * @returns `transformer.wte.weight`, the token embedding again, or `lm_head.weight` where the head is untied
 */
export function headName(config: Gpt2Config): string {
  return config.untiedHead ? "lm_head.weight" : "transformer.wte.weight";
}

/** How many numbers a model learns: distilgpt2 has 81,912,576. */
export function parameterCount(config: Gpt2Config): number {
  return [...weightShapes(config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0);
}

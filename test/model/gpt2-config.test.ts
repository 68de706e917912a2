/** GPT-2 configurations: what is read, refused by name and written back, and the shapes that follow from it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { sizeOf } from "../../src/engine/program.js";
import { readJson } from "../../src/files.js";
import {
  type Gpt2Config,
  headName,
  parameterCount,
  parseGpt2Config,
  toHuggingFaceConfig,
  weightShapes,
} from "../../src/model/gpt2-config.js";
import { readSafetensorsHeader } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";

const golden = join(packageRoot(), "test/fixtures/golden-gpt2-tiny");

const distilgpt2: Gpt2Config = {
  vocabularySize: 50257,
  positions: 1024,
  width: 768,
  layers: 6,
  heads: 12,
  layerNormEpsilon: 1e-5,
  endOfTextId: 50256,
};

test("parseGpt2Config() reads the golden model", async () => {
  assert.deepEqual(parseGpt2Config(await readJson(join(golden, "config.json"), "the configuration")), {
    vocabularySize: 97,
    positions: 32,
    width: 48,
    layers: 2,
    heads: 4,
    layerNormEpsilon: 1e-5,
    endOfTextId: 96,
  });
});

test("parseGpt2Config() takes transformers' defaults for what is missing", () => {
  assert.deepEqual(parseGpt2Config({ model_type: "gpt2", n_layer: 6 }), distilgpt2);
  const stored = { model_type: "gpt2", n_layer: 6, activation_function: "gelu_pytorch_tanh", eos_token_id: [50256] };
  assert.deepEqual(parseGpt2Config(stored), distilgpt2);
});

test("toHuggingFaceConfig() then parseGpt2Config() gives the configuration back", () => {
  assert.deepEqual(parseGpt2Config(toHuggingFaceConfig(distilgpt2)), distilgpt2);
});

test("parseGpt2Config() and toHuggingFaceConfig() keep an untied head, which weightShapes() then names", () => {
  const untied = parseGpt2Config({ model_type: "gpt2", n_layer: 6, tie_word_embeddings: false });
  assert.deepEqual(untied, { ...distilgpt2, untiedHead: true });
  assert.equal(toHuggingFaceConfig(untied).tie_word_embeddings, false);
  assert.deepEqual(weightShapes(untied).get("lm_head.weight"), [50257, 768]);
  assert.equal(headName(untied), "lm_head.weight");
  assert.equal(headName(distilgpt2), "transformer.wte.weight");
});

test("weightShapes() are the golden file's names, shapes and order", async () => {
  const config = parseGpt2Config(await readJson(join(golden, "config.json"), "the configuration"));
  const { entries } = await readSafetensorsHeader(join(golden, "model.safetensors"));
  assert.deepEqual(
    [...weightShapes(config)],
    entries.map(({ name, shape }) => [name, shape]),
  );
});

test("parameterCount() is the published number of distilgpt2 and gpt2", () => {
  assert.equal(parameterCount(distilgpt2), 81_912_576);
  assert.equal(parameterCount({ ...distilgpt2, layers: 12 }), 124_439_808);
  assert.equal(sizeOf([]), 1);
});

const wrong: [json: Record<string, unknown>, error: string, message: RegExp][] = [
  [
    { model_type: "llama" },
    "RangeError",
    /use the model of x: model_type "llama", expected model_type "gpt2"\. Fix: choose a model/,
  ],
  [{ model_type: undefined }, "RangeError", /model_type missing/],
  [
    { activation_function: "relu" },
    "RangeError",
    /activation_function "relu", expected activation_function "gelu_new"/,
  ],
  [{ scale_attn_by_inverse_layer_idx: true }, "RangeError", /scale_attn_by_inverse_layer_idx true, expected .+ false/],
  [{ scale_attn_weights: false }, "RangeError", /scale_attn_weights false, expected scale_attn_weights true/],
  [{ add_cross_attention: true }, "RangeError", /add_cross_attention true/],
  [{ tie_word_embeddings: "no" }, "TypeError", /tie_word_embeddings "no", expected true or false/],
  [{ quantization_config: { bits: 8 } }, "RangeError", /quantized weights/],
  [{ n_embd: 10, n_head: 4 }, "RangeError", /n_embd 10 and n_head 4, expected n_embd to be a multiple of n_head/],
  [{ n_inner: 100 }, "RangeError", /n_inner 100, expected n_inner null or 3072/],
  [{ eos_token_id: 50257 }, "RangeError", /eos_token_id 50257, expected an id below vocab_size 50257/],
  [{ n_layer: 0 }, "TypeError", /read x: n_layer 0, expected an integer ≥ 1\. Fix: give n_layer its value again/],
  [{ n_layer: "6" }, "TypeError", /n_layer "6", expected an integer/],
  [{ vocab_size: 1.5 }, "TypeError", /vocab_size 1.5/],
  [{ eos_token_id: -1 }, "TypeError", /eos_token_id -1, expected an integer ≥ 0/],
  [{ layer_norm_epsilon: 0 }, "TypeError", /layer_norm_epsilon 0, expected a number above 0/],
];

for (const [json, name, message] of wrong) {
  test(`parseGpt2Config() refuses ${JSON.stringify(json)}`, () => {
    assert.throws(() => parseGpt2Config({ model_type: "gpt2", ...json }, "x"), { name, message });
  });
}

/**
 * GPT-2 as an ONNX graph with a cache of keys and values. In: configuration, weights, how weights are stored. Out: a graph
 * with the inputs and outputs that transformers.js asks for, in plain operators of ONNX's own set. The formulas are those of
 * model/gpt2.ts. Activations are 32-bit floats whatever the weights are.
 * Dimensions: B batch, T new tokens, P cached ones, S = P + T, C width, H heads, D = C / H, V vocabulary.
 */
import type { Gpt2Config } from "../model/gpt2-config.js";
import { OnnxGraph, type Value } from "./onnx-graph.js";
import { type OnnxDtype, weightReader } from "./onnx-weights.js";

// Far below any score, yet finite, so that no row of a softmax can become NaN.
const MASKED_SCORE = -1e9;

/**
 * Builds the graph.
 *
 * @param weights by Hugging Face name, as `loadPretrained` gives them
 * @returns inputs `input_ids` [B, T], `attention_mask` [B, S], `position_ids` [B, T], `past_key_values.N.key|value` [B, H, P, D];
 *   outputs `logits` [B, T, V], `present.N.key|value` [B, H, S, D]
 */
export function gpt2Graph(config: Gpt2Config, weights: ReadonlyMap<string, Float32Array>, dtype: OnnxDtype): OnnxGraph {
  const { layers, heads, width, vocabularySize } = config;
  const D = width / heads;
  const graph = new OnnxGraph("gpt2");
  const read = weightReader(graph, config, weights, dtype);
  const ids = graph.input("input_ids", "int64", ["B", "T"]);
  const mask = graph.input("attention_mask", "int64", ["B", "S"]);
  const positions = graph.input("position_ids", "int64", ["B", "T"]);
  const scores = scoreMask(graph, ids, mask);
  const normal = (x: Value, name: string): Value =>
    graph.add("LayerNormalization", [x, read.vector(`${name}.weight`), read.vector(`${name}.bias`)], {
      axis: -1,
      epsilon: { float: config.layerNormEpsilon },
    });
  const cached = (name: string): Value => graph.input(name, "float32", ["B", heads, "P", D]);

  let x = graph.add("Add", [read.rows("transformer.wte.weight", ids), read.rows("transformer.wpe.weight", positions)]);
  for (let layer = 0; layer < layers; layer++) {
    const h = `transformer.h.${layer}`;
    const past = { key: cached(`past_key_values.${layer}.key`), value: cached(`past_key_values.${layer}.value`) };
    const qkv = read.linear(normal(x, `${h}.ln_1`), `${h}.attn.c_attn`); // [B, T, 3C]
    const { mixed, key, value } = attention(graph, config, qkv, past, scores);
    graph.output(key, `present.${layer}.key`, "float32", ["B", heads, "S", D]);
    graph.output(value, `present.${layer}.value`, "float32", ["B", heads, "S", D]);
    x = graph.add("Add", [x, read.linear(mixed, `${h}.attn.c_proj`)]);
    const expanded = gelu(graph, read.linear(normal(x, `${h}.ln_2`), `${h}.mlp.c_fc`)); // [B, T, 4C]
    x = graph.add("Add", [x, read.linear(expanded, `${h}.mlp.c_proj`)]);
  }
  graph.output(read.logits(normal(x, "transformer.ln_f")), "logits", "float32", ["B", "T", vocabularySize]);
  return graph;
}

/** What is added to the scores [B, H, T, S]: 0 where a token may look, very negative at later tokens and at padding. */
function scoreMask(graph: OnnxGraph, ids: Value, mask: Value): Value {
  const size = (value: Value): Value =>
    graph.add("Gather", [graph.add("Shape", [value]), graph.integers(1)], { axis: 0 });
  const S = size(mask);
  const range = (start: Value): Value => graph.add("Range", [start, S, graph.integers(1)]);
  const queries = graph.add("Unsqueeze", [range(graph.add("Sub", [S, size(ids)])), graph.integers([1])]); // [T, 1]
  const causal = graph.add("LessOrEqual", [range(graph.integers(0)), queries]); // [T, S]
  const present = graph.add("Unsqueeze", [graph.add("Cast", [mask], { to: 9 }), graph.integers([1, 2])]); // [B, 1, 1, S]
  const seen = graph.add("And", [causal, present]); // [B, 1, T, S]
  return graph.add("Where", [seen, graph.scalar(0), graph.scalar(MASKED_SCORE)]);
}

function attention(
  graph: OnnxGraph,
  { heads, width }: Gpt2Config,
  qkv: Value,
  past: { readonly key: Value; readonly value: Value },
  scores: Value,
): { mixed: Value; key: Value; value: Value } {
  const D = width / heads;
  const split = graph.addMany("Split", [qkv, graph.integers([width, width, width])], 3, { axis: -1 });
  const [query, newKey, newValue] = split.map((part) => {
    const byHead = graph.add("Reshape", [part, graph.integers([0, 0, heads, D])]);
    return graph.add("Transpose", [byHead], { perm: [0, 2, 1, 3] }); // [B, H, T, D]
  }) as [Value, Value, Value];
  const key = graph.add("Concat", [past.key, newKey], { axis: 2 }); // [B, H, S, D]
  const value = graph.add("Concat", [past.value, newValue], { axis: 2 });
  const scaled = graph.add("Mul", [query, graph.scalar(1 / Math.sqrt(D))]);
  const raw = graph.add("MatMul", [scaled, graph.add("Transpose", [key], { perm: [0, 1, 3, 2] })]); // [B, H, T, S]
  const shares = graph.add("Softmax", [graph.add("Add", [raw, scores])], { axis: -1 });
  const byHead = graph.add("MatMul", [shares, value]); // [B, H, T, D]
  const joined = graph.add("Transpose", [byHead], { perm: [0, 2, 1, 3] });
  return { mixed: graph.add("Reshape", [joined, graph.integers([0, 0, width])]), key, value };
}

// x/2 (1 + tanh(√(2/π) x (1 + 0.044715 x²))), in the shape that onnxruntime fuses into one operator.
function gelu(graph: OnnxGraph, x: Value): Value {
  const squared = graph.add("Mul", [graph.add("Mul", [x, graph.scalar(0.044715)]), x]);
  const inner = graph.add("Mul", [
    graph.add("Mul", [x, graph.scalar(Math.sqrt(2 / Math.PI))]),
    graph.add("Add", [squared, graph.scalar(1)]),
  ]);
  const gate = graph.add("Add", [graph.add("Tanh", [inner]), graph.scalar(1)]);
  return graph.add("Mul", [graph.add("Mul", [x, graph.scalar(0.5)]), gate]);
}

/**
 * A GPT-2's weights inside an ONNX graph: stored once each, and used where the graph asks for them. In: the weights and how
 * they are to be stored. Out: nodes that look up rows and multiply matrices. Biases, LayerNorm and positions stay 32-bit.
 * The int8 form is what ONNX Runtime calls dynamic quantisation: activations are quantised as they come, products are integers.
 */
import { type Gpt2Config, headName, weightShapes } from "../model/gpt2-config.js";
import { toFloat16 } from "../model/half.js";
import { ELEMENT, type OnnxGraph, type Value } from "./onnx-graph.js";
import { type Quantized, quantizeColumns, quantizeRows } from "./quantize.js";

/** How the weights of an ONNX file are stored. */
export type OnnxDtype = "fp32" | "fp16" | "int8";

/** How a graph uses the weights of a model. */
export interface WeightReader {
  /** A bias, or a scale of LayerNorm. */
  vector(name: string): Value;
  /** Rows of an embedding by id: ids [B, T] → [B, T, C]. */
  rows(name: string, ids: Value): Value;
  /** x [B, T, in] → [B, T, out], with weight and bias of that prefix. */
  linear(x: Value, prefix: string): Value;
  /** Hidden states [B, T, C] → [B, T, V]. */
  logits(hidden: Value): Value;
}

/** Chooses how the weights are stored and used. */
export function weightReader(
  graph: OnnxGraph,
  config: Gpt2Config,
  weights: ReadonlyMap<string, Float32Array>,
  dtype: OnnxDtype,
): WeightReader {
  const shapes = weightShapes(config);
  const array = (name: string) => {
    return { shape: shapes.get(name) as readonly [number, number], data: weights.get(name) as Float32Array };
  };
  const vector = (name: string) => graph.store(name, () => ({ type: "float32", ...array(name) }));
  return { vector, ...(dtype === "int8" ? quantized() : plain()) };

  function plain(): Omit<WeightReader, "vector"> {
    // onnxruntime widens a stored float16 once, when it opens the file.
    const matrix = (name: string): Value => {
      if (dtype === "fp32") return vector(name);
      const stored = graph.store(name, () => ({ ...array(name), type: "float16", data: toFloat16(array(name).data) }));
      return graph.add("Cast", [stored], { to: ELEMENT.float32 });
    };
    return {
      rows: (name, ids) => graph.add("Gather", [matrix(name), ids], { axis: 0 }),
      linear: (x, prefix) => biased(graph.add("MatMul", [x, matrix(`${prefix}.weight`)]), prefix),
      logits(hidden) {
        // Gemm reads the head [V, C] as it lies, so that a tied one is stored once; it takes matrices only.
        const rows = graph.add("Reshape", [hidden, graph.integers([-1, config.width])]);
        const product = graph.add("Gemm", [rows, matrix(headName(config))], { transB: 1 }); // [B*T, V]
        const outer = graph.add("Slice", [graph.add("Shape", [hidden]), graph.integers([0]), graph.integers([2])]);
        const shape = graph.add("Concat", [outer, graph.integers([config.vocabularySize])], { axis: 0 });
        return graph.add("Reshape", [product, shape]);
      },
    };
  }

  function quantized(): Omit<WeightReader, "vector"> {
    // A table by rows serves both as embedding and, turned, as head.
    const table = (name: string) => stored(name, () => quantizeRows(array(name).data, array(name).shape[1]));
    return {
      rows(name, ids) {
        if (name === "transformer.wpe.weight") return graph.add("Gather", [vector(name), ids], { axis: 0 });
        const { integers, scales } = table(name);
        const picked = graph.add("Cast", [graph.add("Gather", [integers, ids], { axis: 0 })], { to: ELEMENT.float32 });
        const scale = graph.add("Unsqueeze", [graph.add("Gather", [scales, ids], { axis: 0 }), graph.integers([-1])]);
        return graph.add("Mul", [graph.add("Sub", [picked, graph.scalar(ZERO)]), scale]);
      },
      linear(x, prefix) {
        const name = `${prefix}.weight`;
        return biased(
          product(
            x,
            stored(name, () => quantizeColumns(array(name).data, array(name).shape[1])),
          ),
          prefix,
        );
      },
      logits(hidden) {
        const { integers, scales } = table(headName(config));
        return product(hidden, { integers: graph.add("Transpose", [integers], { perm: [1, 0] }), scales });
      },
    };
  }

  function stored(name: string, quantize: () => Quantized): Readonly<Record<keyof Quantized, Value>> {
    let result: Quantized | undefined;
    const once = (): Quantized => {
      result ??= quantize();
      return result;
    };
    return {
      integers: graph.store(`${name}.integers`, () => {
        return { type: "uint8", shape: array(name).shape, data: Uint8Array.from(once().integers, (i) => i + ZERO) };
      }),
      scales: graph.store(`${name}.scales`, () => {
        return { type: "float32", shape: [once().scales.length], data: once().scales };
      }),
    };
  }

  // x is quantised with one scale for the whole of it; integer sums are exact, then both scales are multiplied back.
  function product(x: Value, { integers, scales }: Readonly<Record<keyof Quantized, Value>>): Value {
    const [quantizedX, scaleX, zeroX] = graph.addMany("DynamicQuantizeLinear", [x], 3) as [Value, Value, Value];
    const zero = graph.store("zero", () => ({ type: "uint8", shape: [], data: Uint8Array.of(ZERO) }));
    const sums = graph.add("MatMulInteger", [quantizedX, integers, zeroX, zero]);
    const scale = graph.add("Mul", [scaleX, scales]);
    return graph.add("Mul", [graph.add("Cast", [sums], { to: ELEMENT.float32 }), scale]);
  }

  function biased(sum: Value, prefix: string): Value {
    return graph.add("Add", [sum, vector(`${prefix}.bias`)]);
  }
}

// Weights are stored unsigned, 128 standing for 0: products of an unsigned and a signed byte overflow, pair by pair, on
// x86 processors without VNNI.
const ZERO = 128;

/**
 * Products of matrices and the cross entropy of a program as TensorFlow operations: what a step spends its time in. In: an
 * operation and the handles of what it takes. Out: the handles of its results. It opens no session.
 */
import type { Operation, Value } from "./program.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { TfOutput } from "./tensorflow-library.js";
import { cast, reshape } from "./to-tensorflow-updates.js";

/** What products are added to. */
export interface ProductContext {
  readonly graph: TensorFlowGraph;
  /** The handle of a value made before. */
  handle(id: number): TfOutput;
  value(id: number): Value;
}

/** Adds a product. Two matrices run as MatMul, which TensorFlow's CPU kernels do faster than a batch of one. */
export function matMul(context: ProductContext, operation: Extract<Operation, { name: "matMul" }>): TfOutput {
  const { graph } = context;
  const { transposeA, transposeB, compute } = operation.attributes;
  const result = operation.outputs[0] as Value;
  const single = result.shape.slice(0, -2).every((size) => size === 1);
  const operands = operation.inputs.map((id) => {
    const matrix = single ? context.value(id).shape.slice(-2) : context.value(id).shape;
    const shaped = reshape(graph, context.handle(id), matrix, "float32", context.value(id).shape);
    return compute === "bfloat16" ? cast(graph, shaped, "float32", "bfloat16") : shaped;
  });
  const T = { type: compute };
  const product = single
    ? graph.output("MatMul", {
        inputs: operands,
        attributes: { T, transpose_a: { bool: transposeA }, transpose_b: { bool: transposeB } },
      })
    : graph.output("BatchMatMulV2", {
        inputs: operands,
        attributes: { T, adj_x: { bool: transposeA }, adj_y: { bool: transposeB } },
      });
  const full = compute === "bfloat16" ? cast(graph, product, "bfloat16", "float32") : product;
  return reshape(graph, full, result.shape, "float32", single ? result.shape.slice(-2) : result.shape);
}

/** Adds the sum of a matrix' rows, as a product with ones: TensorFlow's Sum takes nearly twice as long on a CPU. */
export function sumOfRows(graph: TensorFlowGraph, x: TfOutput, [N, C]: readonly [number, number]): TfOutput {
  const ones = graph.constant(new Float32Array(N).fill(1), [1, N], "float32");
  const row = graph.output("MatMul", { inputs: [ones, x], attributes: { T: { type: "float32" } } }); // [1, C]
  return reshape(graph, row, [C], "float32");
}

/**
 * Adds a cross entropy. The softmax of oneDNN is ten times as fast as TensorFlow's fused cross entropy. The gradient is made in
 * its memory, by one subtraction a row, for which nothing else may use that softmax: a mark of its own keeps TensorFlow from
 * making it one with an equal softmax. The loss takes log Σ exp from the likeliest token, whose probability is never rounded to 0.
 *
 * @param mark a number that no other cross entropy of the program has
 */
export function sparseCrossEntropy(
  graph: TensorFlowGraph,
  [logits, targets]: [TfOutput, TfOutput],
  { shape }: Value,
  mark: number,
) {
  const [N, V] = shape as [number, number];
  const [T, int32] = [{ type: "float32" }, { type: "int32" }] as const;
  const rows = graph.integers(Array.from({ length: N }, (_, row) => row * V));
  const places = graph.output("AddV2", { inputs: [rows, targets], attributes: { T: int32 } }); // [N] of [N*V]
  const flat = (x: TfOutput) => reshape(graph, x, [N * V, 1], "float32");
  const likeliest = (x: TfOutput) => {
    const attributes = { T, Tidx: int32, keep_dims: { bool: false } };
    return graph.output("Max", { inputs: [x, graph.integers([1])], attributes }); // [N]
  };
  const probabilities = graph.output("Softmax", { inputs: [logits], attributes: { T, _mark: { int: mark } } });
  const logOfLikeliest = graph.output("Log", { inputs: [likeliest(probabilities)], attributes: { T } });
  const total = graph.output("Sub", { inputs: [likeliest(logits), logOfLikeliest], attributes: { T } }); // log Σ exp
  const picked = graph.output("GatherV2", {
    inputs: [reshape(graph, logits, [N * V], "float32"), places, graph.integers([0], [])],
    attributes: { Tparams: T, Tindices: int32, Taxis: int32 },
  });
  const loss = graph.output("Sub", { inputs: [total, picked], attributes: { T } });
  const ones = graph.constant(new Float32Array(N).fill(1), [N, 1], "float32");
  // TensorScatterSub would copy the probabilities.
  const gradient = graph.output("InplaceSub", {
    inputs: [flat(probabilities), places, ones],
    attributes: { T },
    after: [logOfLikeliest.oper],
  });
  return [loss, reshape(graph, gradient, [N, V], "float32")];
}

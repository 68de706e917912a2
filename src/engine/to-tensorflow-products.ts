/**
 * Products of matrices and the cross entropy of a program as TensorFlow operations: what a step spends its time in. In: an
 * operation and the handles of what it takes. Out: the handles of its results. It opens no session.
 */
import type { DType } from "./engine.js";
import type { Operation, Value } from "./program.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { Pointer, TfOutput } from "./tensorflow-library.js";
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
 * Adds a cross entropy. The softmax of oneDNN is ten times as fast as TensorFlow's fused cross entropy. Probabilities and gradient are
 * made in the memory of the logits, once these are read; the loss takes log Σ exp from the likeliest token, whose probability is never rounded to 0.
 */
export function sparseCrossEntropy(graph: TensorFlowGraph, [logits, targets]: [TfOutput, TfOutput], { shape }: Value) {
  const N = shape[0] as number;
  const T = { type: "float32" } as const;
  const [Tindices, Tparams] = [{ type: "int32" } as const, T];
  const rows = graph.integers(Array.from({ length: N }, (_, row) => row));
  const pack = { N: { int: 2 }, T: Tindices, axis: { int: 1 } };
  const places = graph.output("Pack", { inputs: [[rows, targets]], attributes: pack }); // [N, 2]
  const likeliest = (x: TfOutput) => {
    const attributes = { T, Tidx: Tindices, keep_dims: { bool: false } };
    return graph.output("Max", { inputs: [x, graph.integers([1])], attributes }); // [N]
  };
  const largest = likeliest(logits);
  const picked = graph.output("GatherNd", { inputs: [logits, places], attributes: { Tparams, Tindices } });
  const read = [largest.oper, picked.oper];
  const probabilities = graph.output("Softmax", { inputs: [logits], attributes: { T }, after: read });
  const logOfLikeliest = graph.output("Log", { inputs: [likeliest(probabilities)], attributes: { T } });
  const total = graph.output("Sub", { inputs: [largest, logOfLikeliest], attributes: { T } }); // log Σ exp
  const loss = graph.output("Sub", { inputs: [total, picked], attributes: { T } });
  const minusOnes = graph.constant(new Float32Array(N).fill(-1), [N], "float32");
  const gradient = addAt(graph, probabilities, places, minusOnes, T, [logOfLikeliest.oper]);
  return [loss, gradient];
}

/**
 * Adds to some elements or rows, in the memory of the array where nothing else needs it. (TensorScatterAdd copies it always.)
 *
 * @param places index tuples [..., depth] of int32
 */
export function addAt(
  graph: TensorFlowGraph,
  x: TfOutput,
  places: TfOutput,
  updates: TfOutput,
  T: { readonly type: DType },
  after: readonly Pointer[] = [],
): TfOutput {
  const attributes = { T, Tindices: { type: "int32" } } as const;
  return graph.output("ScatterNdNonAliasingAdd", { inputs: [x, places, updates], attributes, after });
}

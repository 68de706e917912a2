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

/**
 * Adds a cross entropy. The softmax of oneDNN is ten times as fast as TensorFlow's fused cross entropy. The gradient is made in
 * its memory, by one subtraction a row; the loss takes log Σ exp from the likeliest token, whose probability is never rounded to 0.
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
  const probabilities = graph.output("Softmax", { inputs: [logits], attributes: { T } });
  const logOfLikeliest = graph.output("Log", { inputs: [likeliest(probabilities)], attributes: { T } });
  const total = graph.output("Sub", { inputs: [likeliest(logits), logOfLikeliest], attributes: { T } }); // log Σ exp
  const picked = graph.output("GatherNd", { inputs: [logits, places], attributes: { Tparams, Tindices } });
  const loss = graph.output("Sub", { inputs: [total, picked], attributes: { T } });
  const ones = graph.constant(new Float32Array(N).fill(1), [N], "float32");
  const gradient = graph.output("TensorScatterSub", {
    inputs: [probabilities, places, ones],
    attributes: { T, Tindices },
    after: [logOfLikeliest.oper],
  });
  return [loss, gradient];
}

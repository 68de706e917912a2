/**
 * Runs of operations that one oneDNN kernel of TensorFlow does at once, for programs whose weights stay as they are: a linear
 * layer of several rows with its GELU or its residual. In: the last operation of a run. Out: the handle of the one that stands for
 * it, or nothing where no such run ends. The operations before it are there already; TensorFlow leaves out what nobody asks for.
 * Source: tensorflow/core/kernels/mkl/mkl_matmul_op_fused.cc.
 */
import type { Operation, OperationName, Value } from "./program.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { TfOutput } from "./tensorflow-library.js";

/** What the fused operations are added to. */
export interface FusionContext {
  readonly graph: TensorFlowGraph;
  /** The handle of a value made before. */
  handle(id: number): TfOutput;
  value(id: number): Value;
  /** The operation that made a value. */
  maker(id: number): Operation;
}

/** Any value, by a name that stands for the same one each time; a number; or an operation on patterns. */
type Pattern = string | number | readonly [OperationName, ...Pattern[]];
/** Values by their names, and what the operations made by the operations' names. */
type Found = Readonly<Record<string, number>>;

const product: Pattern = ["matMul", "x", "weight"];
const linear: Pattern = ["add", product, "bias"];
const linearAndResidual: Pattern = ["add", "residual", linear];
// As model/gpt2.ts writes it.
const c = Math.sqrt(2 / Math.PI);
const slope: Pattern = ["add", ["multiply", ["square", "y"], 0.044715 * c], c];
const gelu: Pattern = ["multiply", "y", ["multiply", ["add", ["tanh", ["multiply", "y", slope]], 1], 0.5]];

/** Adds the fused form of the run that ends with an operation, if one does. */
export function fused(context: FusionContext, operation: Operation): TfOutput | undefined {
  const id = operation.outputs[0]?.id as number;
  switch (operation.name) {
    case "add":
      return (
        packed(context, match(context, id, linearAndResidual), "Add") ?? packed(context, match(context, id, linear))
      );
    case "matMul":
      return packed(context, match(context, id, product));
    case "multiply": {
      const found = match(context, id, gelu);
      return found && packed(context, match(context, found.y as number, linear), "GeluApproximate");
    }
    default:
      return undefined;
  }
}

// What the names of a pattern stand for, if the value with this id was made so.
function match(context: FusionContext, id: number, pattern: Pattern, found: Found = {}): Found | undefined {
  if (typeof pattern === "string") return (found[pattern] ?? id) === id ? { ...found, [pattern]: id } : undefined;
  if (typeof pattern === "number") return numberOf(context, id) === Math.fround(pattern) ? found : undefined;
  const { name, inputs } = context.maker(id);
  const [expected, ...parts] = pattern;
  if (name !== expected || inputs.length !== parts.length) return undefined;
  return parts.reduce<Found | undefined>(
    (found, part, i) => found && match(context, inputs[i] as number, part, found),
    { ...found, [name]: id },
  );
}

// The product of several rows with a variable. The kernel keeps a copy of the weights in the order in which it multiplies, and never
// looks at them again. One row is left as it is: it takes as long as reading the weights in either order.
function packed(context: FusionContext, found: Found | undefined, then?: "Add" | "GeluApproximate") {
  if (!found) return undefined;
  const { graph } = context;
  const { x, weight, bias, residual, matMul } = found as Record<string, number>;
  const { attributes } = context.maker(matMul as number) as Extract<Operation, { name: "matMul" }>;
  const [rows, width] = context.value(matMul as number).shape as [number, number];
  const isPackable = context.value(x as number).shape.length === 2 && rows > 1 && isVariable(context, weight);
  if (!isPackable || attributes.compute !== "float32" || (bias !== undefined && !isVariable(context, bias)))
    return undefined;
  const zeros = () => graph.constant(new Float32Array(width), [width], "float32");
  const rest = [
    bias === undefined ? zeros() : context.handle(bias),
    ...(then === "Add" ? [context.handle(residual as number)] : []),
  ];
  return graph.output("_MklNativeFusedMatMul", {
    inputs: [context.handle(x as number), context.handle(weight as number), rest],
    attributes: {
      T: { type: "float32" },
      transpose_a: { bool: attributes.transposeA },
      transpose_b: { bool: attributes.transposeB },
      num_args: { int: rest.length },
      fused_ops: { strings: then ? ["BiasAdd", then] : ["BiasAdd"] },
      is_filter_const: { bool: true },
      _kernel: { string: "MklNameChangeOp" },
    },
  });
}

function isVariable(context: FusionContext, id: number | undefined): boolean {
  return id !== undefined && context.maker(id).name === "read";
}

function numberOf(context: FusionContext, id: number): number | undefined {
  const { name, attributes } = context.maker(id);
  return name === "constant" && attributes.values.length === 1 ? attributes.values[0] : undefined;
}

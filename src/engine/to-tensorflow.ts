/**
 * Program → TensorFlow graph, operation for operation, run by TensorFlow's own kernels. In: a traced program and the
 * handles of the variables. Out: the graph's inputs, outputs and the state updates to run. It opens no session.
 */
import type { DType } from "./engine.js";
import type { Operation, Program, Value } from "./program.js";
import { hasEffect } from "./program.js";
import type { NodeSpec, TensorFlowGraph } from "./tensorflow-graph.js";
import type { Pointer, TfOutput } from "./tensorflow-library.js";

/** A program inside a graph. */
export interface EmittedProgram {
  readonly inputs: ReadonlyMap<string, TfOutput>;
  readonly outputs: ReadonlyMap<string, TfOutput>;
  /** Operations to run for their effect. */
  readonly effects: readonly Pointer[];
}

/** What an operation's emitter may use. */
interface Context {
  readonly graph: TensorFlowGraph;
  readonly variables: ReadonlyMap<string, TfOutput>;
  readonly inputs: Map<string, TfOutput>;
  /** The handle of a value made before. */
  handle(id: number): TfOutput;
  value(id: number): Value;
  readonly effects: Pointer[];
  /** What each variable's next read or update must wait for. */
  readonly uses: Map<string, VariableUses>;
}

/** Operations that touched a variable: its last update, and the reads since. */
interface VariableUses {
  written?: Pointer;
  readonly reads: Pointer[];
}

/**
 * Adds a program to a graph.
 *
 * @param variables resource handles by variable name
 */
export function emitTensorFlow(
  program: Program,
  graph: TensorFlowGraph,
  variables: ReadonlyMap<string, TfOutput>,
): EmittedProgram {
  const handles = new Map<number, TfOutput>();
  const values = new Map<number, Value>();
  const context: Context = {
    graph,
    variables,
    inputs: new Map(),
    effects: [],
    uses: new Map(),
    handle: (id) => handles.get(id) as TfOutput,
    value: (id) => values.get(id) as Value,
  };
  for (const operation of program.operations) {
    if (hasEffect(operation) && operation.outputs.length === 0) {
      context.effects.push(emitEffect(context, operation));
      continue;
    }
    const first = emit(context, operation);
    operation.outputs.forEach((value, index) => {
      values.set(value.id, value);
      handles.set(value.id, { oper: first.oper, index: first.index + index });
    });
  }
  const outputs = new Map([...program.outputs].map(([name, id]) => [name, context.handle(id)]));
  return { inputs: context.inputs, outputs, effects: context.effects };
}

const kernels: Partial<Record<Operation["name"], string>> = {
  abs: "Abs",
  add: "AddV2",
  divide: "RealDiv",
  equal: "Equal",
  erf: "Erf",
  exp: "Exp",
  greater: "Greater",
  greaterEqual: "GreaterEqual",
  less: "Less",
  lessEqual: "LessEqual",
  log: "Log",
  logicalAnd: "LogicalAnd",
  logicalNot: "LogicalNot",
  logicalOr: "LogicalOr",
  maximum: "Maximum",
  minimum: "Minimum",
  multiply: "Mul",
  multiplyNoNan: "MulNoNan",
  negate: "Neg",
  power: "Pow",
  reciprocal: "Reciprocal",
  rsqrt: "Rsqrt",
  select: "SelectV2",
  softmax: "Softmax",
  sqrt: "Sqrt",
  square: "Square",
  squaredDifference: "SquaredDifference",
  subtract: "Sub",
  tanh: "Tanh",
};
const reductionKernels = { reduceMax: "Max", reduceMean: "Mean", reduceSum: "Sum" } as const;

function emit(context: Context, operation: Operation): TfOutput {
  const { graph } = context;
  const inputs = operation.inputs.map((id) => context.handle(id));
  const result = operation.outputs[0] as Value;
  const source = operation.inputs[0] === undefined ? result : context.value(operation.inputs[0]);
  const T = { type: source.dtype };
  switch (operation.name) {
    case "constant":
      return graph.constant(operation.attributes.values, result.shape, result.dtype);
    case "input": {
      const attributes = { dtype: { type: result.dtype }, shape: { shape: result.shape } };
      const input = graph.output("Placeholder", { attributes });
      context.inputs.set(operation.attributes.name, input);
      return input;
    }
    case "read": {
      const uses = usesOf(context, operation.attributes.variable);
      const read = graph.output("ReadVariableOp", {
        inputs: [variable(context, operation.attributes.variable)],
        attributes: { dtype: { type: "float32" } },
        after: uses.written ? [uses.written] : [],
      });
      uses.reads.push(read.oper);
      return read;
    }
    case "assignSlice":
      return assignSlice(context, operation);
    case "fill": {
      const typed = result.dtype === "float32" ? Float32Array : result.dtype === "int32" ? Int32Array : Uint8Array;
      const value = graph.constant(typed.of(operation.attributes.value), [], result.dtype);
      const attributes = { T: { type: result.dtype }, index_type: { type: "int32" } } as const;
      return graph.output("Fill", { inputs: [graph.integers(result.shape), value], attributes });
    }
    case "cast":
      return cast(graph, inputs[0] as TfOutput, source.dtype, result.dtype);
    case "reshape":
      return reshape(graph, inputs[0] as TfOutput, result.shape, source.dtype);
    case "transpose": {
      const permutation = graph.integers(operation.attributes.permutation);
      return graph.output("Transpose", {
        inputs: [...inputs, permutation],
        attributes: { T, Tperm: { type: "int32" } },
      });
    }
    case "slice": {
      const { begin } = operation.attributes;
      const bounds = [graph.integers(begin), graph.integers(result.shape)];
      return graph.output("Slice", { inputs: [...inputs, ...bounds], attributes: { T, Index: { type: "int32" } } });
    }
    case "pad": {
      const { paddings, value } = operation.attributes;
      const widths = graph.integers(paddings.flat(), [paddings.length, 2]);
      const filler = graph.constant(Float32Array.of(value), [], "float32");
      const attributes = { T, Tpaddings: { type: "int32" } } as const;
      return graph.output("PadV2", { inputs: [...inputs, widths, filler], attributes });
    }
    case "tile": {
      const repeats = graph.integers(operation.attributes.repeats);
      return graph.output("Tile", { inputs: [...inputs, repeats], attributes: { T, Tmultiples: { type: "int32" } } });
    }
    case "concat": {
      const axis = graph.integers([operation.attributes.axis], []);
      const attributes = { N: { int: inputs.length }, T, Tidx: { type: "int32" } } as const;
      return graph.output("ConcatV2", { inputs: [inputs, axis], attributes });
    }
    case "reduceMax":
    case "reduceMean":
    case "reduceSum": {
      const { axes, keepDims } = operation.attributes;
      const attributes = { T, Tidx: { type: "int32" }, keep_dims: { bool: keepDims } } as const;
      return graph.output(reductionKernels[operation.name], { inputs: [...inputs, graph.integers(axes)], attributes });
    }
    case "gather": {
      const indices = context.value(operation.inputs[1] as number).dtype;
      const attributes = { Tparams: T, Tindices: { type: indices }, Taxis: { type: "int32" } } as const;
      const axis = graph.integers([operation.attributes.axis], []);
      return graph.output("GatherV2", { inputs: [...inputs, axis], attributes });
    }
    case "segmentSum": {
      const count = graph.integers([operation.attributes.segments], []);
      const attributes = { T, Tindices: { type: "int32" }, Tnumsegments: { type: "int32" } } as const;
      return graph.output("UnsortedSegmentSum", { inputs: [...inputs, count], attributes });
    }
    case "addN":
      return graph.output("AddN", { inputs: [inputs], attributes: { N: { int: inputs.length }, T } });
    case "matMul":
      return matMul(context, operation);
    case "sumOfSquares": {
      const half = graph.output("L2Loss", { inputs, attributes: { T } });
      return graph.output("AddV2", { inputs: [half, half], attributes: { T } });
    }
    case "sparseCrossEntropy":
      return graph.output("SparseSoftmaxCrossEntropyWithLogits", {
        inputs,
        attributes: { T, Tlabels: { type: "int32" } },
      });
    case "logicalAnd":
    case "logicalNot":
    case "logicalOr":
      return graph.output(kernels[operation.name] as string, { inputs });
    default: {
      const attributes = { T: { type: operation.name === "select" ? result.dtype : source.dtype } };
      return graph.output(kernels[operation.name] as string, { inputs, attributes });
    }
  }
}

// Products of two matrices run as MatMul, which TensorFlow's CPU kernels do faster than a batch of one.
function matMul(context: Context, operation: Extract<Operation, { name: "matMul" }>): TfOutput {
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

function emitEffect(context: Context, operation: Operation): Pointer {
  const inputs = operation.inputs.map((id) => context.handle(id));
  const dtype = { type: "float32" } as const;
  switch (operation.name) {
    case "assign":
    case "assignAdd": {
      const type = operation.name === "assign" ? "AssignVariableOp" : "AssignAddVariableOp";
      const name = operation.attributes.variable;
      const update = { inputs: [variable(context, name), ...inputs], attributes: { dtype } };
      return write(context, [name], type, update);
    }
    case "adam": {
      const [gradient, learningRate, beta1, beta2, beta1Power, beta2Power, epsilon] = inputs as [
        ...[TfOutput, TfOutput, TfOutput, TfOutput],
        ...[TfOutput, TfOutput, TfOutput],
      ];
      const names = [
        operation.attributes.variable,
        operation.attributes.firstMoment,
        operation.attributes.secondMoment,
      ];
      const scalars = [beta1Power, beta2Power, learningRate, beta1, beta2, epsilon];
      return write(context, names, "ResourceApplyAdam", {
        inputs: [...names.map((name) => variable(context, name)), ...scalars, gradient],
        attributes: { T: dtype },
      });
    }
    default:
      throw new Error(`${operation.name} has no effect.`);
  }
}

// The rows that hold the index, overwritten where they lie: InplaceUpdate gives back the buffer that it was given, which is
// the variable's own. An assignment would copy the whole variable at every token.
function assignSlice(context: Context, operation: Extract<Operation, { name: "assignSlice" }>): TfOutput {
  const { graph } = context;
  const name = operation.attributes.variable;
  const { shape } = operation.outputs[0] as Value;
  const [N, P] = shape as [number, number];
  const [value, index] = operation.inputs.map((id) => context.handle(id)) as [TfOutput, TfOutput];
  const uses = usesOf(context, name);
  const read = graph.output("ReadVariableOp", {
    inputs: [variable(context, name)],
    attributes: { dtype: { type: "float32" } },
    after: uses.written ? [uses.written] : [],
  });
  const first = graph.integers(Array.from({ length: N }, (_, row) => row * P));
  const rows = graph.output("AddV2", { inputs: [first, index], attributes: { T: { type: "int32" } } });
  const flat = (x: TfOutput, shape: readonly number[]) => reshape(graph, x, shape, "float32");
  const rest = shape.slice(2);
  const inputs = [flat(read, [N * P, ...rest]), rows, flat(value, [N, ...rest])];
  const updated = graph.output("InplaceUpdate", { inputs, attributes: { T: { type: "float32" } } });
  uses.written = updated.oper;
  context.effects.push(updated.oper);
  return flat(updated, shape);
}

// An update waits for the update before it and for every read since, so that the order of the step function holds.
function write(context: Context, names: readonly string[], type: string, spec: NodeSpec): Pointer {
  const touched = names.map((name) => usesOf(context, name));
  const after = touched.flatMap(({ written, reads }) => (written ? [written, ...reads] : reads));
  const update = context.graph.operation(type, { ...spec, after });
  for (const uses of touched) {
    uses.written = update;
    uses.reads.length = 0;
  }
  return update;
}

function usesOf(context: Context, name: string): VariableUses {
  const uses = context.uses.get(name) ?? { reads: [] };
  context.uses.set(name, uses);
  return uses;
}

function variable(context: Context, name: string): TfOutput {
  return context.variables.get(name) as TfOutput;
}

function cast(graph: TensorFlowGraph, x: TfOutput, from: DType | "bfloat16", to: DType | "bfloat16"): TfOutput {
  return graph.output("Cast", { inputs: [x], attributes: { SrcT: { type: from }, DstT: { type: to } } });
}

function reshape(
  graph: TensorFlowGraph,
  x: TfOutput,
  shape: readonly number[],
  dtype: DType,
  from?: readonly number[],
): TfOutput {
  if (from && from.length === shape.length) return x;
  const attributes = { T: { type: dtype }, Tshape: { type: "int32" } } as const;
  return graph.output("Reshape", { inputs: [x, graph.integers(shape)], attributes });
}

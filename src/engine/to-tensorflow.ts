/**
 * Program → TensorFlow graph, operation for operation, run by TensorFlow's own kernels. In: a traced program and the
 * handles of the variables. Out: the graph's inputs, outputs and the state updates to run. It opens no session.
 */
import type { DType } from "./engine.js";
import type { Operation, Program, Value } from "./program.js";
import { hasEffect } from "./program.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { Pointer, TfOutput } from "./tensorflow-library.js";
import { type FusionContext, fused } from "./to-tensorflow-fused.js";
import { addAt, matMul, sparseCrossEntropy, sumOfRows } from "./to-tensorflow-products.js";
import { randomUniform } from "./to-tensorflow-random.js";
import { assignSlice, cast, emitEffect, readVariable, reshape, type UpdateContext } from "./to-tensorflow-updates.js";

/** A program inside a graph. */
export interface EmittedProgram {
  readonly inputs: ReadonlyMap<string, TfOutput>;
  readonly outputs: ReadonlyMap<string, TfOutput>;
  /** Operations to run for their effect. */
  readonly effects: readonly Pointer[];
}

/** What an operation's emitter may use. */
interface Context extends UpdateContext, FusionContext {
  readonly platform: "CPU" | "CUDA";
  readonly inputs: Map<string, TfOutput>;
}

/**
 * Adds a program to a graph.
 *
 * @param variables resource handles by variable name
 * @param platform whose kernels run it
 * @param fuses whether the variables that it only reads keep their values, and oneDNN's kernels are there
 */
export function emitTensorFlow(
  program: Program,
  graph: TensorFlowGraph,
  variables: ReadonlyMap<string, TfOutput>,
  platform: "CPU" | "CUDA",
  fuses = false,
): EmittedProgram {
  const handles = new Map<number, TfOutput>();
  const values = new Map<number, Value>();
  const makers = new Map(program.operations.flatMap((made) => made.outputs.map(({ id }) => [id, made] as const)));
  const context: Context = {
    graph,
    variables,
    platform,
    inputs: new Map(),
    effects: [],
    uses: new Map(),
    handle: (id) => handles.get(id) as TfOutput,
    value: (id) => values.get(id) as Value,
    maker: (id) => makers.get(id) as Operation,
  };
  for (const operation of program.operations) {
    if (hasEffect(operation) && operation.outputs.length === 0) {
      context.effects.push(emitEffect(context, operation));
      continue;
    }
    for (const value of operation.outputs) values.set(value.id, value);
    const made = (fuses && fused(context, operation)) || emit(context, operation);
    operation.outputs.forEach((value, index) => {
      handles.set(value.id, "oper" in made ? { ...made, index: made.index + index } : (made[index] as TfOutput));
    });
  }
  const fed = new Set([...context.inputs.values()].map(({ oper }) => oper));
  const outputs = new Map(
    [...program.outputs].map(([name, id]) => {
      const handle = context.handle(id);
      // TensorFlow refuses to fetch what it is fed.
      const attributes = { T: { type: context.value(id).dtype } };
      return [name, fed.has(handle.oper) ? graph.output("Identity", { inputs: [handle], attributes }) : handle];
    }),
  );
  return { inputs: context.inputs, outputs, effects: context.effects };
}

const kernels: Partial<Record<Operation["name"], string>> = {
  abs: "Abs",
  add: "AddV2",
  atan2: "Atan2",
  ceil: "Ceil",
  cos: "Cos",
  divide: "RealDiv",
  equal: "Equal",
  erf: "Erf",
  exp: "Exp",
  expm1: "Expm1",
  floor: "Floor",
  floorDivide: "FloorDiv",
  greater: "Greater",
  greaterEqual: "GreaterEqual",
  less: "Less",
  isFinite: "IsFinite",
  isInf: "IsInf",
  isNan: "IsNan",
  lessEqual: "LessEqual",
  log: "Log",
  log1p: "Log1p",
  logicalAnd: "LogicalAnd",
  logicalNot: "LogicalNot",
  logicalOr: "LogicalOr",
  maximum: "Maximum",
  minimum: "Minimum",
  modulo: "FloorMod",
  multiply: "Mul",
  multiplyNoNan: "MulNoNan",
  negate: "Neg",
  notEqual: "NotEqual",
  power: "Pow",
  reciprocal: "Reciprocal",
  round: "Round",
  rsqrt: "Rsqrt",
  select: "SelectV2",
  sigmoid: "Sigmoid",
  sign: "Sign",
  sin: "Sin",
  softmax: "Softmax",
  sqrt: "Sqrt",
  square: "Square",
  squaredDifference: "SquaredDifference",
  subtract: "Sub",
  tanh: "Tanh",
};
const reductionKernels = {
  reduceAll: "All",
  reduceAny: "Any",
  reduceMax: "Max",
  reduceMean: "Mean",
  reduceMin: "Min",
  reduceProduct: "Prod",
  reduceSum: "Sum",
} as const;

// Several results are those of one operation in a row, or named one by one.
function emit(context: Context, operation: Operation): TfOutput | readonly TfOutput[] {
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
    case "read":
      return readVariable(context, operation.attributes.variable);
    case "assignSlice":
      return assignSlice(context, operation);
    case "fill": {
      const value = graph.constant(arrayType(result.dtype).of(operation.attributes.value), [], result.dtype);
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
      const filler = graph.constant(arrayType(source.dtype).of(value), [], source.dtype);
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
    case "reduceAll":
    case "reduceAny":
    case "reduceMax":
    case "reduceMean":
    case "reduceMin":
    case "reduceProduct":
    case "reduceSum": {
      const { axes, keepDims } = operation.attributes;
      // A GPU would multiply in TF32.
      if (context.platform === "CPU" && isSumOfRows(operation, source)) {
        return sumOfRows(graph, inputs[0] as TfOutput, source.shape as [number, number]);
      }
      const typed = source.dtype === "bool" ? {} : { T };
      const attributes = { ...typed, Tidx: { type: "int32" }, keep_dims: { bool: keepDims } } as const;
      return graph.output(reductionKernels[operation.name], { inputs: [...inputs, graph.integers(axes)], attributes });
    }
    case "argMax":
    case "argMin": {
      const axis = graph.integers([operation.attributes.axis], []);
      const attributes = { T, Tidx: { type: "int32" }, output_type: { type: "int32" } } as const;
      return graph.output(operation.name === "argMax" ? "ArgMax" : "ArgMin", {
        inputs: [...inputs, axis],
        attributes,
      });
    }
    case "cumulativeProduct":
    case "cumulativeSum": {
      const { axis, exclusive, reverse } = operation.attributes;
      const attributes = {
        T,
        Tidx: { type: "int32" },
        exclusive: { bool: exclusive },
        reverse: { bool: reverse },
      } as const;
      return graph.output(operation.name === "cumulativeSum" ? "Cumsum" : "Cumprod", {
        inputs: [...inputs, graph.integers([axis], [])],
        attributes,
      });
    }
    case "reverse": {
      const axes = graph.integers(operation.attributes.axes);
      return graph.output("ReverseV2", { inputs: [...inputs, axes], attributes: { T, Tidx: { type: "int32" } } });
    }
    case "stridedSlice": {
      const { begin, strides } = operation.attributes;
      const end = begin.map((first, axis) => {
        return first + ((result.shape[axis] as number) - 1) * (strides[axis] as number) + 1;
      });
      const bounds = [begin, end, strides].map((list) => graph.integers(list));
      return graph.output("StridedSlice", {
        inputs: [...inputs, ...bounds],
        attributes: { T, Index: { type: "int32" } },
      });
    }
    case "topK": {
      const k = graph.integers([operation.attributes.k], []);
      return graph.output("TopKV2", { inputs: [...inputs, k], attributes: { T, sorted: { bool: true } } });
    }
    case "gather": {
      const indices = context.value(operation.inputs[1] as number).dtype;
      const attributes = { Tparams: T, Tindices: { type: indices }, Taxis: { type: "int32" } } as const;
      const axis = graph.integers([operation.attributes.axis], []);
      return graph.output("GatherV2", { inputs: [...inputs, axis], attributes });
    }
    case "segmentSum": {
      const [rows, ids, base] = inputs as [TfOutput, TfOutput, TfOutput?];
      if (base) {
        const places = [...context.value(operation.inputs[1] as number).shape, 1];
        return addAt(graph, base, reshape(graph, ids, places, "int32"), rows, T);
      }
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
    case "after": {
      const [x, gate] = inputs as [TfOutput, TfOutput];
      return graph.output("Identity", { inputs: [x], attributes: { T }, after: [gate.oper] });
    }
    case "randomUniform":
      return randomUniform(graph, inputs[0] as TfOutput, result.shape, operation.attributes.stream);
    case "sparseCrossEntropy":
      return sparseCrossEntropy(graph, inputs as [TfOutput, TfOutput], source);
    case "logicalAnd":
    case "logicalNot":
    case "logicalOr":
      // These take no type.
      return graph.output(kernels[operation.name] as string, { inputs });
    default: {
      const attributes = { T: { type: operation.name === "select" ? result.dtype : source.dtype } };
      return graph.output(kernels[operation.name] as string, { inputs, attributes });
    }
  }
}

// Whether a matrix becomes the sum of its rows.
function isSumOfRows(operation: Operation, { shape, dtype }: Value): boolean {
  if (operation.name !== "reduceSum" || dtype !== "float32" || shape.length !== 2) return false;
  return operation.attributes.axes.join() === "0" && !operation.attributes.keepDims;
}

function arrayType(dtype: DType) {
  return dtype === "float32" ? Float32Array : dtype === "int32" ? Int32Array : Uint8Array;
}

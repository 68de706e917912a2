/**
 * How each TensorFlow.js kernel is recorded: shapes and dtypes of the result, and the operation of the program that
 * stands for it. In: kernel inputs and attributes. Out: entries in TensorFlow.js' kernel registry. It computes no values.
 */
import * as tf from "@tensorflow/tfjs";
import { problem } from "../message.js";
import type { DType } from "./engine.js";
import type {
  binaryOperations,
  comparisonOperations,
  logicalOperations,
  reductions,
  unaryOperations,
  Value,
} from "./program.js";
import type { Recorder, TraceBackend } from "./trace.js";

type Inputs = Record<string, tf.TensorInfo>;
type Rule = (recorder: Recorder, inputs: Inputs, attributes: Record<string, unknown>) => Value | Value[];

const unaryKernels: Record<string, (typeof unaryOperations)[number]> = {
  Abs: "abs",
  Erf: "erf",
  Exp: "exp",
  Log: "log",
  Neg: "negate",
  Reciprocal: "reciprocal",
  Rsqrt: "rsqrt",
  Sqrt: "sqrt",
  Square: "square",
  Tanh: "tanh",
};
const binaryKernels: Record<string, (typeof binaryOperations)[number]> = {
  Add: "add",
  Maximum: "maximum",
  Minimum: "minimum",
  Multiply: "multiply",
  // No kernel of TensorFlow.js: operations.ts asks for it by this name.
  MultiplyNoNan: "multiplyNoNan",
  Pow: "power",
  RealDiv: "divide",
  SquaredDifference: "squaredDifference",
  Sub: "subtract",
};
const comparisonKernels: Record<string, (typeof comparisonOperations | typeof logicalOperations)[number]> = {
  Equal: "equal",
  Greater: "greater",
  GreaterEqual: "greaterEqual",
  Less: "less",
  LessEqual: "lessEqual",
  LogicalAnd: "logicalAnd",
  LogicalOr: "logicalOr",
};
const reductionKernels: Record<string, (typeof reductions)[number]> = {
  Max: "reduceMax",
  Mean: "reduceMean",
  Sum: "reduceSum",
};

/** Registers every covered kernel under the tracing backend's name. */
export function registerTraceKernels(backendName: string): void {
  for (const [kernelName, rule] of Object.entries(rules())) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const recorder = (backend as TraceBackend).recording();
        const result = rule(recorder, inputs as Inputs, (attrs ?? {}) as Record<string, unknown>);
        return Array.isArray(result) ? result.map((value) => recorder.info(value)) : recorder.info(result);
      },
    });
  }
}

function rules(): Record<string, Rule> {
  return {
    ...mapRules(unaryKernels, (name) => (recorder, inputs) => {
      const x = recorder.value(input(inputs, "x"));
      return recorder.add(name, [x], {}, [x]);
    }),
    ...mapRules(binaryKernels, (name) => (recorder, inputs) => {
      const [a, b] = pair(recorder, inputs);
      return recorder.add(name, [a, b], {}, [{ shape: broadcast(a, b), dtype: a.dtype }]);
    }),
    ...mapRules(comparisonKernels, (name) => (recorder, inputs) => {
      const [a, b] = pair(recorder, inputs);
      return recorder.add(name, [a, b], {}, [{ shape: broadcast(a, b), dtype: "bool" }]);
    }),
    ...mapRules(reductionKernels, (name) => (recorder, inputs, attributes) => {
      const x = recorder.value(input(inputs, "x"));
      const axes = tf.util.parseAxisParam((attributes.axis ?? attributes.reductionIndices) as number[], [...x.shape]);
      const keepDims = attributes.keepDims === true;
      const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
      const shape = keepDims ? kept : x.shape.filter((_, axis) => !axes.includes(axis));
      return recorder.add(name, [x], { axes, keepDims }, [{ shape, dtype: x.dtype }]);
    }),
    ...elementRules,
    ...shapeRules,
    ...contractionRules,
  };
}

const elementRules: Record<string, Rule> = {
  LogicalNot(recorder, inputs) {
    const x = recorder.value(input(inputs, "x"));
    return recorder.add("logicalNot", [x], {}, [x]);
  },
  // 1 above zero, `alpha` elsewhere.
  Step(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const constant = (value: number) => fill(recorder, [], x.dtype, value);
    const above = recorder.add("greater", [x, constant(0)], {}, [{ shape: x.shape, dtype: "bool" }]);
    return recorder.add("select", [above, constant(1), constant((attributes.alpha as number | undefined) ?? 0)], {}, [
      x,
    ]);
  },
};

const shapeRules: Record<string, Rule> = {
  Identity: (recorder, inputs) => recorder.value(input(inputs, "x")),
  Cast(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const dtype = checkDType(attributes.dtype as tf.DataType);
    return dtype === x.dtype ? x : recorder.add("cast", [x], {}, [{ shape: x.shape, dtype }]);
  },
  Reshape(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const shape = tf.util.inferFromImplicitShape(attributes.shape as number[], tf.util.sizeFromShape([...x.shape]));
    return recorder.add("reshape", [x], {}, [{ shape, dtype: x.dtype }]);
  },
  ExpandDims(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "input"));
    const axis = attributes.dim as number;
    const shape = [...x.shape];
    shape.splice(axis < 0 ? shape.length + 1 + axis : axis, 0, 1);
    return recorder.add("reshape", [x], {}, [{ shape, dtype: x.dtype }]);
  },
  Transpose(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const permutation = attributes.perm as number[];
    const shape = permutation.map((axis) => x.shape[axis] as number);
    return recorder.add("transpose", [x], { permutation }, [{ shape, dtype: x.dtype }]);
  },
  Slice(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const parse = tf.slice_util.parseSliceParams;
    const sliced = input(inputs, "x") as tf.Tensor;
    const [begin, shape] = parse(sliced, attributes.begin as number[], attributes.size as number[]) as number[][];
    return recorder.add("slice", [x], { begin: begin as number[] }, [{ shape: shape as number[], dtype: x.dtype }]);
  },
  SplitV(recorder, inputs, attributes) {
    const tensor = input(inputs, "x");
    const x = recorder.value(tensor);
    const axis = tf.util.parseAxisParam(attributes.axis as number, [...x.shape])[0] as number;
    const sizes = tf.backend_util.prepareSplitSize(tensor as tf.Tensor, attributes.numOrSizeSplits as number[], axis);
    let offset = 0;
    return sizes.map((size) => {
      const begin = x.shape.map((_, i) => (i === axis ? offset : 0));
      offset += size;
      return recorder.add("slice", [x], { begin }, [{ shape: x.shape.with(axis, size), dtype: x.dtype }]);
    });
  },
  Concat(recorder, inputs, attributes) {
    const values = Object.values(inputs)
      .filter((tensor) => tf.util.sizeFromShape(tensor.shape) > 0)
      .map((tensor) => recorder.value(tensor));
    const first = values[0] as Value;
    const axis = tf.util.parseAxisParam(attributes.axis as number, [...first.shape])[0] as number;
    const total = values.reduce((sum, value) => sum + (value.shape[axis] as number), 0);
    return recorder.add("concat", values, { axis }, [{ shape: first.shape.with(axis, total), dtype: first.dtype }]);
  },
  PadV2(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const paddings = attributes.paddings as [number, number][];
    const shape = x.shape.map((size, axis) => size + (paddings[axis]?.[0] ?? 0) + (paddings[axis]?.[1] ?? 0));
    return recorder.add("pad", [x], { paddings, value: attributes.constantValue as number }, [
      { shape, dtype: x.dtype },
    ]);
  },
  Tile(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const repeats = attributes.reps as number[];
    const shape = x.shape.map((size, axis) => size * (repeats[axis] ?? 1));
    return recorder.add("tile", [x], { repeats }, [{ shape, dtype: x.dtype }]);
  },
  Fill(recorder, _inputs, attributes) {
    const dtype = checkDType((attributes.dtype as tf.DataType | undefined) ?? "float32");
    return fill(recorder, attributes.shape as number[], dtype, attributes.value as number);
  },
  ZerosLike(recorder, inputs) {
    const x = recorder.value(input(inputs, "x"));
    return fill(recorder, x.shape, x.dtype, 0);
  },
  OnesLike(recorder, inputs) {
    const x = recorder.value(input(inputs, "x"));
    return fill(recorder, x.shape, x.dtype, 1);
  },
  Select(recorder, inputs) {
    const condition = recorder.value(input(inputs, "condition"));
    const t = recorder.value(input(inputs, "t"));
    const e = recorder.value(input(inputs, "e"));
    const shape = tf.backend_util.assertAndGetBroadcastShape([...condition.shape], broadcast(t, e));
    return recorder.add("select", [condition, t, e], {}, [{ shape, dtype: t.dtype }]);
  },
};

const contractionRules: Record<string, Rule> = {
  AddN(recorder, inputs) {
    const values = Object.values(inputs).map((tensor) => recorder.value(tensor));
    return recorder.add("addN", values, {}, [values[0] as Value]);
  },
  BatchMatMul(recorder, inputs, attributes) {
    const [a, b] = pair(recorder, inputs);
    const transposeA = attributes.transposeA === true;
    const transposeB = attributes.transposeB === true;
    const rows = a.shape.at(transposeA ? -1 : -2) as number;
    const columns = b.shape.at(transposeB ? -2 : -1) as number;
    const batch = tf.backend_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const attributesOfMatMul = { transposeA, transposeB, compute: recorder.precision };
    return recorder.add("matMul", [a, b], attributesOfMatMul, [{ shape: [...batch, rows, columns], dtype: a.dtype }]);
  },
  GatherV2(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const indices = recorder.value(input(inputs, "indices"));
    const axis = attributes.axis as number;
    const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
    return recorder.add("gather", [x, indices], { axis }, [{ shape, dtype: x.dtype }]);
  },
  UnsortedSegmentSum(recorder, inputs, attributes) {
    const x = recorder.value(input(inputs, "x"));
    const ids = recorder.value(input(inputs, "segmentIds"));
    const segments = attributes.numSegments as number;
    const shape = [segments, ...x.shape.slice(ids.shape.length)];
    return recorder.add("segmentSum", [x, ids], { segments }, [{ shape, dtype: x.dtype }]);
  },
  Softmax(recorder, inputs) {
    const logits = recorder.value(input(inputs, "logits"));
    return recorder.add("softmax", [logits], {}, [logits]);
  },
  // These are no kernels of TensorFlow.js: operations.ts and model/loss.ts ask for them by name.
  SumOfSquares(recorder, inputs) {
    const x = recorder.value(input(inputs, "x"));
    return recorder.add("sumOfSquares", [x], {}, [{ shape: [], dtype: x.dtype }]);
  },
  SparseCrossEntropy(recorder, inputs) {
    const logits = recorder.value(input(inputs, "logits"));
    const targets = recorder.value(input(inputs, "targets"));
    const loss = { shape: logits.shape.slice(0, 1), dtype: logits.dtype };
    return recorder.addMany("sparseCrossEntropy", [logits, targets], {}, [loss, logits]);
  },
};

function fill(recorder: Recorder, shape: readonly number[], dtype: DType, value: number): Value {
  return recorder.add("fill", [], { value }, [{ shape, dtype }]);
}

function mapRules<Name extends string>(
  kernels: Record<string, Name>,
  rule: (name: Name) => Rule,
): Record<string, Rule> {
  return Object.fromEntries(Object.entries(kernels).map(([kernel, name]) => [kernel, rule(name)]));
}

function input(inputs: Inputs, name: string): tf.TensorInfo {
  return inputs[name] as tf.TensorInfo;
}

function pair(recorder: Recorder, inputs: Inputs): [Value, Value] {
  return [recorder.value(input(inputs, "a")), recorder.value(input(inputs, "b"))];
}

function broadcast(a: Value, b: Value): number[] {
  return tf.backend_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]);
}

/** Refuses element types that a program cannot hold. */
export function checkDType(dtype: tf.DataType): DType {
  if (dtype === "float32" || dtype === "int32" || dtype === "bool") return dtype;
  throw new TypeError(
    problem({
      cannot: "trace this step",
      found: `a tensor of type ${dtype}`,
      expected: "float32, int32 or bool",
      fix: "cast the tensor with tf.cast before the step",
    }),
  );
}

/**
 * How each TensorFlow.js kernel that works element by element or reduces is recorded, and the registration of all. In:
 * kernel inputs and attributes. Out: entries in TensorFlow.js' kernel registry. It computes no values; kernels that move
 * elements are in trace-shapes.ts, those that combine rows in trace-contractions.ts.
 */
import * as tf from "@tensorflow/tfjs";
import type {
  binaryOperations,
  comparisonOperations,
  logicalOperations,
  predicateOperations,
  reductions,
  unaryOperations,
  Value,
} from "./program.js";
import type { Recorder, TraceBackend } from "./trace.js";
import { contractionRules } from "./trace-contractions.js";
import { binary, cast, compare, fill, type Inputs, input, type Rule, select, unary } from "./trace-rules.js";
import { shapeRules } from "./trace-shapes.js";

const unaryKernels: Record<string, (typeof unaryOperations)[number]> = {
  Abs: "abs",
  Ceil: "ceil",
  Cos: "cos",
  Erf: "erf",
  Exp: "exp",
  Expm1: "expm1",
  Floor: "floor",
  Log: "log",
  Log1p: "log1p",
  Neg: "negate",
  Reciprocal: "reciprocal",
  Round: "round",
  Rsqrt: "rsqrt",
  Sigmoid: "sigmoid",
  Sign: "sign",
  Sin: "sin",
  Sqrt: "sqrt",
  Square: "square",
  Tanh: "tanh",
};
const predicateKernels: Record<string, (typeof predicateOperations)[number]> = {
  IsFinite: "isFinite",
  IsInf: "isInf",
  IsNan: "isNan",
};
const binaryKernels: Record<string, (typeof binaryOperations)[number]> = {
  Atan2: "atan2",
  FloorDiv: "floorDivide",
  Maximum: "maximum",
  Minimum: "minimum",
  Mod: "modulo",
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
  NotEqual: "notEqual",
};
const reductionKernels: Record<string, (typeof reductions)[number]> = {
  All: "reduceAll",
  Any: "reduceAny",
  Max: "reduceMax",
  Mean: "reduceMean",
  Min: "reduceMin",
  Prod: "reduceProduct",
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
    ...mapRules(unaryKernels, (name) => (recorder, inputs) => unary(recorder, name, input(recorder, inputs, "x"))),
    ...mapRules(predicateKernels, (name) => (recorder, inputs) => {
      const x = input(recorder, inputs, "x");
      return recorder.add(name, [cast(recorder, x, "float32")], {}, [{ shape: x.shape, dtype: "bool" }]);
    }),
    ...mapRules(
      binaryKernels,
      (name) => (recorder, inputs) =>
        binary(recorder, name, input(recorder, inputs, "a"), input(recorder, inputs, "b")),
    ),
    ...mapRules(
      comparisonKernels,
      (name) => (recorder, inputs) =>
        compare(recorder, name, input(recorder, inputs, "a"), input(recorder, inputs, "b")),
    ),
    ...mapRules(reductionKernels, (name) => (recorder, inputs, attributes) => {
      const given = input(recorder, inputs, "x");
      // TensorFlow.js' mean of integers is a float.
      const x = name === "reduceMean" ? cast(recorder, given, "float32") : given;
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

// Klambauer et al. 2017, "Self-Normalizing Neural Networks".
const seluAlpha = 1.6732632423543772;
const seluScale = 1.0507009873554805;

const elementRules: Record<string, Rule> = {
  ClipByValue(recorder, inputs, { clipValueMin, clipValueMax }) {
    const raised = binary(recorder, "maximum", input(recorder, inputs, "x"), clipValueMin as number);
    return binary(recorder, "minimum", raised, clipValueMax as number);
  },
  Elu: (recorder, inputs) => elu(recorder, input(recorder, inputs, "x"), 1),
  EluGrad(recorder, inputs) {
    const [dy, y] = [input(recorder, inputs, "dy"), input(recorder, inputs, "y")];
    const below = binary(recorder, "multiply", dy, binary(recorder, "add", y, 1));
    return select(recorder, compare(recorder, "greaterEqual", y, 0), dy, below);
  },
  LeakyRelu(recorder, inputs, { alpha }) {
    const x = input(recorder, inputs, "x");
    return select(recorder, compare(recorder, "greater", x, 0), x, binary(recorder, "multiply", x, alpha as number));
  },
  LogicalNot(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    return recorder.add("logicalNot", [x], {}, [x]);
  },
  Prelu(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    const scaled = binary(recorder, "multiply", x, input(recorder, inputs, "alpha"));
    return select(recorder, compare(recorder, "less", x, 0), scaled, x);
  },
  Relu: (recorder, inputs) => binary(recorder, "maximum", input(recorder, inputs, "x"), 0),
  Relu6(recorder, inputs) {
    return binary(recorder, "minimum", binary(recorder, "maximum", input(recorder, inputs, "x"), 0), 6);
  },
  Selu(recorder, inputs) {
    return binary(recorder, "multiply", elu(recorder, input(recorder, inputs, "x"), seluAlpha), seluScale);
  },
  // log(1 + eˣ) = max(x, 0) + log(1 + e⁻|x|), which does not overflow.
  Softplus(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    const small = unary(recorder, "exp", unary(recorder, "negate", unary(recorder, "abs", x)));
    return binary(recorder, "add", binary(recorder, "maximum", x, 0), unary(recorder, "log1p", small));
  },
  // 1 above zero, `alpha` elsewhere.
  Step(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const below = fill(recorder, x.shape, x.dtype, (attributes.alpha as number | undefined) ?? 0);
    return select(recorder, compare(recorder, "greater", x, 0), fill(recorder, [], x.dtype, 1), below);
  },
};

// x above zero, α (eˣ − 1) below.
function elu(recorder: Recorder, x: Value, alpha: number): Value {
  const below = binary(recorder, "multiply", unary(recorder, "expm1", x), alpha);
  return select(recorder, compare(recorder, "greaterEqual", x, 0), x, below);
}

function mapRules<Name extends string>(
  kernels: Record<string, Name>,
  rule: (name: Name) => Rule,
): Record<string, Rule> {
  return Object.fromEntries(Object.entries(kernels).map(([kernel, name]) => [kernel, rule(name)]));
}

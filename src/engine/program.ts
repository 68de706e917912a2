/**
 * A traced computation as data: operations in execution order, each with static shapes and dtypes. The tracer writes it,
 * the emitters read it, `describeProgram` prints it. It computes nothing and knows neither TensorFlow.js nor TensorFlow.
 */
import type { TensorSpec } from "./engine.js";

/** One tensor of a program: the `index`-th result of the operation that makes it. */
export interface Value extends TensorSpec {
  readonly id: number;
}

/** Operations with one float input of any shape and an output of the same shape. */
export const unaryOperations = [
  "abs",
  "ceil",
  "cos",
  "erf",
  "exp",
  "expm1",
  "floor",
  "log",
  "log1p",
  "negate",
  "reciprocal",
  "round",
  "rsqrt",
  "sigmoid",
  "sign",
  "sin",
  "sqrt",
  "square",
  "tanh",
] as const;
/** Tests of one float input, element by element; the output is bool. */
export const predicateOperations = ["isFinite", "isInf", "isNan"] as const;
/** Operations with two inputs that broadcast as NumPy's do. */
export const binaryOperations = [
  "add",
  "atan2",
  "divide",
  "floorDivide",
  "maximum",
  "minimum",
  "modulo",
  "multiply",
  "multiplyNoNan",
  "power",
  "squaredDifference",
  "subtract",
] as const;
/** Broadcasting comparisons; the output is bool. */
export const comparisonOperations = ["equal", "greater", "greaterEqual", "less", "lessEqual", "notEqual"] as const;
/** Logic on bool inputs that broadcast. */
export const logicalOperations = ["logicalAnd", "logicalOr"] as const;
/** Reductions over `axes`; `reduceAll` and `reduceAny` of bool, the others of numbers. */
export const reductions = [
  "reduceAll",
  "reduceAny",
  "reduceMax",
  "reduceMean",
  "reduceMin",
  "reduceProduct",
  "reduceSum",
] as const;
/** Running sums and products along one axis. */
export const scans = ["cumulativeProduct", "cumulativeSum"] as const;

/** Attributes of every operation, by its name. */
export interface OperationAttributes
  extends Record<(typeof unaryOperations)[number], object>,
    Record<(typeof predicateOperations)[number], object>,
    Record<(typeof binaryOperations)[number], object>,
    Record<(typeof comparisonOperations)[number], object>,
    Record<(typeof logicalOperations)[number], object>,
    Record<(typeof reductions)[number], { readonly axes: readonly number[]; readonly keepDims: boolean }>,
    Record<(typeof scans)[number], { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean }> {
  /** A tensor known while tracing, or fed at every run. */
  constant: { readonly values: Float32Array | Int32Array | Uint8Array };
  input: { readonly name: string };
  fill: { readonly value: number };
  /** State that stays on the engine between runs. */
  read: { readonly variable: string };
  assign: { readonly variable: string };
  assignAdd: { readonly variable: string };
  /** inputs: value, as the variable but 1 long on axis 1, and its index there []; output: the variable afterwards. */
  assignSlice: { readonly variable: string };
  /** inputs: gradient, learningRate, beta1, beta2, beta1Power, beta2Power, epsilon (scalars but the first). */
  adam: { readonly variable: string; readonly firstMoment: string; readonly secondMoment: string };
  addN: object;
  /** inputs: x, gate; output: x, made available once the gate is there. It orders work, so that memory is used again. */
  after: object;
  /** Index of the first largest or smallest element along an axis; the output is int32. */
  argMax: { readonly axis: number };
  argMin: { readonly axis: number };
  cast: object;
  concat: { readonly axis: number };
  logicalNot: object;
  gather: { readonly axis: number };
  /** `compute` is the dtype of the multiplication; the output is float32 in either case. */
  matMul: {
    readonly transposeA: boolean;
    readonly transposeB: boolean;
    readonly compute: "float32" | "bfloat16";
  };
  pad: { readonly paddings: readonly (readonly [number, number])[]; readonly value: number };
  /** input: key [2] of int32; output: float32 from 0 to below 1, by random-numbers.ts. */
  randomUniform: { readonly stream: number };
  reshape: object;
  reverse: { readonly axes: readonly number[] };
  /** inputs: rows, the segment of each, and where there is a third, what they are added to, segment by segment. */
  segmentSum: { readonly segments: number };
  select: object;
  /** 2 x L2Loss: the sum of the squares of all elements, a scalar. */
  sumOfSquares: object;
  slice: { readonly begin: readonly number[] };
  /** Strides are positive; a negative one is recorded as a slice, its reverse and a positive stride. */
  stridedSlice: { readonly begin: readonly number[]; readonly strides: readonly number[] };
  softmax: object;
  /** inputs: logits [N, V], targets [N]; outputs: loss [N], its gradient by the logits [N, V]. */
  sparseCrossEntropy: object;
  /** The k largest of each row of the last axis, largest first, equal ones in order; outputs: values, int32 indices. */
  topK: { readonly k: number };
  tile: { readonly repeats: readonly number[] };
  transpose: { readonly permutation: readonly number[] };
}

/** Name of an operation. */
export type OperationName = keyof OperationAttributes;

/** One operation; `inputs` are ids of values made before it. */
export type Operation = {
  [Name in OperationName]: {
    readonly name: Name;
    readonly inputs: readonly number[];
    readonly outputs: readonly Value[];
    readonly attributes: OperationAttributes[Name];
  };
}[OperationName];

/** A whole traced step. */
export interface Program {
  readonly name: string;
  readonly operations: readonly Operation[];
  /** Results by name: ids of values. */
  readonly outputs: ReadonlyMap<string, number>;
}

/** Operations that change state; everything else is pure. */
export function hasEffect(operation: Operation): boolean {
  return ["assign", "assignAdd", "assignSlice", "adam"].includes(operation.name);
}

/**
 * Drops the operations whose results nobody uses.
 *
 * @returns the same program with only what its outputs and its state updates need, in the same order
 */
export function prune(program: Program): Program {
  const needed = new Set<number>(program.outputs.values());
  const kept: Operation[] = [];
  for (const operation of program.operations.toReversed()) {
    if (!hasEffect(operation) && !operation.outputs.some((value) => needed.has(value.id))) continue;
    for (const id of operation.inputs) needed.add(id);
    kept.push(operation);
  }
  return { ...program, operations: kept.reverse() };
}

/**
 * Prints a program one operation a line, for people.
 *
 * @example
 * // %4 = matMul(%1, %3) {"transposeA":false,…} : float32[8,48]
 */
export function describeProgram(program: Program): string {
  const lines = program.operations.map((operation) => {
    const results = operation.outputs.map((value) => `%${value.id}`).join(", ");
    const inputs = operation.inputs.map((id) => `%${id}`).join(", ");
    const attributes = Object.entries(operation.attributes).map(
      ([key, value]) => `${key}: ${describeAttribute(value)}`,
    );
    const details = attributes.length > 0 ? ` {${attributes.join(", ")}}` : "";
    const types = operation.outputs.map((value) => `${value.dtype}[${value.shape.join(",")}]`).join(", ");
    return `  ${results ? `${results} = ` : ""}${operation.name}(${inputs})${details}${types ? ` : ${types}` : ""}`;
  });
  const outputs = [...program.outputs].map(([name, id]) => `${name}: %${id}`).join(", ");
  return [`program ${program.name} {`, ...lines, `  return { ${outputs} }`, "}"].join("\n");
}

function describeAttribute(value: unknown): string {
  if (ArrayBuffer.isView(value)) {
    const values = value as Float32Array;
    return `[${values.slice(0, 4).join(", ")}${values.length > 4 ? `, … ${values.length} values` : ""}]`;
  }
  return JSON.stringify(value);
}

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

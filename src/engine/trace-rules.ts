/**
 * What the rules of the tracer share: their type, access to a kernel's inputs, and the few operations that rules are made of.
 * In: a recorder and values. Out: recorded operations. It registers nothing (see trace-kernels.ts).
 */
import type * as tf from "@tensorflow/tfjs";
import { problem } from "../message.js";
import type { DType } from "./engine.js";
import { shapesDisagree } from "./errors.js";
import type { binaryOperations, comparisonOperations, logicalOperations, unaryOperations, Value } from "./program.js";
import { sizeOf } from "./program.js";
import type { Recorder } from "./trace.js";

/** A kernel's inputs by TensorFlow.js' names. */
export type Inputs = Record<string, tf.TensorInfo>;

/** Records what a kernel stands for. */
export type Rule = (recorder: Recorder, inputs: Inputs, attributes: Record<string, unknown>) => Value | Value[];

/** The value of the input of that name. */
export function input(recorder: Recorder, inputs: Inputs, name: string): Value {
  return recorder.value(inputs[name] as tf.TensorInfo);
}

/** An axis counted from the front. */
export function frontAxis(axis: number, shape: readonly number[]): number {
  return axis < 0 ? shape.length + axis : axis;
}

/** A tensor of one value. */
export function fill(recorder: Recorder, shape: readonly number[], dtype: DType, value: number): Value {
  return recorder.add("fill", [], { value }, [{ shape, dtype }]);
}

/** A tensor of integers that are known while tracing. */
export function integers(recorder: Recorder, shape: readonly number[], values: readonly number[]): Value {
  return recorder.add("constant", [], { values: Int32Array.from(values) }, [{ shape, dtype: "int32" }]);
}

/** One function of every element. */
export function unary(recorder: Recorder, name: (typeof unaryOperations)[number], x: Value): Value {
  return recorder.add(name, [x], {}, [x]);
}

/** One function of every pair of elements; shapes broadcast, a number is a scalar of the first's type. */
export function binary(
  recorder: Recorder,
  name: (typeof binaryOperations)[number],
  a: Value,
  second: Value | number,
): Value {
  const b = typeof second === "number" ? fill(recorder, [], a.dtype, second) : second;
  if (name === "multiply" && isOne(recorder, b)) return a;
  return recorder.add(name, [a, b], {}, [{ shape: broadcast(a, b), dtype: a.dtype }]);
}

// Every gradient begins with a 1, by which the loss multiplies the whole gradient of the embedding.
function isOne({ operations }: Recorder, { id, shape }: Value): boolean {
  if (shape.length > 0) return false;
  const made = operations.findLast(({ outputs }) => outputs[0]?.id === id);
  return made?.name === "constant"
    ? made.attributes.values[0] === 1
    : made?.name === "fill" && made.attributes.value === 1;
}

/** A comparison, or logic, of every pair of elements. */
export function compare(
  recorder: Recorder,
  name: (typeof comparisonOperations | typeof logicalOperations)[number],
  a: Value,
  second: Value | number,
): Value {
  const b = typeof second === "number" ? fill(recorder, [], a.dtype, second) : second;
  return recorder.add(name, [a, b], {}, [{ shape: broadcast(a, b), dtype: "bool" }]);
}

/** `t` where the condition holds, `e` elsewhere. */
export function select(recorder: Recorder, condition: Value, t: Value, e: Value): Value {
  const shape = broadcastShapes(condition.shape, broadcast(t, e));
  return recorder.add("select", [condition, t, e], {}, [{ shape, dtype: t.dtype }]);
}

/** The same elements in another shape. */
export function reshape(recorder: Recorder, x: Value, shape: readonly number[]): Value {
  return sameShape(x.shape, shape) ? x : recorder.add("reshape", [x], {}, [{ shape, dtype: x.dtype }]);
}

/** The same axes in another order. */
export function transpose(recorder: Recorder, x: Value, permutation: readonly number[]): Value {
  if (permutation.every((axis, i) => axis === i)) return x;
  const shape = permutation.map((axis) => x.shape[axis] as number);
  return recorder.add("transpose", [x], { permutation }, [{ shape, dtype: x.dtype }]);
}

/** The same numbers in another type. */
export function cast(recorder: Recorder, x: Value, dtype: DType): Value {
  return dtype === x.dtype ? x : recorder.add("cast", [x], {}, [{ shape: x.shape, dtype }]);
}

/** Tensors one after another; those without elements are left out. */
export function concat(recorder: Recorder, values: readonly Value[], axis: number): Value {
  const first = values[0] as Value;
  const total = values.reduce((sum, value) => sum + (value.shape[axis] as number), 0);
  const shape = first.shape.with(axis, total);
  for (const value of values) {
    if (sameShape(value.shape.with(axis, 0), shape.with(axis, 0))) continue;
    throw shapesDisagree(first.shape, value.shape, `the same shape but for dimension ${axis}`);
  }
  const filled = values.filter((value) => sizeOf(value.shape) > 0);
  if (filled.length === 0) return fill(recorder, shape, first.dtype, 0);
  if (filled.length === 1) return filled[0] as Value;
  return recorder.add("concat", filled, { axis }, [{ shape, dtype: first.dtype }]);
}

/** Shape of two tensors that broadcast. */
export function broadcast(a: Value, b: Value): number[] {
  return broadcastShapes(a.shape, b.shape);
}

/** Shape of what two shapes broadcast to. */
export function broadcastShapes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const [m, n] = [a[axis - rank + a.length] ?? 1, b[axis - rank + b.length] ?? 1];
    if (m !== n && m !== 1 && n !== 1)
      throw shapesDisagree(a, b, "the same size, or 1, in each dimension from the last");
    return m === 1 ? n : m;
  });
}

/** Whether two shapes are one. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
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

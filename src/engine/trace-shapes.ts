/**
 * How the TensorFlow.js kernels are recorded that move, repeat, cut or make elements without arithmetic. In: kernel inputs and
 * attributes. Out: rules for trace-kernels.ts. Kernels that the program has no operation for are put together from others.
 */
import * as tf from "@tensorflow/tfjs";
import { sizeOf, type Value } from "./program.js";
import type { Recorder } from "./trace.js";
import {
  cast,
  checkDType,
  compare,
  concat,
  fill,
  frontAxis,
  input,
  integers,
  type Rule,
  reshape,
  select,
  transpose,
} from "./trace-rules.js";

/** Rules by kernel name. */
export const shapeRules: Record<string, Rule> = {
  Identity: (recorder, inputs) => input(recorder, inputs, "x"),
  Cast: (recorder, inputs, { dtype }) => cast(recorder, input(recorder, inputs, "x"), checkDType(dtype as tf.DataType)),
  Reshape(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const shape = tf.util.inferFromImplicitShape(attributes.shape as number[], sizeOf(x.shape));
    return reshape(recorder, x, shape);
  },
  ExpandDims(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "input");
    const axis = attributes.dim as number;
    return reshape(recorder, x, x.shape.toSpliced(axis < 0 ? x.shape.length + 1 + axis : axis, 0, 1));
  },
  Transpose: (recorder, inputs, { perm }) => transpose(recorder, input(recorder, inputs, "x"), perm as number[]),
  Reverse(recorder, inputs, { dims }) {
    const x = input(recorder, inputs, "x");
    return reverse(recorder, x, tf.util.parseAxisParam(dims as number[], [...x.shape]));
  },
  Slice(recorder, inputs, attributes) {
    const tensor = inputs.x as tf.Tensor;
    const [begin, size] = tf.slice_util.parseSliceParams(
      tensor,
      attributes.begin as number[],
      attributes.size as number,
    );
    tf.slice_util.assertParamsValid(tensor, begin as number[], size as number[]);
    return slice(recorder, recorder.value(tensor), begin as number[], size as number[]);
  },
  StridedSlice: stridedSlice,
  SplitV(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const axis = frontAxis(attributes.axis as number, x.shape);
    const given = attributes.numOrSizeSplits as number[];
    const sizes = tf.backend_util.prepareSplitSize(inputs.x as tf.Tensor, given, axis);
    return split(recorder, x, axis, sizes);
  },
  Unpack(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "value");
    const axis = frontAxis(attributes.axis as number, x.shape);
    const sizes = new Array<number>(x.shape[axis] as number).fill(1);
    return split(recorder, x, axis, sizes).map((part) => reshape(recorder, part, x.shape.toSpliced(axis, 1)));
  },
  Concat(recorder, inputs, attributes) {
    const values = Object.values(inputs).map((tensor) => recorder.value(tensor));
    return concat(recorder, values, frontAxis(attributes.axis as number, (values[0] as Value).shape));
  },
  Pack(recorder, inputs, attributes) {
    const values = Object.values(inputs).map((tensor) => recorder.value(tensor));
    const { shape } = values[0] as Value;
    const axis = attributes.axis as number;
    const front = axis < 0 ? shape.length + 1 + axis : axis;
    const widened = values.map((value) => reshape(recorder, value, shape.toSpliced(front, 0, 1)));
    return concat(recorder, widened, front);
  },
  PadV2(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const paddings = attributes.paddings as [number, number][];
    const shape = x.shape.map((size, axis) => size + (paddings[axis]?.[0] ?? 0) + (paddings[axis]?.[1] ?? 0));
    return recorder.add("pad", [x], { paddings, value: attributes.constantValue as number }, [
      { shape, dtype: x.dtype },
    ]);
  },
  Tile(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const repeats = attributes.reps as number[];
    const shape = x.shape.map((size, axis) => size * (repeats[axis] ?? 1));
    return recorder.add("tile", [x], { repeats }, [{ shape, dtype: x.dtype }]);
  },
  Fill(recorder, _inputs, attributes) {
    const dtype = checkDType((attributes.dtype as tf.DataType | undefined) ?? "float32");
    return fill(recorder, attributes.shape as number[], dtype, attributes.value as number);
  },
  ZerosLike(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    return fill(recorder, x.shape, x.dtype, 0);
  },
  OnesLike(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    return fill(recorder, x.shape, x.dtype, 1);
  },
  Range(recorder, _inputs, { start, stop, step, dtype }) {
    const [first, last, by] = [start, stop, step] as [number, number, number];
    const length = Math.max(0, Math.ceil((last - first) / by));
    return numbers(recorder, checkDType(dtype as tf.DataType), length, (i) => first + i * by);
  },
  LinSpace(recorder, _inputs, { start, stop, num }) {
    const [first, last, length] = [start, stop, num] as [number, number, number];
    const by = length > 1 ? (last - first) / (length - 1) : 0;
    return numbers(recorder, "float32", length, (i) => first + i * by);
  },
  OneHot(recorder, inputs, attributes) {
    const indices = input(recorder, inputs, "indices");
    const depth = attributes.depth as number;
    const dtype = checkDType((attributes.dtype as tf.DataType | undefined) ?? "float32");
    const places = numbers(recorder, "int32", depth, (i) => i);
    const hit = compare(recorder, "equal", reshape(recorder, indices, [...indices.shape, 1]), places);
    const [on, off] = [attributes.onValue, attributes.offValue].map((value) =>
      fill(recorder, [], dtype, value as number),
    );
    return select(recorder, hit, on as Value, off as Value);
  },
  Select(recorder, inputs) {
    const [condition, t, e] = ["condition", "t", "e"].map((name) => input(recorder, inputs, name));
    return select(recorder, condition as Value, t as Value, e as Value);
  },
};

function slice(recorder: Recorder, x: Value, begin: readonly number[], shape: readonly number[]): Value {
  return recorder.add("slice", [x], { begin }, [{ shape, dtype: x.dtype }]);
}

function reverse(recorder: Recorder, x: Value, axes: readonly number[]): Value {
  return axes.length === 0 ? x : recorder.add("reverse", [x], { axes }, [x]);
}

function split(recorder: Recorder, x: Value, axis: number, sizes: readonly number[]): Value[] {
  let offset = 0;
  return sizes.map((size) => {
    const begin = x.shape.map((_, i) => (i === axis ? offset : 0));
    offset += size;
    return slice(recorder, x, begin, x.shape.with(axis, size));
  });
}

function numbers(recorder: Recorder, dtype: Value["dtype"], length: number, at: (i: number) => number): Value {
  const values = Array.from({ length }, (_, i) => at(i));
  if (dtype === "int32") return integers(recorder, [length], values);
  return recorder.add("constant", [], { values: Float32Array.from(values) }, [{ shape: [length], dtype: "float32" }]);
}

type Four = [number[], number[], number[], number[]];

// A negative stride is the reverse of what a positive one takes: the elements begin, begin + s, … counted from the last.
function stridedSlice(...[recorder, inputs, attributes]: Parameters<Rule>): Value {
  const x = input(recorder, inputs, "x");
  const list = (name: string) => attributes[name] as number[];
  const mask = (name: string) => (attributes[name] as number | undefined) ?? 0;
  const { finalShape, begin, end, strides } = tf.slice_util.sliceInfo(
    ...([[...x.shape], list("begin"), list("end"), list("strides")] as Four),
    ...([
      mask("beginMask"),
      mask("endMask"),
      mask("ellipsisMask"),
      mask("newAxisMask"),
      mask("shrinkAxisMask"),
    ] as const),
  );
  const taken = begin.map((first, axis) => {
    return Math.max(0, Math.ceil(((end[axis] as number) - first) / (strides[axis] as number)));
  });
  if (sizeOf(finalShape) === 0) return fill(recorder, finalShape, x.dtype, 0);
  const backward = strides.flatMap((stride, axis) => (stride < 0 ? [axis] : []));
  const forwardBegin = begin.map((first, axis) =>
    (strides[axis] as number) < 0 ? first + ((taken[axis] as number) - 1) * (strides[axis] as number) : first,
  );
  const forward = { begin: forwardBegin, strides: strides.map(Math.abs) };
  const cut = recorder.add("stridedSlice", [x], forward, [{ shape: taken, dtype: x.dtype }]);
  return reshape(recorder, reverse(recorder, cut, backward), finalShape);
}

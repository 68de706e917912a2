/**
 * How the TensorFlow.js kernels are recorded that combine or look up rows: products, gathers, scatters, scans, soft maxima. In:
 * kernel inputs and attributes. Out: rules for trace-kernels.ts. Lookups in several dimensions become lookups in one.
 */
import * as tf from "@tensorflow/tfjs";
import { problem } from "../message.js";
import { shapesDisagree } from "./errors.js";
import { sizeOf, type Value } from "./program.js";
import type { Recorder } from "./trace.js";
import {
  binary,
  broadcastShapes,
  frontAxis,
  input,
  integers,
  type Rule,
  reshape,
  sameShape,
  transpose,
  unary,
} from "./trace-rules.js";

/** Rules by kernel name. */
export const contractionRules: Record<string, Rule> = {
  Add(recorder, inputs) {
    const [a, b] = [input(recorder, inputs, "a"), input(recorder, inputs, "b")];
    return addRows(recorder, a, b) ?? binary(recorder, "add", a, b);
  },
  AddN(recorder, inputs) {
    const values = Object.values(inputs).map((tensor) => recorder.value(tensor));
    return recorder.add("addN", values, {}, [values[0] as Value]);
  },
  ArgMax: (recorder, inputs, { axis }) => extremum(recorder, "argMax", input(recorder, inputs, "x"), axis as number),
  ArgMin: (recorder, inputs, { axis }) => extremum(recorder, "argMin", input(recorder, inputs, "x"), axis as number),
  BatchMatMul(recorder, inputs, { transposeA, transposeB }) {
    const [a, b] = [input(recorder, inputs, "a"), input(recorder, inputs, "b")];
    return matMul(recorder, a, b, transposeA === true, transposeB === true);
  },
  Cumprod: (recorder, inputs, attributes) => scan(recorder, "cumulativeProduct", inputs, attributes),
  Cumsum: (recorder, inputs, attributes) => scan(recorder, "cumulativeSum", inputs, attributes),
  Einsum(recorder, inputs, { equation }) {
    const values = Object.values(inputs).map((tensor) => recorder.value(tensor));
    return einsum(recorder, values, equation as string);
  },
  GatherNd(recorder, inputs) {
    const x = input(recorder, inputs, "params");
    const indices = input(recorder, inputs, "indices");
    const depth = indices.shape.at(-1) as number;
    const rest = x.shape.slice(depth);
    const rows = reshape(recorder, x, [sizeOf(x.shape.slice(0, depth)), ...rest]);
    return gather(recorder, rows, flatIndices(recorder, indices, x.shape), 0);
  },
  GatherV2(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const indices = input(recorder, inputs, "indices");
    const axis = frontAxis(attributes.axis as number, x.shape);
    const batchDims = (attributes.batchDims as number | undefined) ?? 0;
    if (batchDims === 0) return gather(recorder, x, indices, axis);
    return gatherByRow(recorder, x, indices, axis, frontAxis(batchDims, indices.shape));
  },
  ScatterNd(recorder, inputs, attributes) {
    const indices = input(recorder, inputs, "indices");
    const updates = input(recorder, inputs, "updates");
    const shape = attributes.shape as number[];
    const depth = indices.shape.at(-1) as number;
    const count = sizeOf(indices.shape.slice(0, -1));
    const ids = reshape(recorder, flatIndices(recorder, indices, shape), [count]);
    const rest = shape.slice(depth);
    const rows = reshape(recorder, updates, [count, ...rest]);
    return reshape(recorder, segmentSum(recorder, rows, ids, sizeOf(shape.slice(0, depth))), shape);
  },
  Softmax(recorder, inputs) {
    const logits = input(recorder, inputs, "logits");
    return recorder.add("softmax", [logits], {}, [logits]);
  },
  // These are no kernels of TensorFlow.js: operations.ts and model/loss.ts ask for them by name.
  After(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    return recorder.add("after", [x, input(recorder, inputs, "gate")], {}, [x]);
  },
  RandomUniform(recorder, inputs, { shape, stream }) {
    const result = { shape: shape as number[], dtype: "float32" } as const;
    return recorder.add("randomUniform", [input(recorder, inputs, "key")], { stream: stream as number }, [result]);
  },
  SumOfSquares(recorder, inputs) {
    const x = input(recorder, inputs, "x");
    return recorder.add("sumOfSquares", [x], {}, [{ shape: [], dtype: x.dtype }]);
  },
  SparseCrossEntropy(recorder, inputs) {
    const logits = input(recorder, inputs, "logits");
    const targets = input(recorder, inputs, "targets");
    const loss = { shape: logits.shape.slice(0, 1), dtype: logits.dtype };
    return recorder.addMany("sparseCrossEntropy", [logits, targets], {}, [loss, logits]);
  },
  TopK(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    const k = attributes.k as number;
    const shape = x.shape.with(-1, k);
    return recorder.addMany("topK", [x], { k }, [
      { shape, dtype: x.dtype },
      { shape, dtype: "int32" },
    ]);
  },
  UnsortedSegmentSum(recorder, inputs, attributes) {
    const x = input(recorder, inputs, "x");
    return segmentSum(recorder, x, input(recorder, inputs, "segmentIds"), attributes.numSegments as number);
  },
  _FusedMatMul(recorder, inputs, { transposeA, transposeB, activation, leakyreluAlpha }) {
    const [a, b] = [input(recorder, inputs, "a"), input(recorder, inputs, "b")];
    const product = matMul(recorder, a, b, transposeA === true, transposeB === true);
    const sum = inputs.bias ? binary(recorder, "add", product, input(recorder, inputs, "bias")) : product;
    return activate(recorder, sum, (activation as string | undefined) ?? "linear", leakyreluAlpha as number);
  },
};

function matMul(recorder: Recorder, a: Value, b: Value, transposeA: boolean, transposeB: boolean): Value {
  const rows = a.shape.at(transposeA ? -1 : -2) as number;
  const columns = b.shape.at(transposeB ? -2 : -1) as number;
  const [inner, outer] = [a.shape.at(transposeA ? -2 : -1), b.shape.at(transposeB ? -1 : -2)];
  if (inner !== outer) {
    const how = `${transposeA ? ", the first transposed" : ""}${transposeB ? ", the second transposed" : ""}`;
    throw shapesDisagree(a.shape, b.shape, `as many columns in the first as rows in the second${how}`);
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
  const attributes = { transposeA, transposeB, compute: recorder.precision };
  return recorder.add("matMul", [a, b], attributes, [{ shape: [...batch, rows, columns], dtype: a.dtype }]);
}

function activate(recorder: Recorder, x: Value, activation: string, alpha: number): Value {
  switch (activation) {
    case "linear":
      return x;
    case "relu":
      return binary(recorder, "maximum", x, 0);
    case "relu6":
      return binary(recorder, "minimum", binary(recorder, "maximum", x, 0), 6);
    case "sigmoid":
      return unary(recorder, "sigmoid", x);
    case "leakyrelu":
      return binary(recorder, "maximum", x, binary(recorder, "multiply", x, alpha));
    default:
      throw new TypeError(
        problem({
          cannot: "trace this step",
          found: `a fused product with the activation "${activation}"`,
          expected: "linear, relu, relu6, sigmoid or leakyrelu",
          fix: "use tf.matMul and the activation as two operations",
        }),
      );
  }
}

function gather(recorder: Recorder, x: Value, indices: Value, axis: number): Value {
  const shape = [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)];
  return recorder.add("gather", [x, indices], { axis }, [{ shape, dtype: x.dtype }]);
}

// Every row of the batch looks up its own: row b's index i is the row b·G + i of all rows together.
function gatherByRow(recorder: Recorder, x: Value, indices: Value, axis: number, batchDims: number): Value {
  const batch = x.shape.slice(0, batchDims);
  const B = sizeOf(batch);
  const G = x.shape[axis] as number;
  // The looked-up axis goes behind the batch first, and what was before it comes back after.
  const outer = x.shape.slice(batchDims, axis).map((_, i) => batchDims + i);
  const inner = x.shape.slice(axis + 1).map((_, i) => axis + 1 + i);
  const front = transpose(recorder, x, [...batch.map((_, i) => i), axis, ...outer, ...inner]);
  const rest = front.shape.slice(batchDims + 1);
  const offsets = integers(
    recorder,
    [B, 1],
    Array.from({ length: B }, (_, row) => row * G),
  );
  const picked = indices.shape.slice(batchDims);
  const flat = binary(recorder, "add", reshape(recorder, indices, [B, sizeOf(picked)]), offsets);
  const rows = gather(
    recorder,
    reshape(recorder, front, [B * G, ...rest]),
    reshape(recorder, flat, [B * sizeOf(picked)]),
    0,
  );
  const found = reshape(recorder, rows, [...batch, ...picked, ...rest]);
  const at = (start: number, length: number) => Array.from({ length }, (_, i) => start + i);
  const after = batchDims + picked.length;
  return transpose(recorder, found, [
    ...at(0, batchDims),
    ...at(after, outer.length),
    ...at(batchDims, picked.length),
    ...at(after + outer.length, inner.length),
  ]);
}

function segmentSum(recorder: Recorder, x: Value, ids: Value, segments: number): Value {
  const shape = [segments, ...x.shape.slice(ids.shape.length)];
  return recorder.add("segmentSum", [x, ids], { segments }, [{ shape, dtype: x.dtype }]);
}

// a + b where b is the gradient of a lookup, which has checked its places: the rows are added to a. So an embedding that is also
// the head never has its second gradient, mostly zeros, as an array.
function addRows(recorder: Recorder, a: Value, b: Value): Value | undefined {
  const sum = recorder.operations.findLast(({ outputs }) => outputs[0]?.id === b.id);
  if (sum?.name !== "segmentSum" || sum.inputs.length > 2 || !sameShape(a.shape, b.shape)) return undefined;
  const [rows, ids] = sum.inputs.map((id) => ({ id })) as [{ id: number }, { id: number }];
  const isLookedUp = recorder.operations.some(({ name, inputs }) => name === "gather" && inputs[1] === ids.id);
  return isLookedUp ? recorder.add("segmentSum", [rows, ids, a], sum.attributes, [b]) : undefined;
}

// Row-major places of index tuples [..., depth] in the first `depth` dimensions of a shape.
function flatIndices(recorder: Recorder, indices: Value, shape: readonly number[]): Value {
  const depth = indices.shape.at(-1) as number;
  const strides = Array.from({ length: depth }, (_, axis) => sizeOf(shape.slice(axis + 1, depth)));
  const products = binary(recorder, "multiply", indices, integers(recorder, [depth], strides));
  const attributes = { axes: [indices.shape.length - 1], keepDims: false };
  return recorder.add("reduceSum", [products], attributes, [{ shape: indices.shape.slice(0, -1), dtype: "int32" }]);
}

function extremum(recorder: Recorder, name: "argMax" | "argMin", x: Value, axis: number): Value {
  const front = frontAxis(axis, x.shape);
  return recorder.add(name, [x], { axis: front }, [{ shape: x.shape.toSpliced(front, 1), dtype: "int32" }]);
}

function scan(
  recorder: Recorder,
  name: "cumulativeProduct" | "cumulativeSum",
  inputs: Parameters<Rule>[1],
  attributes: Parameters<Rule>[2],
): Value {
  const x = input(recorder, inputs, "x");
  const axis = frontAxis((attributes.axis as number | undefined) ?? 0, x.shape);
  const { exclusive, reverse } = attributes;
  return recorder.add(name, [x], { axis, exclusive: exclusive === true, reverse: reverse === true }, [x]);
}

// One product of matrices: labels that both tensors share and the result keeps are its batch, shared ones that vanish its sum.
function einsum(recorder: Recorder, values: readonly Value[], equation: string): Value {
  const { allDims, summedDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, values.length);
  tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, values as unknown as tf.Tensor[]);
  const kept = allDims.length - summedDims.length;
  const repeated = idDims.find((labels) => new Set(labels).size < labels.length);
  if (repeated) {
    throw new TypeError(
      problem({
        cannot: `trace tf.einsum("${equation}")`,
        found: "a label twice in one tensor",
        expected: "each label once in each tensor",
        fix: "take the diagonal with tf.gather or a mask first",
      }),
    );
  }
  const [first, second] = idDims as [number[], number[] | undefined];
  const a = sumAway(recorder, values[0] as Value, first, (label) => label >= kept && !second?.includes(label));
  if (!second) return transpose(recorder, a.value, order(a.labels, kept));
  const b = sumAway(recorder, values[1] as Value, second, (label) => label >= kept && !first.includes(label));
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const groups = {
    batch: shared.filter((label) => label < kept),
    summed: shared.filter((label) => label >= kept),
    left: a.labels.filter((label) => !shared.includes(label)),
    right: b.labels.filter((label) => !shared.includes(label)),
  };
  const sizes = new Map(
    [a, b].flatMap(({ value, labels }) => labels.map((label, i) => [label, value.shape[i] as number])),
  );
  const size = (labels: readonly number[]) => sizeOf(labels.map((label) => sizes.get(label) as number));
  const arrange = ({ value, labels }: Labelled, ...parts: number[][]) => {
    const moved = transpose(
      recorder,
      value,
      parts.flat().map((label) => labels.indexOf(label)),
    );
    return reshape(recorder, moved, parts.map(size));
  };
  const product = matMul(
    recorder,
    arrange(a, groups.batch, groups.left, groups.summed),
    arrange(b, groups.batch, groups.summed, groups.right),
    false,
    false,
  );
  const labels = [...groups.batch, ...groups.left, ...groups.right];
  const full = reshape(
    recorder,
    product,
    labels.map((label) => sizes.get(label) as number),
  );
  return transpose(recorder, full, order(labels, kept));
}

interface Labelled {
  readonly value: Value;
  readonly labels: readonly number[];
}

function sumAway(
  recorder: Recorder,
  value: Value,
  labels: readonly number[],
  gone: (label: number) => boolean,
): Labelled {
  const axes = labels.flatMap((label, axis) => (gone(label) ? [axis] : []));
  if (axes.length === 0) return { value, labels };
  const shape = value.shape.filter((_, axis) => !axes.includes(axis));
  const sum = recorder.add("reduceSum", [value], { axes, keepDims: false }, [{ shape, dtype: value.dtype }]);
  return { value: sum, labels: labels.filter((_, axis) => !axes.includes(axis)) };
}

// Where each label of the result, in its order, stands among those there are.
function order(labels: readonly number[], kept: number): number[] {
  return Array.from({ length: kept }, (_, label) => labels.indexOf(label));
}

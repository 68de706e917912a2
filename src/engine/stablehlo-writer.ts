/**
 * Writes StableHLO text, one operation a line. In: names of values with their types. Out: lines, and the names of results. The
 * operations here are those that other operations are made of; to-stablehlo.ts says which operation of a program becomes which.
 * Source: the StableHLO specification (openxla.org/stablehlo/spec).
 */
import type { DType, TensorSpec } from "./engine.js";
import { sizeOf } from "./program.js";

/** Element types of StableHLO that programs use. */
export type HloType = DType | "bfloat16";

/** A value in the text: `%v3` and what it holds. */
export interface HloValue {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: HloType;
}

const elementTypes: Readonly<Record<HloType, string>> = { float32: "f32", int32: "i32", bool: "i1", bfloat16: "bf16" };

/** `tensor<2x3xf32>`. */
export function hloType({ shape, dtype }: { readonly shape: readonly number[]; readonly dtype: HloType }): string {
  return `tensor<${[...shape, elementTypes[dtype]].join("x")}>`;
}

/** The lines of one function. */
export class StableHloWriter {
  readonly lines: string[] = [];
  private count = 0;

  /** Writes one operation with one result; `text` is what stands right of the equals sign, before the type. */
  write(text: string, result: { readonly shape: readonly number[]; readonly dtype: HloType }, type: string): HloValue {
    const name = `%${this.count++}`;
    this.lines.push(`${name} = ${text} : ${type}`);
    return { name, shape: [...result.shape], dtype: result.dtype };
  }

  /** An operation whose inputs and output have one type: `stablehlo.add %0, %1`. */
  same(operation: string, ...inputs: readonly [HloValue, ...HloValue[]]): HloValue {
    const names = inputs.map(({ name }) => name).join(", ");
    return this.write(`stablehlo.${operation} ${names}`, inputs[0], hloType(inputs[0]));
  }

  /** An operation whose type names inputs and output: `(tensor<2xf32>) -> tensor<2xi32>`. */
  mapped(text: string, inputs: readonly HloValue[], result: Omit<HloValue, "name">): HloValue {
    return this.write(text, result, `(${inputs.map(hloType).join(", ")}) -> ${hloType(result)}`);
  }

  /** x, which cannot be computed before the gate nor be merged with what is equal to it. */
  barrier(x: HloValue, gate: HloValue): HloValue {
    const name = `%${this.count++}`;
    const types = [x, gate].map(hloType).join(", ");
    this.lines.push(`${name}:2 = stablehlo.optimization_barrier ${x.name}, ${gate.name} : ${types}`);
    return { ...x, name: `${name}#0` };
  }

  /** A number in every element. */
  fill(value: number, shape: readonly number[], dtype: HloType): HloValue {
    const type = hloType({ shape, dtype });
    return this.write(
      `stablehlo.constant dense<${sizeOf(shape) === 0 ? "" : literal(value, dtype)}>`,
      { shape, dtype },
      type,
    );
  }

  /** Numbers known while compiling. */
  constant(values: Float32Array | Int32Array | Uint8Array, spec: TensorSpec): HloValue {
    const first = values[0];
    if (first === undefined || values.every((value) => Object.is(value, first)))
      return this.fill(first ?? 0, spec.shape, spec.dtype);
    const flat = { shape: [values.length], dtype: spec.dtype };
    if (values instanceof Uint8Array) {
      const list = [...values].map((value) => literal(value, "bool")).join(", ");
      return this.reshape(this.write(`stablehlo.constant dense<[${list}]>`, flat, hloType(flat)), spec.shape);
    }
    // Raw little-endian bytes: exact, and short enough for a mask of a long block.
    const bytes = Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("hex").toUpperCase();
    return this.write(`stablehlo.constant dense<"0x${bytes}">`, spec, hloType(spec));
  }

  reshape(x: HloValue, shape: readonly number[]): HloValue {
    if (x.shape.join() === shape.join() && x.shape.length === shape.length) return x;
    return this.mapped(`stablehlo.reshape ${x.name}`, [x], { shape, dtype: x.dtype });
  }

  convert(x: HloValue, dtype: HloType): HloValue {
    return x.dtype === dtype ? x : this.mapped(`stablehlo.convert ${x.name}`, [x], { shape: x.shape, dtype });
  }

  transpose(x: HloValue, permutation: readonly number[]): HloValue {
    const shape = permutation.map((axis) => x.shape[axis] as number);
    return this.mapped(`stablehlo.transpose ${x.name}, dims = [${permutation.join(", ")}]`, [x], {
      shape,
      dtype: x.dtype,
    });
  }

  /** Broadcasts as NumPy does, or along the given dimensions of the result. */
  broadcast(x: HloValue, shape: readonly number[], dims?: readonly number[]): HloValue {
    if (!dims && x.shape.length === shape.length && x.shape.every((size, axis) => size === shape[axis])) return x;
    const along = dims ?? x.shape.map((_, axis) => axis + shape.length - x.shape.length);
    const text = `stablehlo.broadcast_in_dim ${x.name}, dims = [${along.join(", ")}]`;
    return this.mapped(text, [x], { shape, dtype: x.dtype });
  }

  compare(direction: "EQ" | "NE" | "LT" | "LE" | "GT" | "GE", a: HloValue, b: HloValue): HloValue {
    return this.mapped(`stablehlo.compare ${direction}, ${a.name}, ${b.name}`, [a, b], {
      shape: a.shape,
      dtype: "bool",
    });
  }

  select(condition: HloValue, t: HloValue, e: HloValue): HloValue {
    const text = `stablehlo.select ${condition.name}, ${t.name}, ${e.name}`;
    return this.write(text, t, `${hloType(condition)}, ${hloType(t)}`);
  }

  /** 0, 1, 2, … along one axis. */
  iota(shape: readonly number[], axis: number): HloValue {
    const result = { shape, dtype: "int32" } as const;
    return this.write(`stablehlo.iota dim = ${axis}`, result, hloType(result));
  }

  slice(x: HloValue, begin: readonly number[], shape: readonly number[], strides?: readonly number[]): HloValue {
    if (x.shape.length === 0) return x;
    const ranges = begin.map((first, axis) => {
      const stride = strides?.[axis] ?? 1;
      const size = shape[axis] as number;
      const end = size === 0 ? first : first + (size - 1) * stride + 1;
      return stride === 1 ? `${first}:${end}` : `${first}:${end}:${stride}`;
    });
    return this.mapped(`stablehlo.slice ${x.name} [${ranges.join(", ")}]`, [x], { shape, dtype: x.dtype });
  }

  /** Padding may be negative: it then cuts. */
  pad(x: HloValue, value: number, low: readonly number[], high: readonly number[]): HloValue {
    const filler = this.fill(value, [], x.dtype);
    const shape = x.shape.map((size, axis) => size + (low[axis] as number) + (high[axis] as number));
    const interior = x.shape.map(() => 0).join(", ");
    const text = `stablehlo.pad ${x.name}, ${filler.name}, low = [${low.join(", ")}], high = [${high.join(", ")}], interior = [${interior}]`;
    return this.mapped(text, [x, filler], { shape, dtype: x.dtype });
  }

  concatenate(values: readonly HloValue[], axis: number): HloValue {
    const first = values[0] as HloValue;
    const total = values.reduce((sum, value) => sum + (value.shape[axis] as number), 0);
    const text = `stablehlo.concatenate ${values.map(({ name }) => name).join(", ")}, dim = ${axis}`;
    return this.mapped(text, values, { shape: first.shape.with(axis, total), dtype: first.dtype });
  }

  /** Folds axes away; they stay with size 1 where `keepDims` says so. */
  reduce(fold: Fold, x: HloValue, axes: readonly number[], keepDims = false): HloValue {
    const start = this.fill(neutral(fold, x.dtype), [], x.dtype);
    const shape = x.shape.filter((_, axis) => !axes.includes(axis));
    const text = `stablehlo.reduce(${x.name} init: ${start.name}) applies stablehlo.${fold} across dimensions = [${axes.join(", ")}]`;
    const reduced = this.mapped(text, [x, start], { shape, dtype: x.dtype });
    return keepDims
      ? this.reshape(
          reduced,
          x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
        )
      : reduced;
  }

  /** Every element folded with those before it on one axis (behind it where `reverse`). */
  scan(fold: "add" | "multiply", x: HloValue, axis: number, reverse: boolean): HloValue {
    const start = this.fill(neutral(fold, x.dtype), [], x.dtype);
    const length = x.shape[axis] as number;
    const windows = x.shape.map((_, i) => (i === axis ? length : 1)).join(", ");
    const ones = x.shape.map(() => 1).join(", ");
    const before = [reverse ? 0 : length - 1, reverse ? length - 1 : 0];
    const padding = x.shape.map((_, i) => `[${(i === axis ? before : [0, 0]).join(", ")}]`).join(", ");
    const window = `window_dimensions = array<i64: ${windows}>, window_strides = array<i64: ${ones}>, padding = dense<[${padding}]> : tensor<${x.shape.length}x2xi64>`;
    const text = `"stablehlo.reduce_window"(${x.name}, ${start.name}) <{${window}}> (${combiner(fold, x.dtype)})`;
    return this.mapped(text, [x, start], x);
  }

  /** Looks rows up along one axis. */
  gather(x: HloValue, indices: HloValue, axis: number, result: Omit<HloValue, "name">): HloValue {
    const rank = indices.shape.length;
    const offsets = x.shape.flatMap((_, i) => (i === axis ? [] : [i < axis ? i : i + rank - 1]));
    const numbers = `offset_dims = [${offsets.join(", ")}], collapsed_slice_dims = [${axis}], start_index_map = [${axis}], index_vector_dim = ${rank}`;
    const sizes = x.shape.map((size, i) => (i === axis ? 1 : size)).join(", ");
    const text = `"stablehlo.gather"(${x.name}, ${indices.name}) <{dimension_numbers = #stablehlo.gather<${numbers}>, slice_sizes = array<i64: ${sizes}>, indices_are_sorted = false}>`;
    return this.mapped(text, [x, indices], result);
  }

  /** Adds rows to the segment of `base` (zeros) that each belongs to; rows of no segment are dropped. */
  segmentSum(x: HloValue, ids: HloValue, segments: number, base?: HloValue): HloValue {
    const inner = x.shape.slice(ids.shape.length);
    const start = base ?? this.fill(0, [segments, ...inner], x.dtype);
    const windows = inner.map((_, i) => ids.shape.length + i).join(", ");
    const numbers = `update_window_dims = [${windows}], inserted_window_dims = [0], scatter_dims_to_operand_dims = [0], index_vector_dim = ${ids.shape.length}`;
    const text = `"stablehlo.scatter"(${start.name}, ${ids.name}, ${x.name}) <{scatter_dimension_numbers = #stablehlo.scatter<${numbers}>, indices_are_sorted = false, unique_indices = false}> (${combiner("add", x.dtype)})`;
    return this.mapped(text, [start, ids, x], start);
  }

  /** Sorts the last axis, largest first, equal ones in order; returns values and places. */
  sortDescending(x: HloValue): [HloValue, HloValue] {
    const places = this.iota(x.shape, x.shape.length - 1);
    const name = `%${this.count++}`;
    const scalar = hloType({ shape: [], dtype: x.dtype });
    const region = `{ ^bb0(%a: ${scalar}, %b: ${scalar}, %c: tensor<i32>, %d: tensor<i32>): %p = stablehlo.compare GT, %a, %b : (${scalar}, ${scalar}) -> tensor<i1> stablehlo.return %p : tensor<i1> }`;
    const types = `${hloType(x)}, ${hloType(places)}`;
    this.lines.push(
      `${name}:2 = "stablehlo.sort"(${x.name}, ${places.name}) <{dimension = ${x.shape.length - 1} : i64, is_stable = true}> (${region}) : (${types}) -> (${types})`,
    );
    return [
      { ...x, name: `${name}#0` },
      { ...places, name: `${name}#1` },
    ];
  }
}

/** Operations that a reduction folds with. */
export type Fold = "add" | "multiply" | "maximum" | "minimum" | "and" | "or";

function combiner(fold: Fold, dtype: HloType): string {
  const scalar = hloType({ shape: [], dtype });
  return `{ ^bb0(%a: ${scalar}, %b: ${scalar}): %c = stablehlo.${fold} %a, %b : ${scalar} stablehlo.return %c : ${scalar} }`;
}

function neutral(fold: Fold, dtype: HloType): number {
  const integer = dtype === "int32";
  switch (fold) {
    case "add":
    case "or":
      return 0;
    case "multiply":
    case "and":
      return 1;
    case "maximum":
      return integer ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
    case "minimum":
      return integer ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY;
  }
}

// Nine digits give back every float32; what is not finite is written by its bits.
function literal(value: number, dtype: HloType): string {
  if (dtype === "bool") return value ? "true" : "false";
  if (dtype === "int32") return String(Math.trunc(value));
  if (Number.isFinite(Math.fround(value))) return value.toExponential(8);
  const bits =
    dtype === "bfloat16"
      ? { nan: "0x7FC0", plus: "0x7F80", minus: "0xFF80" }
      : { nan: "0x7FC00000", plus: "0x7F800000", minus: "0xFF800000" };
  return Number.isNaN(value) ? bits.nan : value > 0 ? bits.plus : bits.minus;
}

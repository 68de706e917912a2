/**
 * Which StableHLO stands for each operation of a program: one rule an operation, in the numbers of TensorFlow's own kernels. In: an
 * operation and the values made before it. Out: written lines and the values of its results. Formulas are those of program.ts.
 */
import type { Operation, OperationName, Value } from "./program.js";
import { sizeOf } from "./program.js";
import { mixFactors, streamOffsets, uniformUnit } from "./random-numbers.js";
import { type Emitter, once } from "./stablehlo-emitter.js";
import { type Fold, type HloValue, hloType, type StableHloWriter } from "./stablehlo-writer.js";

type Named<Name extends OperationName> = Extract<Operation, { name: Name }>;
type HloRule<Name extends OperationName> = (emitter: Emitter, operation: Named<Name>) => readonly HloValue[];
type Writer = StableHloWriter;
type Any = { readonly inputs: readonly number[]; readonly outputs: readonly Value[] };

/** One rule for every operation; the type refuses a program's operation that has none. */
export const stableHloRules: { readonly [Name in OperationName]: HloRule<Name> } = {
  abs: unary((w, x) => w.same("abs", x)),
  adam(emitter, { inputs, attributes }) {
    const operands = inputs.map((id) => emitter.value(id)) as Seven;
    const shape = operands[0].shape;
    const { variable, firstMoment, secondMoment } = attributes;
    const before = [variable, firstMoment, secondMoment].map((name) => emitter.reader(name, shape));
    const after = once(() =>
      adam(emitter.writer, operands, before.map((read) => read()) as [HloValue, HloValue, HloValue]),
    );
    [variable, firstMoment, secondMoment].forEach((name, i) => {
      emitter.update(name, () => after()[i] as HloValue);
    });
    return [];
  },
  add: binary((w, a, b) => w.same("add", a, b)),
  addN: (emitter, { inputs }) => {
    const values = inputs.map((id) => emitter.value(id));
    return [values.reduce((sum, value) => emitter.writer.same("add", sum, value))];
  },
  after(emitter, { inputs }) {
    const [x, gate] = inputs.map((id) => emitter.value(id)) as [HloValue, HloValue];
    return [emitter.writer.barrier(x, gate)];
  },
  argMax: extremum("maximum"),
  argMin: extremum("minimum"),
  assign(emitter, { inputs, attributes }) {
    const value = emitter.value(inputs[0] as number);
    emitter.update(attributes.variable, () => value);
    return [];
  },
  assignAdd(emitter, { inputs, attributes }) {
    const value = emitter.value(inputs[0] as number);
    const before = emitter.reader(attributes.variable, value.shape);
    emitter.update(attributes.variable, () => emitter.writer.same("add", before(), value));
    return [];
  },
  assignSlice(emitter, { inputs, outputs, attributes }) {
    const { writer } = emitter;
    const [value, index] = inputs.map((id) => emitter.value(id)) as [HloValue, HloValue];
    const whole = emitter.variable(attributes.variable, (outputs[0] as Value).shape);
    const starts = whole.shape.map((_, axis) => (axis === 1 ? index : writer.fill(0, [], "int32")));
    const operands = [whole, value, ...starts];
    const text = `stablehlo.dynamic_update_slice ${operands.map(({ name }) => name).join(", ")}`;
    const updated = writer.mapped(text, operands, whole);
    emitter.update(attributes.variable, () => updated);
    return [updated];
  },
  atan2: binary((w, a, b) => w.same("atan2", a, b)),
  cast: (emitter, { inputs, outputs: [result] }) => {
    return [emitter.writer.convert(emitter.value(inputs[0] as number), (result as Value).dtype)];
  },
  ceil: unary((w, x) => w.same("ceil", x)),
  concat: (emitter, { inputs, attributes }) => {
    return [
      emitter.writer.concatenate(
        inputs.map((id) => emitter.value(id)),
        attributes.axis,
      ),
    ];
  },
  constant: (emitter, { outputs: [result], attributes }) => [
    emitter.writer.constant(attributes.values, result as Value),
  ],
  cos: unary((w, x) => w.same("cosine", x)),
  cumulativeProduct: scan("multiply"),
  cumulativeSum: scan("add"),
  divide: binary((w, a, b) => w.same("divide", a, b)),
  equal: binary((w, a, b) => w.compare("EQ", a, b)),
  erf: unary((w, x) => w.write(`chlo.erf ${x.name}`, x, `${hloType(x)} -> ${hloType(x)}`)),
  exp: unary((w, x) => w.same("exponential", x)),
  expm1: unary((w, x) => w.same("exponential_minus_one", x)),
  fill: (emitter, { outputs: [result], attributes }) => {
    return [emitter.writer.fill(attributes.value, (result as Value).shape, (result as Value).dtype)];
  },
  floor: unary((w, x) => w.same("floor", x)),
  floorDivide: binary((w, a, b) => {
    const quotient = w.same("divide", a, b);
    if (a.dtype === "float32") return w.same("floor", quotient);
    // Division of integers cuts towards zero.
    const one = w.fill(1, a.shape, a.dtype);
    return w.select(crossesZero(w, a, b), w.same("subtract", quotient, one), quotient);
  }),
  gather: (emitter, { inputs, outputs: [result], attributes }) => {
    const [x, indices] = inputs.map((id) => emitter.value(id)) as [HloValue, HloValue];
    return [emitter.writer.gather(x, indices, attributes.axis, result as Value)];
  },
  greater: binary((w, a, b) => w.compare("GT", a, b)),
  greaterEqual: binary((w, a, b) => w.compare("GE", a, b)),
  input: (emitter, { outputs: [result], attributes }) => {
    const { shape, dtype } = result as Value;
    return [emitter.add({ kind: "input", name: attributes.name, shape, dtype })];
  },
  isFinite: unary((w, x) => w.mapped(`stablehlo.is_finite ${x.name}`, [x], { shape: x.shape, dtype: "bool" })),
  isInf: unary((w, x) => w.compare("EQ", w.same("abs", x), w.fill(Number.POSITIVE_INFINITY, x.shape, x.dtype))),
  isNan: unary((w, x) => w.compare("NE", x, x)),
  less: binary((w, a, b) => w.compare("LT", a, b)),
  lessEqual: binary((w, a, b) => w.compare("LE", a, b)),
  log: unary((w, x) => w.same("log", x)),
  log1p: unary((w, x) => w.same("log_plus_one", x)),
  logicalAnd: binary((w, a, b) => w.same("and", a, b)),
  logicalNot: unary((w, x) => w.same("not", x)),
  logicalOr: binary((w, a, b) => w.same("or", a, b)),
  matMul: (emitter, operation) => [matMul(emitter, operation)],
  maximum: binary((w, a, b) => w.same("maximum", a, b)),
  minimum: binary((w, a, b) => w.same("minimum", a, b)),
  modulo: binary((w, a, b) => {
    const remainder = w.same("remainder", a, b);
    return w.select(crossesZero(w, a, b), w.same("add", remainder, b), remainder);
  }),
  multiply: binary((w, a, b) => w.same("multiply", a, b)),
  multiplyNoNan: binary((w, a, b) => {
    const zero = w.fill(0, b.shape, b.dtype);
    return w.select(w.compare("EQ", b, zero), zero, w.same("multiply", a, b));
  }),
  negate: unary((w, x) => w.same("negate", x)),
  notEqual: binary((w, a, b) => w.compare("NE", a, b)),
  pad: (emitter, { inputs, attributes: { paddings, value } }) => {
    const x = emitter.value(inputs[0] as number);
    const [low, high] = [paddings.map((sides) => sides[0]), paddings.map((sides) => sides[1])];
    return [emitter.writer.pad(x, value, low, high)];
  },
  power: binary((w, a, b) => w.same("power", a, b)),
  read: (emitter, { outputs: [result], attributes }) => [
    emitter.variable(attributes.variable, (result as Value).shape),
  ],
  randomUniform: (emitter, { inputs, outputs: [result], attributes }) => {
    return [randomUniform(emitter.writer, emitter.value(inputs[0] as number), result as Value, attributes.stream)];
  },
  reciprocal: unary((w, x) => w.same("divide", w.fill(1, x.shape, x.dtype), x)),
  reduceAll: reduction("and"),
  reduceAny: reduction("or"),
  reduceMax: reduction("maximum"),
  reduceMean: (emitter, { inputs, attributes: { axes, keepDims } }) => {
    const x = emitter.value(inputs[0] as number);
    const sum = emitter.writer.reduce("add", x, axes, keepDims);
    const count = sizeOf(axes.map((axis) => x.shape[axis] as number));
    return [emitter.writer.same("divide", sum, emitter.writer.fill(count, sum.shape, sum.dtype))];
  },
  reduceMin: reduction("minimum"),
  reduceProduct: reduction("multiply"),
  reduceSum: reduction("add"),
  reshape: (emitter, { inputs, outputs: [result] }) => {
    return [emitter.writer.reshape(emitter.value(inputs[0] as number), (result as Value).shape)];
  },
  reverse: (emitter, { inputs, attributes }) => {
    const x = emitter.value(inputs[0] as number);
    const text = `stablehlo.reverse ${x.name}, dims = [${attributes.axes.join(", ")}]`;
    return [emitter.writer.write(text, x, hloType(x))];
  },
  round: unary((w, x) => w.same("round_nearest_even", x)),
  rsqrt: unary((w, x) => w.same("rsqrt", x)),
  segmentSum: (emitter, { inputs, attributes }) => {
    const [x, ids, base] = inputs.map((id) => emitter.value(id)) as [HloValue, HloValue, HloValue?];
    return [emitter.writer.segmentSum(x, ids, attributes.segments, base)];
  },
  select: (emitter, { inputs, outputs: [result] }) => {
    const [condition, t, e] = inputs.map((id) => emitter.writer.broadcast(emitter.value(id), (result as Value).shape));
    return [emitter.writer.select(condition as HloValue, t as HloValue, e as HloValue)];
  },
  sigmoid: unary((w, x) => w.same("logistic", x)),
  sign: unary((w, x) => w.same("sign", x)),
  sin: unary((w, x) => w.same("sine", x)),
  slice: (emitter, { inputs, outputs: [result], attributes }) => {
    const x = emitter.value(inputs[0] as number);
    return [emitter.writer.slice(x, attributes.begin, (result as Value).shape)];
  },
  softmax: unary((w, x) => {
    const { exponentials, sum } = shiftedExponentials(w, x);
    return w.same("divide", exponentials, w.broadcast(sum, x.shape));
  }),
  sparseCrossEntropy: (emitter, { inputs }) => {
    const [logits, targets] = inputs.map((id) => emitter.value(id)) as [HloValue, HloValue];
    return sparseCrossEntropy(emitter.writer, logits, targets);
  },
  sqrt: unary((w, x) => w.same("sqrt", x)),
  square: unary((w, x) => w.same("multiply", x, x)),
  squaredDifference: binary((w, a, b) => {
    const difference = w.same("subtract", a, b);
    return w.same("multiply", difference, difference);
  }),
  stridedSlice: (emitter, { inputs, outputs: [result], attributes: { begin, strides } }) => {
    return [emitter.writer.slice(emitter.value(inputs[0] as number), begin, (result as Value).shape, strides)];
  },
  subtract: binary((w, a, b) => w.same("subtract", a, b)),
  sumOfSquares: unary((w, x) =>
    w.reduce(
      "add",
      w.same("multiply", x, x),
      x.shape.map((_, axis) => axis),
    ),
  ),
  tanh: unary((w, x) => w.same("tanh", x)),
  tile: (emitter, { inputs, outputs: [result], attributes: { repeats } }) => {
    const { writer } = emitter;
    const x = emitter.value(inputs[0] as number);
    const apart = x.shape.flatMap((size, axis) => [repeats[axis] ?? 1, size]);
    const spread = writer.broadcast(
      x,
      apart,
      x.shape.map((_, axis) => 2 * axis + 1),
    );
    return [writer.reshape(spread, (result as Value).shape)];
  },
  topK: (emitter, { inputs, outputs: [result] }) => {
    const sorted = emitter.writer.sortDescending(emitter.value(inputs[0] as number));
    const { shape } = result as Value;
    const begin = shape.map(() => 0);
    return sorted.map((value) => emitter.writer.slice(value, begin, shape));
  },
  transpose: (emitter, { inputs, attributes }) => {
    return [emitter.writer.transpose(emitter.value(inputs[0] as number), attributes.permutation)];
  },
};

function unary(write: (writer: Writer, x: HloValue) => HloValue) {
  return ({ writer, values }: Emitter, { inputs }: Any) => [write(writer, values.get(inputs[0] as number) as HloValue)];
}

function binary(write: (writer: Writer, a: HloValue, b: HloValue) => HloValue) {
  return ({ writer, values }: Emitter, { inputs, outputs: [result] }: Any) => {
    const { shape } = result as Value;
    const [a, b] = inputs.map((id) => writer.broadcast(values.get(id) as HloValue, shape));
    return [write(writer, a as HloValue, b as HloValue)];
  };
}

function reduction(fold: Fold) {
  return (
    { writer, values }: Emitter,
    {
      inputs,
      attributes,
    }: Any & { readonly attributes: { readonly axes: readonly number[]; readonly keepDims: boolean } },
  ) => [writer.reduce(fold, values.get(inputs[0] as number) as HloValue, attributes.axes, attributes.keepDims)];
}

// The smallest place among those that hold the extreme value.
function extremum(fold: "maximum" | "minimum") {
  return (
    { writer, values }: Emitter,
    { inputs, attributes: { axis } }: Any & { readonly attributes: { readonly axis: number } },
  ) => {
    const x = values.get(inputs[0] as number) as HloValue;
    const extreme = writer.broadcast(writer.reduce(fold, x, [axis], true), x.shape);
    const places = writer.iota(x.shape, axis);
    const none = writer.fill(x.shape[axis] as number, x.shape, "int32");
    return [writer.reduce("minimum", writer.select(writer.compare("EQ", x, extreme), places, none), [axis])];
  };
}

function scan(fold: "add" | "multiply") {
  return (
    { writer, values }: Emitter,
    {
      inputs,
      attributes,
    }: Any & { readonly attributes: { readonly axis: number; readonly exclusive: boolean; readonly reverse: boolean } },
  ) => {
    const { axis, exclusive, reverse } = attributes;
    const x = values.get(inputs[0] as number) as HloValue;
    if (sizeOf(x.shape) === 0) return [x];
    const inclusive = writer.scan(fold, x, axis, reverse);
    if (!exclusive) return [inclusive];
    const shift = (by: number) => x.shape.map((_, i) => (i === axis ? by : 0));
    return [writer.pad(inclusive, fold === "add" ? 0 : 1, shift(reverse ? -1 : 1), shift(reverse ? 1 : -1))];
  };
}

// Whether the remainder of a / b is not zero and its sign is not b's.
function crossesZero(w: Writer, a: HloValue, b: HloValue): HloValue {
  const zero = w.fill(0, a.shape, a.dtype);
  const remainder = w.same("remainder", a, b);
  const signs = w.compare("NE", w.compare("LT", remainder, zero), w.compare("LT", b, zero));
  return w.same("and", w.compare("NE", remainder, zero), signs);
}

function shiftedExponentials(w: Writer, x: HloValue) {
  const last = [x.shape.length - 1];
  const shifted = w.same("subtract", x, w.broadcast(w.reduce("maximum", x, last, true), x.shape));
  const exponentials = w.same("exponential", shifted);
  return { shifted, exponentials, sum: w.reduce("add", exponentials, last, true) };
}

// By the formula of random-numbers.ts.
function randomUniform(w: Writer, key: HloValue, { shape }: Value, stream: number): HloValue {
  const flat = [sizeOf(shape)];
  const all = (value: number) => w.fill(value, flat, "int32");
  const [a, b] = streamOffsets(stream).map((offset, half) => {
    return w.same("add", w.broadcast(w.reshape(w.slice(key, [half], [1]), []), flat), all(offset));
  }) as [HloValue, HloValue];
  const right = (x: HloValue, bits: number) => w.same("shift_right_logical", x, all(bits));
  const folded = (x: HloValue, bits: number) => w.same("xor", x, right(x, bits));
  const first = w.same("multiply", folded(w.same("add", w.iota(flat, 0), a), 16), all(mixFactors[0]));
  const second = w.same("multiply", w.same("add", folded(first, 15), b), all(mixFactors[1]));
  const whole = w.convert(right(folded(second, 16), 8), "float32");
  return w.reshape(w.same("multiply", whole, w.fill(uniformUnit, flat, "float32")), shape);
}

function sparseCrossEntropy(w: Writer, logits: HloValue, targets: HloValue): [HloValue, HloValue] {
  const { shifted, exponentials, sum } = shiftedExponentials(w, logits);
  const hit = w.compare("EQ", w.iota(logits.shape, 1), w.broadcast(targets, logits.shape, [0]));
  const zero = w.fill(0, logits.shape, logits.dtype);
  const picked = w.reduce("add", w.select(hit, shifted, zero), [1]);
  const losses = w.same("subtract", w.same("log", w.reshape(sum, targets.shape)), picked);
  const softmax = w.same("divide", exponentials, w.broadcast(sum, logits.shape));
  return [losses, w.same("subtract", softmax, w.convert(hit, logits.dtype))];
}

function matMul({ writer, values }: Emitter, operation: Named<"matMul">): HloValue {
  const { transposeA, transposeB, compute } = operation.attributes;
  const result = operation.outputs[0] as Value;
  const batch = result.shape.slice(0, -2);
  const rank = result.shape.length;
  const [a, b] = operation.inputs.map((id) => {
    const value = values.get(id) as HloValue;
    return writer.convert(writer.broadcast(value, [...batch, ...value.shape.slice(-2)]), compute);
  }) as [HloValue, HloValue];
  const along = batch.map((_, axis) => axis).join(", ");
  const batching = batch.length > 0 ? `batching_dims = [${along}] x [${along}], ` : "";
  const contracting = `contracting_dims = [${rank - (transposeA ? 2 : 1)}] x [${rank - (transposeB ? 1 : 2)}]`;
  // Else a GPU multiplies float32 in the 10 bits of TF32.
  const precision = compute === "float32" ? ", precision = [HIGHEST, HIGHEST]" : "";
  const text = `stablehlo.dot_general ${a.name}, ${b.name}, ${batching}${contracting}${precision}`;
  return writer.convert(writer.mapped(text, [a, b], { shape: result.shape, dtype: compute }), "float32");
}

type Six = [HloValue, HloValue, HloValue, HloValue, HloValue, HloValue];
type Seven = [HloValue, ...Six];

// As TensorFlow's ResourceApplyAdam: m += (g − m)(1 − β₁), v += (g² − v)(1 − β₂), θ −= η √(1 − β₂ᵗ)/(1 − β₁ᵗ) · m / (√v + ε).
function adam(
  w: Writer,
  operands: Seven,
  before: readonly [HloValue, HloValue, HloValue],
): [HloValue, HloValue, HloValue] {
  const [gradient, ...scalars] = operands;
  const { shape } = gradient;
  const one = w.fill(1, [], "float32");
  const [learningRate, beta1, beta2, power1, power2, epsilon] = scalars as Six;
  const [theta, m, v] = before;
  const towards = (old: HloValue, target: HloValue, beta: HloValue) => {
    const share = w.broadcast(w.same("subtract", one, beta), shape);
    return w.same("add", old, w.same("multiply", w.same("subtract", target, old), share));
  };
  const nextM = towards(m, gradient, beta1);
  const nextV = towards(v, w.same("multiply", gradient, gradient), beta2);
  const correction = w.same("divide", w.same("sqrt", w.same("subtract", one, power2)), w.same("subtract", one, power1));
  const rate = w.broadcast(w.same("multiply", learningRate, correction), shape);
  const scale = w.same("add", w.same("sqrt", nextV), w.broadcast(epsilon, shape));
  const step = w.same("divide", w.same("multiply", rate, nextM), scale);
  return [w.same("subtract", theta, step), nextM, nextV];
}

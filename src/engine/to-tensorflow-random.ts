/**
 * Random numbers of a program as TensorFlow operations, by the formula of random-numbers.ts in unsigned integers. In: a key. Out:
 * the handle of the numbers. TensorFlow's own generators would give numbers that no other engine has.
 */
import { sizeOf } from "./program.js";
import { mixFactors, streamOffsets, uniformUnit } from "./random-numbers.js";
import type { TensorFlowGraph } from "./tensorflow-graph.js";
import type { TfOutput } from "./tensorflow-library.js";
import { reshape } from "./to-tensorflow-updates.js";

const T = { type: "uint32" } as const;
const int32 = { type: "int32" } as const;

/** Adds the numbers of a stream. */
export function randomUniform(
  graph: TensorFlowGraph,
  key: TfOutput,
  shape: readonly number[],
  stream: number,
): TfOutput {
  const count = sizeOf(shape);
  const two = (type: string, a: TfOutput, b: TfOutput) => graph.output(type, { inputs: [a, b], attributes: { T } });
  const unsigned = (x: TfOutput) => graph.output("Bitcast", { inputs: [x], attributes: { T: int32, type: T } });
  const number = (value: number) => unsigned(graph.integers([value | 0], []));
  const [first, second] = [0, 1].map((half) => {
    const bounds = [graph.integers([half]), graph.integers([1])];
    return graph.output("Slice", { inputs: [key, ...bounds], attributes: { T: int32, Index: int32 } });
  }) as [TfOutput, TfOutput];
  const [ofA, ofB] = streamOffsets(stream);
  const a = two("AddV2", unsigned(first), number(ofA));
  const b = two("AddV2", unsigned(second), number(ofB));
  const folded = (x: TfOutput, bits: number) => two("BitwiseXor", x, two("RightShift", x, number(bits)));
  // A zero made of the key: of a constant, TensorFlow makes the whole range when it plans, and keeps that of every mask for good.
  const zeros = graph.output("BitwiseAnd", { inputs: [first, graph.integers([0])], attributes: { T: int32 } });
  const range = [reshape(graph, zeros, [], "int32"), graph.integers([count], []), graph.integers([1], [])];
  const places = graph.output("Range", { inputs: range, attributes: { Tidx: int32 } });
  const mixed = two("Mul", folded(two("AddV2", unsigned(places), a), 16), number(mixFactors[0]));
  const again = two("Mul", two("AddV2", folded(mixed, 15), b), number(mixFactors[1]));
  const bits = two("RightShift", folded(again, 16), number(8));
  const attributes = { SrcT: T, DstT: { type: "float32" } } as const;
  const whole = graph.output("Cast", { inputs: [bits], attributes });
  const unit = graph.constant(Float32Array.of(uniformUnit), [], "float32");
  const numbers = graph.output("Mul", { inputs: [whole, unit], attributes: { T: { type: "float32" } } });
  return reshape(graph, numbers, shape, "float32", [count]);
}

/**
 * Random numbers of a program as TensorFlow operations, by the formula of random-numbers.ts in unsigned integers. In: a key. Out:
 * the handle of the numbers. TensorFlow's own generators would give numbers that no other engine has.
 */
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
  const count = shape.reduce((product, size) => product * size, 1);
  const two = (type: string, a: TfOutput, b: TfOutput) => graph.output(type, { inputs: [a, b], attributes: { T } });
  const unsigned = (x: TfOutput) => graph.output("Bitcast", { inputs: [x], attributes: { T: int32, type: T } });
  const number = (value: number) => unsigned(graph.integers([value | 0], []));
  const [a, b] = streamOffsets(stream).map((offset, half) => {
    const bounds = [graph.integers([half]), graph.integers([1])];
    const part = graph.output("Slice", { inputs: [key, ...bounds], attributes: { T: int32, Index: int32 } });
    return two("AddV2", unsigned(part), number(offset));
  }) as [TfOutput, TfOutput];
  const folded = (x: TfOutput, bits: number) => two("BitwiseXor", x, two("RightShift", x, number(bits)));
  const range = [graph.integers([0], []), graph.integers([count], []), graph.integers([1], [])];
  // It waits for the key, so that it does not lie in memory from the start of a step.
  const places = graph.output("Range", { inputs: range, attributes: { Tidx: int32 }, after: [key.oper] });
  const first = two("Mul", folded(two("AddV2", unsigned(places), a), 16), number(mixFactors[0]));
  const second = two("Mul", two("AddV2", folded(first, 15), b), number(mixFactors[1]));
  const bits = two("RightShift", folded(second, 16), number(8));
  const attributes = { SrcT: T, DstT: { type: "float32" } } as const;
  const whole = graph.output("Cast", { inputs: [bits], attributes });
  const unit = graph.constant(Float32Array.of(uniformUnit), [], "float32");
  const numbers = graph.output("Mul", { inputs: [whole, unit], attributes: { T: { type: "float32" } } });
  return reshape(graph, numbers, shape, "float32", [count]);
}

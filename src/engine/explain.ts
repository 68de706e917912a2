/**
 * What a program costs before it is run: arithmetic, memory traffic, most memory at once. In: a program. Out: numbers, and a text to
 * print. The figures count the program as written; a compiler that fuses operations reads and writes less.
 */
import { formatBytes, formatCount } from "../view/format.js";
import { describeProgram, type Operation, type Program, sizeOf, type Value } from "./program.js";

/** What a program costs. */
export interface ProgramCost {
  /** One operation a line. */
  readonly text: string;
  /** How often each operation occurs. */
  readonly operations: Readonly<Record<string, number>>;
  /**
   * Floating-point operations: 2·m·k·n a product of [m, k] and [k, n]; 1 an element for every other arithmetic operation and every
   * element reduced; 5 an element for a softmax, 7 for a cross entropy with its gradient, 12 for Adam; 0 for what only moves elements.
   */
  readonly flops: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Variables, and most bytes of values that are needed at one moment when the operations run in their order. */
  readonly peakBytes: number;
  /** All of it in a few lines, without the text. */
  readonly summary: string;
}

/**
 * Explains a program.
 *
 * @example
 * console.log(explain(step.program).summary);
 * // 9 operations: 2 matMul, 2 input, …
 * // 1,234 FLOPs; 4.1 kB read, 1.2 kB written; at most 3.0 kB at once
 */
export function explain(program: Program): ProgramCost {
  const values = new Map<number, Value>();
  const operations: Record<string, number> = {};
  const totals = { flops: 0, bytesRead: 0, bytesWritten: 0 };
  for (const operation of program.operations) {
    operations[operation.name] = (operations[operation.name] ?? 0) + 1;
    for (const value of operation.outputs) values.set(value.id, value);
    const inputs = operation.inputs.map((id) => values.get(id) as Value);
    totals.flops += flopsOf(operation, inputs);
    if (free.has(operation.name)) continue;
    totals.bytesRead += sum(inputs.map(bytesOf));
    totals.bytesWritten += sum(operation.outputs.map(bytesOf));
    if (operation.name === "assign" || operation.name === "assignAdd") totals.bytesWritten += sum(inputs.map(bytesOf));
    // Three arrays as large as the gradient are read and written.
    if (operation.name === "adam") {
      totals.bytesRead += 3 * bytesOf(inputs[0] as Value);
      totals.bytesWritten += 3 * bytesOf(inputs[0] as Value);
    }
  }
  const peakBytes = peak(program, values);
  const counts = Object.entries(operations).sort(([, a], [, b]) => b - a);
  const summary = [
    `${formatCount(program.operations.length)} operations: ${counts.map(([name, count]) => `${count} ${name}`).join(", ")}`,
    `${formatCount(totals.flops)} FLOPs; ${formatBytes(totals.bytesRead)} read, ${formatBytes(totals.bytesWritten)} written; at most ${formatBytes(peakBytes)} at once`,
  ].join("\n");
  return { text: describeProgram(program), operations, ...totals, peakBytes, summary };
}

/** Operations that hand on what is there. */
const free = new Set<Operation["name"]>(["constant", "input", "read", "reshape"]);
/** Operations that move elements. */
const moving = new Set<Operation["name"]>([
  ...["assign", "assignSlice", "cast", "concat", "constant", "fill", "gather", "input", "pad", "read"],
  ...["reshape", "reverse", "select", "slice", "stridedSlice", "tile", "topK", "transpose"],
] as Operation["name"][]);

function flopsOf(operation: Operation, inputs: readonly Value[]): number {
  const elements = sizeOf((operation.outputs[0] ?? inputs[0])?.shape ?? []);
  const given = sizeOf(inputs[0]?.shape ?? []);
  if (moving.has(operation.name)) return 0;
  if (operation.name.startsWith("reduce")) return given;
  switch (operation.name) {
    case "matMul":
      return 2 * elements * (inputs[0]?.shape.at(operation.attributes.transposeA ? -2 : -1) ?? 1);
    case "addN":
      return elements * (inputs.length - 1);
    case "softmax":
      return 5 * given;
    case "sparseCrossEntropy":
      return 7 * given;
    case "adam":
      return 12 * given;
    case "randomUniform":
      return 10 * elements;
    case "sumOfSquares":
      return 2 * given;
    case "segmentSum":
    case "argMax":
    case "argMin":
      return given;
    default:
      return elements;
  }
}

// A reshape shares its input's memory; a variable that is read is counted once.
function peak(program: Program, values: ReadonlyMap<number, Value>): number {
  const root = new Map<number, number>();
  const owner = (id: number): number => root.get(id) ?? id;
  const lastUse = new Map<number, number>();
  const variables = new Map<string, number>();
  program.operations.forEach((operation, time) => {
    if (operation.name === "reshape")
      root.set(operation.outputs[0]?.id as number, owner(operation.inputs[0] as number));
    if (operation.name === "read") variables.set(operation.attributes.variable, bytesOf(operation.outputs[0] as Value));
    for (const id of [...operation.inputs, ...operation.outputs.map((value) => value.id)]) lastUse.set(owner(id), time);
  });
  for (const id of program.outputs.values()) lastUse.set(owner(id), program.operations.length);
  const ending = new Map<number, number[]>();
  for (const [id, time] of lastUse) ending.set(time, [...(ending.get(time) ?? []), id]);
  const fixed = sum([...variables.values()]);
  const held = new Set<number>();
  let live = 0;
  let most = 0;
  program.operations.forEach((operation, time) => {
    if (operation.name !== "read" && operation.name !== "reshape") {
      for (const value of operation.outputs) held.add(value.id);
      live += sum(operation.outputs.map(bytesOf));
    }
    most = Math.max(most, live);
    for (const id of ending.get(time) ?? []) if (held.delete(id)) live -= bytesOf(values.get(id) as Value);
  });
  return fixed + most;
}

function bytesOf({ shape, dtype }: Value): number {
  return sizeOf(shape) * (dtype === "bool" ? 1 : 4);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

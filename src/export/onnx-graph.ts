/**
 * An ONNX model as it is built and written. In: nodes, weights, inputs and outputs. Out: the bytes of a ModelProto, in pieces.
 * Nodes name their results, so a graph is written like a formula. Only what a GPT-2 needs of the format; it checks nothing
 * (the tests have ONNX's own checker for that). Field numbers: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { bytes, fieldsOf, float, integer, type Message, message, text } from "./protobuf.js";

/** Element types, with ONNX's numbers for them. */
export const ELEMENT = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, bool: 9, float16: 10 } as const;
/** Name of an element type. */
export type Element = keyof typeof ELEMENT;

/** A stored array; float16 as raw bits. */
export interface OnnxTensor {
  readonly type: Element;
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint16Array | Uint8Array | Int8Array | BigInt64Array;
}

/** Name of a value of the graph: an input, a stored array or a node's result. */
export type Value = string;

/** Attributes of a node; whole numbers are written as integers, so a float attribute is given as `{ float: 1 }`. */
export type Attributes = Readonly<Record<string, number | readonly number[] | { readonly float: number }>>;

// The operators' version (LayerNormalization came with 17) and the file format of ONNX 1.12, which brought it.
const OPSET = 17;
const IR_VERSION = 8;

/** A graph under construction. */
export class OnnxGraph {
  private readonly nodes: Message[] = [];
  private readonly stored = new Map<string, Message>();
  private readonly inputs: Message[] = [];
  private readonly outputs: Message[] = [];

  constructor(private readonly name: string) {}

  /**
   * Declares an input.
   *
   * @param shape sizes, or names of sizes that are known at run time
   */
  input(name: string, type: Element, shape: readonly (number | string)[]): Value {
    this.inputs.push(valueInfo(11, name, type, shape));
    return name;
  }

  /** Gives a value the name of an output. */
  output(value: Value, name: string, type: Element, shape: readonly (number | string)[]): void {
    this.nodes.push(node("Identity", [value], [name], {}));
    this.outputs.push(valueInfo(12, name, type, shape));
  }

  /** Stores an array once, however often it is asked for under its name. */
  store(name: string, tensor: () => OnnxTensor): Value {
    if (!this.stored.has(name)) this.stored.set(name, tensorOf(name, tensor()));
    return name;
  }

  /** A whole number, or a list of them. */
  integers(values: number | readonly number[]): Value {
    const list = typeof values === "number" ? [values] : values;
    const shape = typeof values === "number" ? [] : [list.length];
    const data = BigInt64Array.from(list, BigInt);
    return this.store(`int64${JSON.stringify(values)}`, () => ({ type: "int64", shape, data }));
  }

  /** A 32-bit float. */
  scalar(value: number): Value {
    return this.store(`float32[${value}]`, () => ({ type: "float32", shape: [], data: Float32Array.of(value) }));
  }

  /** Adds a node and returns its result. */
  add(operator: string, inputs: readonly Value[], attributes: Attributes = {}): Value {
    return this.addMany(operator, inputs, 1, attributes)[0] as Value;
  }

  /** Adds a node of several results. */
  addMany(operator: string, inputs: readonly Value[], count: number, attributes: Attributes = {}): Value[] {
    const stem = `${operator}_${this.nodes.length}`;
    const results = Array.from({ length: count }, (_, i) => (count === 1 ? stem : `${stem}.${i}`));
    this.nodes.push(node(operator, inputs, results, attributes));
    return results;
  }

  /**
   * The whole model.
   *
   * @param metadata notes that readers may show
   */
  write(metadata: ReadonlyMap<string, string>): Message {
    const stored = [...this.stored.values()].map((tensor) => message(5, tensor));
    const graph = message(7, ...this.nodes, text(2, this.name), ...stored, ...this.inputs, ...this.outputs);
    return fieldsOf([
      integer(1, IR_VERSION),
      text(2, "fledge"),
      graph,
      message(8, text(1, ""), integer(2, OPSET)),
      ...[...metadata].map(([key, value]) => message(14, text(1, key), text(2, value))),
    ]);
  }
}

function node(operator: string, inputs: readonly Value[], outputs: readonly Value[], attributes: Attributes): Message {
  return message(
    1,
    ...inputs.map((name) => text(1, name)),
    ...outputs.map((name) => text(2, name)),
    text(3, outputs[0] ?? operator),
    text(4, operator),
    ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  );
}

// Kinds of attribute: 1 float, 2 integer, 7 integers.
function attribute(name: string, value: Attributes[string]): Message {
  if (typeof value === "number") return message(5, text(1, name), integer(3, value), integer(20, 2));
  if ("float" in value) return message(5, text(1, name), float(2, value.float), integer(20, 1));
  return message(5, text(1, name), ...value.map((one) => integer(8, one)), integer(20, 7));
}

function tensorOf(name: string, { type, shape, data }: OnnxTensor): Message {
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return fieldsOf([...shape.map((size) => integer(1, size)), integer(2, ELEMENT[type]), text(8, name), bytes(9, raw)]);
}

function valueInfo(field: number, name: string, type: Element, shape: readonly (number | string)[]): Message {
  const sizes = shape.map((size) => message(1, typeof size === "number" ? integer(1, size) : text(2, size)));
  return message(field, text(1, name), message(2, message(1, integer(1, ELEMENT[type]), message(2, ...sizes))));
}

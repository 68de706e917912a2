/**
 * A TensorFlow graph under construction, with the few attribute kinds that programs need, and host tensors that free
 * themselves when asked. In: operation types, inputs, attributes. Out: TF_Output handles. It runs nothing.
 */
import { problem } from "../message.js";
import type { HostArray } from "./engine.js";
import { disposedEngine, outOfMemory } from "./errors.js";
import { dataTypes, type Pointer, type TensorFlowLibrary, type TfDType, type TfOutput } from "./tensorflow-library.js";

/** An attribute of a TensorFlow operation, told apart by its key. */
export type Attribute =
  | { readonly type: TfDType }
  | { readonly types: readonly TfDType[] }
  | { readonly shapes: readonly (readonly number[])[] }
  | { readonly strings: readonly string[] }
  | { readonly int: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly shape: readonly number[] }
  | { readonly tensor: Pointer };

/** What a graph operation is made of. A list of outputs among the inputs is a list input. */
export interface NodeSpec {
  readonly inputs?: readonly (TfOutput | readonly TfOutput[])[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly after?: readonly Pointer[];
  /** Default: the next number. */
  readonly name?: string;
}

/** Calls a C function with a status and throws what it reports. */
export function withStatus<Result>(
  library: TensorFlowLibrary,
  action: string,
  call: (status: Pointer) => Result,
): Result {
  const status = library.newStatus();
  const result = call(status);
  checkStatus(library, action, status);
  return result;
}

// TF_RESOURCE_EXHAUSTED of tensorflow/c/tf_status.h.
const resourceExhausted = 8;

function firstLine(text: string): string {
  return text.split("\n", 1)[0] as string;
}

/**
 * Frees a status and throws what it reports.
 *
 * @throws OutOfMemoryError where TensorFlow ran out of memory, else Error
 */
export function checkStatus(library: TensorFlowLibrary, action: string, status: Pointer): void {
  const code = library.getCode(status) as number;
  const found = String(library.message(status));
  library.deleteStatus(status);
  if (code === 0) return;
  if (code === resourceExhausted) throw outOfMemory(action, `TensorFlow said "${firstLine(found)}"`);
  throw new Error(
    problem({
      cannot: action,
      found: `TensorFlow said "${found.slice(0, 600)}"`,
      expected: "success",
      fix: "look at the program with describeProgram(), or run the same step with FLEDGE_ENGINE=cpu",
    }),
  );
}

/** Copies an array into a new TensorFlow tensor; free it with `library.deleteTensor`. */
export function toTensor(
  library: TensorFlowLibrary,
  values: HostArray | Uint8Array,
  shape: readonly number[],
  dtype: TfDType,
): Pointer {
  const tensor = library.allocateTensor(dataTypes[dtype], shape, shape.length, values.byteLength);
  if (!tensor) throw outOfMemory("make a tensor", `no room for ${values.byteLength.toLocaleString("en")} bytes`);
  if (values.byteLength > 0) library.copyIn(library.tensorData(tensor), values, values.byteLength);
  return tensor;
}

/** Copies a float32 tensor to the host and frees it. */
export function takeFloats(library: TensorFlowLibrary, tensor: Pointer): Float32Array {
  const bytes = Number(library.tensorByteSize(tensor));
  const values = new Float32Array(bytes / 4);
  if (bytes > 0) library.copyOut(values, library.tensorData(tensor), bytes);
  library.deleteTensor(tensor);
  return values;
}

/** Builds operations into one TF_Graph; names are unique by a running number. */
export class TensorFlowGraph {
  readonly graph: Pointer;
  private open = true;
  private count = 0;

  constructor(private readonly library: TensorFlowLibrary) {
    this.graph = library.newGraph();
  }

  /** Frees the graph; what was added to it must not be used again. */
  close(): void {
    this.open = false;
    this.library.deleteGraph(this.graph);
  }

  /** Adds an operation and returns its TF_Operation. */
  operation(type: string, { inputs = [], attributes = {}, after = [], name = this.nextName(type) }: NodeSpec): Pointer {
    const { library } = this;
    // TensorFlow would write into freed memory.
    if (!this.open) throw disposedEngine();
    const description = library.newOperation(this.graph, type, name);
    for (const input of inputs) {
      if ("oper" in input) library.addInput(description, input);
      else library.addInputList(description, input, input.length);
    }
    for (const operation of after) library.addControlInput(description, operation);
    for (const [name, attribute] of Object.entries(attributes)) this.setAttribute(description, name, attribute);
    return withStatus(library, `build a TensorFlow ${type}`, (status) => library.finishOperation(description, status));
  }

  private nextName(type: string): string {
    return `${this.count++}_${type}`;
  }

  /** Adds an operation and returns its first output. */
  output(type: string, spec: NodeSpec): TfOutput {
    return { oper: this.operation(type, spec), index: 0 };
  }

  /** Adds a constant. */
  constant(values: HostArray | Uint8Array, shape: readonly number[], dtype: TfDType): TfOutput {
    const tensor = toTensor(this.library, values, shape, dtype);
    try {
      return this.output("Const", { attributes: { dtype: { type: dtype }, value: { tensor } } });
    } finally {
      this.library.deleteTensor(tensor);
    }
  }

  /** Adds a vector (or, with `shape`, another tensor) of int32. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): TfOutput {
    return this.constant(Int32Array.from(values), shape, "int32");
  }

  private setAttribute(description: Pointer, name: string, attribute: Attribute): void {
    const { library } = this;
    if ("type" in attribute) library.setAttrType(description, name, dataTypes[attribute.type]);
    else if ("types" in attribute) {
      const types = attribute.types.map((type) => dataTypes[type]);
      library.setAttrTypeList(description, name, types, types.length);
    } else if ("shapes" in attribute) {
      // A pointer to nothing is no shape but an unknown one.
      const shapes = attribute.shapes.map((shape) => BigInt64Array.from(shape.length > 0 ? shape : [0], BigInt));
      const ranks = attribute.shapes.map((shape) => shape.length);
      library.setAttrShapeList(description, name, shapes, ranks, ranks.length);
    } else if ("strings" in attribute) {
      const lengths = attribute.strings.map((text) => Buffer.byteLength(text));
      library.setAttrStringList(description, name, attribute.strings, lengths, lengths.length);
    } else if ("int" in attribute) library.setAttrInt(description, name, attribute.int);
    else if ("bool" in attribute) library.setAttrBool(description, name, attribute.bool ? 1 : 0);
    else if ("string" in attribute) {
      library.setAttrString(description, name, attribute.string, Buffer.byteLength(attribute.string));
    } else if ("shape" in attribute) library.setAttrShape(description, name, attribute.shape, attribute.shape.length);
    else {
      withStatus(library, `set ${name}`, (status) =>
        library.setAttrTensor(description, name, attribute.tensor, status),
      );
    }
  }
}

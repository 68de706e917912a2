/**
 * The interface that `@tensorflow/tfjs-node-gpu` expects of its compiled addon, over TensorFlow's eager C API: its own JavaScript
 * kernels then run on the TensorFlow that pip installed. In: the TensorFlow folder. Out: the binding. String tensors and saved models,
 * which models here do not use, are refused. Sources: tensorflow/c/eager/c_api.h; tfjs-node's binding of tensors by number.
 */
import { problem } from "../message.js";
import { withStatus } from "./tensorflow-graph.js";
import { dataTypes, type Pointer, type TensorFlowLibrary } from "./tensorflow-library.js";

/** An attribute as tfjs-node's kernels give it: `type` is one of the binding's TF_ATTR numbers. */
export interface OperationAttribute {
  readonly name: string;
  readonly type: number;
  readonly value: unknown;
}

/** A tensor by its number. */
export interface TensorMetadata {
  readonly id: number;
  readonly shape: number[];
  readonly dtype: number;
}

type Values = Float32Array | Int32Array | Uint8Array | BigInt64Array | Uint16Array;

const attributeKinds = { string: 0, int: 1, float: 2, bool: 3, type: 4, shape: 5 } as const;
const arrays = {
  1: Float32Array,
  3: Int32Array,
  4: Uint8Array,
  9: BigInt64Array,
  10: Uint8Array,
  14: Uint16Array,
  19: Uint16Array,
} as const;

/** What tfjs-node's NodeJSKernelBackend calls. */
export class TfjsBinding {
  readonly TF_FLOAT = dataTypes.float32;
  readonly TF_INT32 = dataTypes.int32;
  readonly TF_BOOL = dataTypes.bool;
  readonly TF_INT64 = 9;
  readonly TF_UINT8 = 4;
  readonly TF_STRING = 7;
  readonly TF_COMPLEX64 = 8;
  readonly TF_RESOURCE = 20;
  readonly TF_ATTR_STRING = attributeKinds.string;
  readonly TF_ATTR_INT = attributeKinds.int;
  readonly TF_ATTR_FLOAT = attributeKinds.float;
  readonly TF_ATTR_BOOL = attributeKinds.bool;
  readonly TF_ATTR_TYPE = attributeKinds.type;
  readonly TF_ATTR_SHAPE = attributeKinds.shape;
  readonly TF_Version: string;
  private readonly context: Pointer;
  private readonly handles = new Map<number, Pointer>();
  private next = 0;

  constructor(private readonly library: TensorFlowLibrary) {
    this.TF_Version = library.version;
    const options = library.newContextOptions();
    this.context = this.checked("open TensorFlow's eager context", (status) => library.newContext(options, status));
    library.deleteContextOptions(options);
  }

  createTensor(shape: readonly number[], dtype: number, values: Values): number {
    if (!ArrayBuffer.isView(values)) throw unsupported("string tensors");
    const { library } = this;
    const tensor = library.allocateTensor(dtype, shape, shape.length, values.byteLength);
    if (values.byteLength > 0) library.copyIn(library.tensorData(tensor), values, values.byteLength);
    try {
      return this.keep(this.checked("create a tensor", (status) => library.newTensorHandle(tensor, status)));
    } finally {
      library.deleteTensor(tensor);
    }
  }

  deleteTensor(id: number): void {
    this.library.deleteTensorHandle(this.handle(id));
    this.handles.delete(id);
  }

  tensorDataSync(id: number): Values {
    const { library } = this;
    const tensor = this.checked("read a tensor", (status) => library.resolveTensorHandle(this.handle(id), status));
    const bytes = Number(library.tensorByteSize(tensor));
    const memory = new ArrayBuffer(bytes);
    if (bytes > 0) library.copyOut(memory, library.tensorData(tensor), bytes);
    library.deleteTensor(tensor);
    const type = library.tensorHandleType(this.handle(id)) as number;
    const array = arrays[type as keyof typeof arrays];
    if (!array) throw unsupported(`tensors of TensorFlow's type ${type}`);
    return new array(memory);
  }

  executeOp(
    name: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly number[],
    outputCount: number,
  ): TensorMetadata[] {
    const { library } = this;
    const operation = this.checked(`make a TensorFlow ${name}`, (status) =>
      library.newEagerOperation(this.context, name, status),
    );
    try {
      for (const id of inputs) {
        this.checked(`give ${name} its inputs`, (status) => library.addEagerInput(operation, this.handle(id), status));
      }
      for (const attribute of attributes) this.setAttribute(operation, attribute);
      const results: Pointer[] = new Array<Pointer>(outputCount).fill(null);
      this.checked(`run ${name}`, (status) => library.executeEager(operation, results, [outputCount], status));
      return results.map((handle) => ({
        id: this.keep(handle),
        shape: this.shape(handle),
        dtype: library.tensorHandleType(handle) as number,
      }));
    } finally {
      library.deleteEagerOperation(operation);
    }
  }

  isUsingGpuDevice(): boolean {
    return false;
  }
  getNumOfTensors(): number {
    return this.handles.size;
  }
  getNumOfSavedModels(): number {
    return 0;
  }
  loadSavedModel(): never {
    throw unsupported("saved models");
  }

  private setAttribute(operation: Pointer, { name, type, value }: OperationAttribute): void {
    const { library } = this;
    switch (type) {
      case attributeKinds.type:
        library.setEagerType(operation, name, value as number);
        break;
      case attributeKinds.bool:
        library.setEagerBool(operation, name, value ? 1 : 0);
        break;
      case attributeKinds.int:
        if (Array.isArray(value)) library.setEagerIntList(operation, name, value as number[], value.length);
        else library.setEagerInt(operation, name, value as number);
        break;
      case attributeKinds.float:
        library.setEagerFloat(operation, name, value as number);
        break;
      case attributeKinds.string:
        library.setEagerString(operation, name, value as string, Buffer.byteLength(value as string));
        break;
      default:
        throw unsupported(`attributes such as ${name}`);
    }
  }

  private shape(handle: Pointer): number[] {
    const { library } = this;
    return this.checked("look at a tensor", (status) => {
      const rank = library.tensorHandleRank(handle, status) as number;
      return Array.from({ length: rank }, (_, axis) => Number(library.tensorHandleSize(handle, axis, status)));
    });
  }

  private keep(handle: Pointer): number {
    this.handles.set(this.next, handle);
    return this.next++;
  }

  private handle(id: number): Pointer {
    return this.handles.get(id);
  }

  private checked<Result>(action: string, call: (status: Pointer) => Result): Result {
    return withStatus(this.library, action, call);
  }
}

function unsupported(what: string): Error {
  return new Error(
    problem({
      cannot: "run this on the engine tfjs-node",
      found: what,
      expected: "tensors of numbers",
      fix: "set FLEDGE_ENGINE=cpu",
    }),
  );
}

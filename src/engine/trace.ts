/**
 * A TensorFlow.js backend that records instead of computing. In: a function of TensorFlow.js operations (its gradients
 * included, since TensorFlow.js differentiates by calling more kernels). Out: a Program. It runs nothing; a kernel that is
 * not covered fails here, with its name. The kernels themselves are in trace-kernels.ts.
 */
import * as tf from "@tensorflow/tfjs";
import { nearest, problem } from "../message.js";
import type { AdamUpdate, Precision, StepFunction, TensorSpec, Variables } from "./engine.js";
import { callSite, checkStatic, isFromLibrary, refusedCall, unknownVariable } from "./errors.js";
import {
  type Operation,
  type OperationAttributes,
  type OperationName,
  type Program,
  prune,
  type Value,
} from "./program.js";
import { registerTraceKernels } from "./trace-kernels.js";
import { cast, checkDType } from "./trace-rules.js";

const backendName = "trace";

/** What a trace is made with. */
export interface TraceOptions {
  readonly name: string;
  readonly inputs: Readonly<Record<string, TensorSpec>>;
  /** Shapes of the variables that the step may read or update. */
  readonly variables: ReadonlyMap<string, readonly number[]>;
  readonly precision: Precision;
}

/**
 * Records one call of a step function.
 *
 * @returns the program, without the operations that nothing needs
 * @throws Error when the step uses an operation that the tracer does not cover, or reads a tensor's value
 * @example
 * trace((x) => ({ y: tf.square(x.a) }), { name: "square", inputs: { a: { shape: [2], dtype: "float32" } }, … });
 */
export function trace(step: StepFunction, options: TraceOptions): Program {
  const recorder = new Recorder(options.precision);
  const previous = tf.engine().backendName;
  const backend = traceBackend();
  const stackDepth = Error.stackTraceLimit;
  // The user's line lies under a dozen frames of TensorFlow.js.
  Error.stackTraceLimit = 100;
  tf.engine().setBackend(backendName);
  backend.recorder = recorder;
  try {
    return record(step, options, recorder);
  } catch (error) {
    throw explainFailure(error);
  } finally {
    Error.stackTraceLimit = stackDepth;
    backend.recorder = undefined;
    tf.engine().setBackend(previous ?? "cpu");
  }
}

function explainFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !isFromLibrary(error) || error.message.includes(" Fix: ")) return error;
  return uncoveredOperation(error) ?? refusedCall(error);
}

// TensorFlow.js says "Kernel 'Tan' not registered for backend 'trace'".
function uncoveredOperation(error: Error): Error | undefined {
  const kernel = /Kernel '(\w+)' not registered for backend 'trace'/.exec(error.message)?.[1];
  if (!kernel) return undefined;
  const covered = tf.getKernelsForBackend(backendName).map(({ kernelName }) => kernelName);
  const near = nearest(kernel, covered);
  const found = `the TensorFlow.js operation "${kernel}"${callSite(error).at}`;
  const expected = `one of the ${covered.length} covered ones${near ? `, such as "${near}"` : ""}`;
  const fix = "write it with covered operations (docs/engine.md lists them), or run it with FLEDGE_ENGINE=cpu";
  return new Error(problem({ cannot: "trace this step", found, expected, fix }), { cause: error });
}

function record(step: StepFunction, options: TraceOptions, recorder: Recorder): Program {
  const outputs = new Map<string, number>();
  tf.tidy(() => {
    const inputs: Record<string, tf.Tensor> = {};
    for (const [name, spec] of Object.entries(options.inputs)) {
      checkStatic(`input "${name}"`, spec.shape);
      inputs[name] = recorder.tensor(recorder.add("input", [], { name }, [spec]));
    }
    const results = step(inputs, new TracedVariables(recorder, options.variables));
    if (recorder.refused) throw recorder.refused;
    if (results instanceof Promise) throw notATensor("the step", results);
    for (const [name, tensor] of Object.entries(results)) {
      if (!(tensor instanceof tf.Tensor)) throw notATensor(`output "${name}"`, tensor);
      // What comes back to the host is float32.
      outputs.set(name, cast(recorder, recorder.value(tensor), "float32").id);
    }
  });
  return prune({ name: options.name, operations: recorder.operations, outputs });
}

// What is only known after a value was read has no static shape: tf.whereAsync, tf.booleanMaskAsync, an async step.
function notATensor(what: string, found: unknown): TypeError {
  const dynamic = found instanceof Promise;
  if (dynamic) found.catch(() => {});
  return new TypeError(
    problem({
      cannot: "trace this step",
      found: `${what} is ${dynamic ? "a Promise" : found === null ? "null" : typeof found}`,
      expected: "a tensor whose shape is known while tracing",
      fix: dynamic
        ? "use operations of static shape, such as tf.where and a mask, and no await inside the step"
        : "return tensors by name: return { y: tensor }",
    }),
  );
}

/** Collects operations and hands out symbolic values. */
export class Recorder {
  readonly operations: Operation[] = [];
  /** The first read that was tried without waiting for it. */
  refused: Error | undefined;
  private readonly values = new WeakMap<object, Value>();
  private nextId = 0;

  constructor(readonly precision: Precision) {}

  /** Appends an operation and returns its first value. */
  add<Name extends OperationName>(
    name: Name,
    inputs: readonly Pick<Value, "id">[],
    attributes: OperationAttributes[Name],
    outputs: readonly TensorSpec[],
  ): Value {
    return this.addMany(name, inputs, attributes, outputs)[0] as Value;
  }

  /** Appends an operation and returns all its values. */
  addMany<Name extends OperationName>(
    name: Name,
    inputs: readonly Pick<Value, "id">[],
    attributes: OperationAttributes[Name],
    outputs: readonly TensorSpec[],
  ): Value[] {
    const values = outputs.map(({ shape, dtype }) => ({ id: this.nextId++, shape: [...shape], dtype }));
    this.operations.push({ name, inputs: inputs.map((value) => value.id), outputs: values, attributes } as Operation);
    return values;
  }

  /** The value behind a TensorFlow.js tensor. */
  value(tensor: tf.TensorInfo): Value {
    const value = this.values.get(tensor.dataId);
    if (!value) {
      throw new Error(
        problem({
          cannot: "trace this step",
          found: `a tensor of shape [${tensor.shape.join(", ")}] made outside it, used${callSite(new Error()).at}`,
          expected: "tensors that are inputs, variables or made inside the step",
          fix: "pass the tensor as an input, or make it inside the step function",
        }),
      );
    }
    return value;
  }

  /** A TensorFlow.js tensor info that stands for a value. */
  info(value: Value): tf.TensorInfo {
    const dataId = { id: value.id };
    this.values.set(dataId, value);
    return { dataId, shape: [...value.shape], dtype: value.dtype };
  }

  /** A TensorFlow.js tensor that stands for a value. */
  tensor(value: Value): tf.Tensor {
    return tf.engine().makeTensorFromTensorInfo(this.info(value));
  }
}

function refusedRead(): Error {
  return new Error(
    problem({
      cannot: "read a tensor while a step is traced",
      found: `a call of dataSync(), data(), print() or the like${callSite(new Error()).at}`,
      expected: "operations of static shape only",
      fix: "return the tensor from the step and read it from the result of run(), and use tf.where for tf.whereAsync",
    }),
  );
}

/** The backend that TensorFlow.js talks to while a step is traced. */
export class TraceBackend extends tf.KernelBackend {
  recorder: Recorder | undefined;

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    const recorder = this.recording();
    const spec = { shape, dtype: checkDType(dtype) };
    const numbers = values as ArrayLike<number>;
    const typed =
      spec.dtype === "int32"
        ? Int32Array.from(numbers)
        : spec.dtype === "bool"
          ? Uint8Array.from(numbers)
          : Float32Array.from(numbers);
    return recorder.info(recorder.add("constant", [], { values: typed }, [spec])).dataId;
  }

  /** The recorder of the trace under way. */
  recording(): Recorder {
    if (!this.recorder) throw new Error("The trace backend was used outside trace().");
    return this.recorder;
  }

  override readSync(): never {
    throw refusedRead();
  }
  // Never settles, so that what awaits it cannot end the process with a rejection that nobody handles.
  override read(): Promise<never> {
    this.recording().refused ??= refusedRead();
    return new Promise(() => {});
  }
  override floatPrecision(): 32 {
    return 32;
  }
  override epsilon(): number {
    return 1e-7;
  }
  override numDataIds(): number {
    return 0;
  }
  override disposeData(): boolean {
    return true;
  }
  override incRef(): void {}
  decRef(): void {}
  override refCount(): number {
    return 1;
  }
  override memory() {
    return { unreliable: true };
  }
}

// Registered once with TensorFlow.js, which keeps the registry of backends and kernels.
function traceBackend(): TraceBackend {
  if (!tf.findBackend(backendName)) {
    tf.registerBackend(backendName, () => new TraceBackend(), 0);
    registerTraceKernels(backendName);
  }
  return tf.findBackend(backendName) as TraceBackend;
}

class TracedVariables implements Variables {
  constructor(
    private readonly recorder: Recorder,
    private readonly shapes: ReadonlyMap<string, readonly number[]>,
  ) {}

  read(name: string): tf.Tensor {
    return this.recorder.tensor(this.recorder.add("read", [], { variable: name }, [this.spec(name)]));
  }
  assign(name: string, value: tf.Tensor): void {
    this.spec(name);
    this.recorder.addMany("assign", [this.recorder.value(value)], { variable: name }, []);
  }
  assignAdd(name: string, value: tf.Tensor): void {
    this.spec(name);
    this.recorder.addMany("assignAdd", [this.recorder.value(value)], { variable: name }, []);
  }
  assignSlice(name: string, index: tf.Tensor, value: tf.Tensor): tf.Tensor {
    const { recorder } = this;
    const spec = this.spec(name);
    if (
      recorder.operations.some(
        ({ name: operation, attributes }) => operation === "read" && attributes.variable === name,
      )
    ) {
      throw new Error(
        problem({
          cannot: `write into variable "${name}"`,
          found: "a read of it before, in the same step",
          expected: "assignSlice() first, since it changes the variable in place",
          fix: "use what assignSlice() returns",
        }),
      );
    }
    const expected = spec.shape.with(1, 1);
    if (value.shape.join() !== expected.join()) {
      throw new TypeError(
        problem({
          cannot: `write into variable "${name}"`,
          found: `a value of shape [${value.shape.join(", ")}]`,
          expected: `[${expected.join(", ")}]`,
          fix: "reshape the value; only axis 1 may differ from the variable, with length 1",
        }),
      );
    }
    const inputs = [recorder.value(value), recorder.value(index)];
    return recorder.tensor(recorder.add("assignSlice", inputs, { variable: name }, [spec]));
  }
  adam(update: AdamUpdate): void {
    const { gradient, learningRate, beta1, beta2, beta1Power, beta2Power, epsilon } = update;
    const { variable, firstMoment, secondMoment } = update;
    for (const name of [variable, firstMoment, secondMoment]) this.spec(name);
    const inputs = [gradient, learningRate, beta1, beta2, beta1Power, beta2Power, epsilon];
    this.recorder.addMany(
      "adam",
      inputs.map((tensor) => this.recorder.value(tensor)),
      { variable, firstMoment, secondMoment },
      [],
    );
  }
  private spec(name: string): TensorSpec {
    const shape = this.shapes.get(name);
    if (!shape) throw unknownVariable(name, this.shapes.keys());
    return { shape, dtype: "float32" };
  }
}

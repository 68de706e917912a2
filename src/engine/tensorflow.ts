/**
 * The compiled engine: one TensorFlow graph and session holds the variables and every program; a step is one call that
 * runs off the main thread. In: step functions, host arrays. Out: host arrays. It chooses nothing (see choose.ts).
 */
import { promisify } from "node:util";
import type {
  CompiledStep,
  Engine,
  Form,
  HostArray,
  Parallelism,
  Precision,
  StepFunction,
  TensorSpec,
  VariableInit,
} from "./engine.js";
import { disposedEngine, lengthMismatch, unknownVariable } from "./errors.js";
import { sizeOf } from "./program.js";
import { checkStatus, TensorFlowGraph, takeFloats, toTensor, withStatus } from "./tensorflow-graph.js";
import { loadTensorFlow, type Pointer, type TensorFlowLibrary, type TfOutput } from "./tensorflow-library.js";
import { type EmittedProgram, emitTensorFlow } from "./to-tensorflow.js";
import { emitXlaCall } from "./to-xla-call.js";
import { trace } from "./trace.js";

/** How a TensorFlow engine is opened. */
export interface TensorFlowOptions {
  /** The `tensorflow` folder of a Python environment. */
  readonly folder: string;
  readonly precision: Precision;
  /** Default: the graph form. */
  readonly form?: Form;
  /** Default: "between". */
  readonly parallelism?: Parallelism | undefined;
}

/**
 * Opens TensorFlow as a training engine.
 *
 * @throws Error or RangeError as `loadTensorFlow` does
 */
export function openTensorFlow({
  folder,
  precision,
  form = "graph",
  parallelism = "between",
}: TensorFlowOptions): Engine {
  return new TensorFlowEngine(loadTensorFlow(folder), precision, form, parallelism);
}

// A serialised ConfigProto: graph_options (10) { rewrite_options (10) { disable_meta_optimizer (19): true } }. TensorFlow's
// graph rewriting orders sums by what else is in the session, so that a resumed run would differ in the last bits.
const noRewriting = [0x52, 0x05, 0x52, 0x03, 0x98, 0x01, 0x01];
// experimental (16) { executor_type (3) }
const executor = "SINGLE_THREADED_EXECUTOR";
const oneAfterTheOther = [0x82, 0x01, executor.length + 2, 0x1a, executor.length, ...Buffer.from(executor)];
// intra_op_parallelism_threads (2): 1, use_per_session_threads (9): true
const oneThread = [0x10, 0x01, 0x48, 0x01];
const parallelismConfigs = { between: [], within: oneAfterTheOther, none: [...oneAfterTheOther, ...oneThread] };

/** How the description of an engine ends whose programs XLA compiles. */
export const byXla = ", compiled by XLA";

class TensorFlowEngine implements Engine {
  readonly name = "tensorflow";
  readonly description: string;
  private readonly platform: "CPU" | "CUDA";
  private readonly hasOneDnn: boolean;
  private readonly graph: TensorFlowGraph;
  private readonly session: Pointer;
  private readonly handles = new Map<string, TfOutput>();
  private readonly readers = new Map<string, TfOutput>();
  private readonly shapes = new Map<string, readonly number[]>();
  private running: Promise<unknown> = Promise.resolve();
  private open = true;

  constructor(
    private readonly library: TensorFlowLibrary,
    private readonly precision: Precision,
    private readonly form: Form,
    parallelism: Parallelism,
  ) {
    this.graph = new TensorFlowGraph(library);
    const options = library.newSessionOptions();
    const config = Uint8Array.of(...noRewriting, ...parallelismConfigs[parallelism]);
    withStatus(library, "set up a TensorFlow session", (status) =>
      library.setConfig(options, config, config.length, status),
    );
    this.session = withStatus(library, "open a TensorFlow session", (status) =>
      library.newSession(this.graph.graph, options, status),
    );
    library.deleteSessionOptions(options);
    const hasGpu = this.hasGpu();
    this.platform = hasGpu ? "CUDA" : "CPU";
    this.hasOneDnn = !hasGpu && process.arch === "x64";
    const compiler = form === "xla" ? byXla : "";
    this.description = `TensorFlow ${library.version} on ${hasGpu ? "GPU" : "CPU"}, ${precision} products${compiler}`;
  }

  async createVariables(variables: ReadonlyMap<string, VariableInit>): Promise<void> {
    const feeds: Feed[] = [];
    const assignments: Pointer[] = [];
    for (const [name, { shape, values }] of variables) {
      if (values && values.length !== sizeOf(shape)) throw lengthMismatch(`variable "${name}"`, values.length, shape);
      const handle = this.variable(name, shape);
      const filler = this.placeholder(values ? shape : []);
      feeds.push({
        input: filler,
        values: values ?? Float32Array.of(0),
        spec: { shape: values ? shape : [], dtype: "float32" },
      });
      const value = values ? filler : this.fill(shape, filler);
      assignments.push(
        this.graph.operation("AssignVariableOp", {
          inputs: [handle, value],
          attributes: { dtype: { type: "float32" } },
        }),
      );
    }
    // One run: TensorFlow prepares a graph anew for each set of targets, which costs more than the copy.
    await this.run(feeds, [], assignments);
  }

  async deleteVariables(names: Iterable<string>): Promise<void> {
    const known = [...names].flatMap((name) => this.handles.get(name) ?? []);
    const destroy = known.map((handle) =>
      this.graph.operation("DestroyResourceOp", {
        inputs: [handle],
        attributes: { ignore_lookup_error: { bool: true } },
      }),
    );
    if (destroy.length > 0) await this.run([], [], destroy);
  }

  async readVariables(names: Iterable<string>): Promise<Map<string, Float32Array>> {
    const wanted = [...names];
    const reads = wanted.map((name) => this.reader(name));
    const values = await this.run([], reads, []);
    return new Map(wanted.map((name, i) => [name, values[i] as Float32Array]));
  }

  async compile<Input extends string, Output extends string>(
    name: string,
    inputs: Readonly<Record<Input, TensorSpec>>,
    step: StepFunction<Input, Output>,
    precision = this.precision,
    variables: "changing" | "fixed" = "changing",
  ): Promise<CompiledStep<Input, Output>> {
    const program = trace(step, { name, inputs, variables: this.shapes, precision });
    const emitted =
      this.form === "xla"
        ? emitXlaCall(program, this.graph, this.handles, this.platform)
        : emitTensorFlow(program, this.graph, this.handles, this.platform, variables === "fixed" && this.hasOneDnn);
    const run = (values: Readonly<Record<Input, HostArray>>) => this.runStep(emitted, inputs, values);
    return { program, run: run as CompiledStep<Input, Output>["run"] };
  }

  async dispose(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.running.catch(() => {});
    withStatus(this.library, "close TensorFlow", (status) => this.library.closeSession(this.session, status));
    withStatus(this.library, "close TensorFlow", (status) => this.library.deleteSession(this.session, status));
    this.graph.close();
  }

  private async runStep(
    emitted: EmittedProgram,
    specs: Readonly<Record<string, TensorSpec>>,
    inputs: Readonly<Record<string, HostArray>>,
  ): Promise<Record<string, Float32Array>> {
    const feeds: Feed[] = [];
    for (const [name, spec] of Object.entries(specs)) {
      const values = inputs[name];
      if (values?.length !== sizeOf(spec.shape))
        throw lengthMismatch(`input "${name}"`, values?.length ?? 0, spec.shape);
      const input = emitted.inputs.get(name);
      if (input) feeds.push({ input, values, spec });
    }
    const names = [...emitted.outputs.keys()];
    const results = await this.run(feeds, [...emitted.outputs.values()], emitted.effects);
    return Object.fromEntries(names.map((name, i) => [name, results[i] as Float32Array]));
  }

  // One call at a time: a second step waits for the first, since both change the same variables.
  private run(
    feeds: readonly Feed[],
    fetches: readonly TfOutput[],
    targets: readonly Pointer[],
  ): Promise<Float32Array[]> {
    const result = this.running.catch(() => {}).then(() => this.runNow(feeds, fetches, targets));
    this.running = result;
    return result;
  }

  private async runNow(
    feeds: readonly Feed[],
    fetches: readonly TfOutput[],
    targets: readonly Pointer[],
  ): Promise<Float32Array[]> {
    const { library } = this;
    if (this.open && fetches.length + targets.length === 0) return [];
    if (!this.open) throw disposedEngine();
    const tensors = feeds.map(({ values, spec }) => toTensor(library, values, spec.shape, spec.dtype));
    const results: Pointer[] = fetches.map(() => null);
    const status = library.newStatus();
    const call = promisify(library.sessionRun.async) as (...values: unknown[]) => Promise<void>;
    await call(
      ...[this.session, null],
      ...[feeds.map((feed) => feed.input), tensors, tensors.length],
      ...[fetches, results, fetches.length],
      ...[targets, targets.length, null, status],
    );
    for (const tensor of tensors) library.deleteTensor(tensor);
    checkStatus(library, "run a step", status);
    return results.map((tensor) => takeFloats(library, tensor));
  }

  private variable(name: string, shape: readonly number[]): TfOutput {
    const known = this.handles.get(name);
    if (known) return known;
    const attributes = { dtype: { type: "float32" }, shape: { shape }, shared_name: { string: name } } as const;
    const handle = this.graph.output("VarHandleOp", { attributes, name: `variable/${name.replace(/[^\w./-]/g, "_")}` });
    this.handles.set(name, handle);
    this.shapes.set(name, shape);
    return handle;
  }

  // Made once for each variable: checkpoints read the same ones again and again.
  private reader(name: string): TfOutput {
    const known = this.readers.get(name);
    if (known) return known;
    const handle = this.handles.get(name);
    if (!handle) throw unknownVariable(name, this.handles.keys());
    const read = this.graph.output("ReadVariableOp", { inputs: [handle], attributes: { dtype: { type: "float32" } } });
    this.readers.set(name, read);
    return read;
  }

  private placeholder(shape: readonly number[]): TfOutput {
    return this.graph.output("Placeholder", { attributes: { dtype: { type: "float32" }, shape: { shape } } });
  }

  // Of a number that is fed: TensorFlow makes equal constants one, and variables that share memory could not be written in place.
  private fill(shape: readonly number[], value: TfOutput): TfOutput {
    const attributes = { T: { type: "float32" }, index_type: { type: "int32" } } as const;
    return this.graph.output("Fill", { inputs: [this.graph.integers(shape), value], attributes });
  }

  private hasGpu(): boolean {
    const { library } = this;
    return withStatus(library, "list TensorFlow's devices", (status) => {
      const devices = library.listDevices(this.session, status);
      const types = Array.from({ length: library.deviceCount(devices) }, (_, i) =>
        String(library.deviceType(devices, i, status)),
      );
      library.deleteDevices(devices);
      return types.includes("GPU");
    });
  }
}

interface Feed {
  readonly input: TfOutput;
  readonly values: HostArray;
  readonly spec: TensorSpec;
}

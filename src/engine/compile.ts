/**
 * The public door to the compiler: any function of TensorFlow.js operations with static shapes becomes one program that keeps its
 * state on the engine between calls. In: the function, shapes of its inputs, its first state. Out: a function of arrays. What a program
 * costs is told by explain.ts.
 */
import type * as tf from "@tensorflow/tfjs";
import { chooseEngine, type EngineOptions } from "./choose.js";
import type { DType, Engine, HostArray, TensorSpec } from "./engine.js";
import type { Program } from "./program.js";
import { sizeOf } from "./program.js";

/** Shape of an input: `[2, 3]` is float32. */
export type InputSpec = readonly number[] | TensorSpec;

/** First value of a state tensor; zeros where `values` is left out. */
export interface StateInit {
  readonly shape: readonly number[];
  readonly values?: Float32Array | readonly number[];
}

/** What is compiled. */
export interface CompileOptions<Input extends string, State extends string> extends EngineOptions {
  readonly inputs: Readonly<Record<Input, InputSpec>>;
  /** What lives on the engine between calls, float32. Default: nothing. */
  readonly state?: Readonly<Record<State, StateInit>>;
  /** For messages and `explain`. Default "function". */
  readonly name?: string;
}

/** A function of tensors: outputs by name, and the state tensors that change. */
export type TensorFunction<Input extends string, State extends string, Output extends string> = (
  inputs: Readonly<Record<Input, tf.Tensor>>,
  state: Readonly<Record<State, tf.Tensor>>,
) => {
  readonly outputs: Readonly<Record<Output, tf.Tensor>>;
  readonly state?: Readonly<Partial<Record<State, tf.Tensor>>>;
};

/** A compiled function; free it with `dispose()`. */
export interface CompiledFunction<Input extends string, State extends string, Output extends string> {
  /** Runs once; the arrays are row-major, as long as their shapes say. */
  run(inputs: Readonly<Record<Input, HostArray | readonly number[]>>): Promise<Record<Output, Float32Array>>;
  /** Copies the state to the host. */
  state(): Promise<Record<State, Float32Array>>;
  /** The traced program where the engine compiles one: hand it to `explain`. */
  readonly program?: Program;
  /** Device memory of a run at its peak as the compiler counts it, state included, in bytes; where the engine tells. */
  readonly peakBytes?: number;
  /** Which engine runs it, and why. */
  readonly engineReason: string;
  /** Frees the engine and the state. */
  dispose(): Promise<void>;
}

/**
 * Compiles a function of TensorFlow.js operations.
 *
 * @param compute called once with symbolic tensors on a compiled engine, at every run on the others; static shapes, no reading of values
 * @param options shapes of the inputs, first state, and what `chooseEngine` takes
 * @throws Error or TypeError with the operation and your line, when the function cannot be traced
 * @example
 * // A ball that falls: its height and speed stay on the engine from call to call.
 * const fall = await compile(
 *   ({ seconds }, { height, speed }) => {
 *     const faster = tf.add(speed, tf.mul(9.81, seconds));
 *     const lower = tf.sub(height, tf.mul(faster, seconds));
 *     return { outputs: { height: lower }, state: { height: lower, speed: faster } };
 *   },
 *   { inputs: { seconds: [] }, state: { height: { shape: [], values: [100] }, speed: { shape: [] } } },
 * );
 * for (let i = 0; i < 100; i++) await fall.run({ seconds: [0.01] });
 * console.log((await fall.state()).height[0]); // 95.05 metres after one second
 * await fall.dispose();
 */
export async function compile<Input extends string, Output extends string, State extends string = never>(
  compute: TensorFunction<Input, State, Output>,
  options: CompileOptions<Input, State>,
): Promise<CompiledFunction<Input, State, Output>> {
  const { inputs, state = {} as Readonly<Record<State, StateInit>>, name = "function", ...rest } = options;
  const names = Object.keys(state) as State[];
  const { engine, reason } = await chooseEngine(rest);
  try {
    const variables = names.map((key) => [key, initial(state[key])] as const);
    await engine.createVariables(new Map(variables));
    return await compileOn(engine, reason, compute, inputs, names, name);
  } catch (error) {
    await engine.dispose();
    throw error;
  }
}

async function compileOn<Input extends string, State extends string, Output extends string>(
  engine: Engine,
  engineReason: string,
  compute: TensorFunction<Input, State, Output>,
  inputs: Readonly<Record<Input, InputSpec>>,
  names: readonly State[],
  name: string,
): Promise<CompiledFunction<Input, State, Output>> {
  const entries = Object.entries<InputSpec>(inputs).map(([key, spec]) => [key, fullSpec(spec)] as const);
  const specs = Object.fromEntries(entries) as Record<Input, TensorSpec>;
  const step = await engine.compile<Input, Output>(name, specs, (tensors, variables) => {
    const before = Object.fromEntries(names.map((key) => [key, variables.read(key)])) as Record<State, tf.Tensor>;
    const { outputs, state } = compute(tensors, before);
    for (const [key, value] of Object.entries<tf.Tensor | undefined>(state ?? {})) {
      if (value) variables.assign(key, value);
    }
    return outputs;
  });
  return {
    ...(step.program && { program: step.program }),
    ...(step.peakBytes !== undefined && { peakBytes: step.peakBytes }),
    engineReason,
    run: (values) => {
      const arrays = entries.map(([key, { dtype }]) => [key, toArray((values as Given)[key] ?? [], dtype)]);
      return step.run(Object.fromEntries(arrays) as Record<Input, HostArray>);
    },
    async state() {
      return Object.fromEntries(await engine.readVariables(names)) as Record<State, Float32Array>;
    },
    dispose: () => engine.dispose(),
  };
}

type Given = Readonly<Record<string, HostArray | readonly number[]>>;

function fullSpec(spec: InputSpec): TensorSpec {
  return "shape" in spec ? spec : { shape: spec, dtype: "float32" };
}

function initial({ shape, values }: StateInit) {
  return { shape, values: values ? Float32Array.from(values) : new Float32Array(sizeOf(shape)) };
}

function toArray(values: HostArray | readonly number[], dtype: DType): HostArray {
  if (ArrayBuffer.isView(values)) return values;
  return dtype === "float32" ? Float32Array.from(values) : Int32Array.from(values);
}

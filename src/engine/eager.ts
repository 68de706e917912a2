/**
 * The fallback engine: the same step functions run at once by plain TensorFlow.js (WebAssembly or JavaScript), with no
 * native library. In: step functions, host arrays. Out: host arrays. Slow, and says so in its description.
 */
import * as tf from "@tensorflow/tfjs";
import type {
  AdamUpdate,
  CompiledStep,
  Engine,
  HostArray,
  StepFunction,
  TensorSpec,
  VariableInit,
  Variables,
} from "./engine.js";
import { checkStatic, disposedEngine, lengthMismatch, unknownVariable } from "./errors.js";
import { sizeOf } from "./program.js";
import { registerWasmKernels } from "./wasm-kernels.js";

/** Engines that run step functions at once. */
export type EagerName = "tfjs-node" | "wasm" | "cpu";

/**
 * Opens TensorFlow.js as a training engine.
 *
 * @param name which of its backends computes
 * @param folder of TensorFlow, for `tfjs-node`
 */
export async function openEager(name: EagerName, folder?: string): Promise<Engine> {
  const { backend, kind } = await prepare(name, folder);
  if (!(await tf.setBackend(backend))) throw new Error(`TensorFlow.js could not start its ${backend} backend.`);
  const variables = new EagerVariables();
  let open = true;
  // Called with no await between it and the use of variables.
  const checkOpen = () => {
    if (!open) throw disposedEngine();
  };
  return {
    name,
    description: `TensorFlow.js ${tf.version_core} ${kind}`,
    async createVariables(inits) {
      await tf.setBackend(backend);
      checkOpen();
      for (const [variable, init] of inits) variables.create(variable, init);
    },
    async deleteVariables(names) {
      for (const variable of names) variables.delete(variable);
    },
    async readVariables(names) {
      checkOpen();
      const entries = [...names].map(async (variable) => {
        const values = await variables.tensor(variable).data();
        return [variable, Float32Array.from(values)] as const;
      });
      return new Map(await Promise.all(entries));
    },
    async compile<Input extends string, Output extends string>(
      _name: string,
      specs: Readonly<Record<Input, TensorSpec>>,
      step: StepFunction<Input, Output>,
    ) {
      for (const [name, { shape }] of Object.entries<TensorSpec>(specs)) checkStatic(`input "${name}"`, shape);
      const run: CompiledStep<Input, Output>["run"] = async (inputs) => {
        await tf.setBackend(backend);
        checkOpen();
        const outputs = tf.tidy(() => ({ ...step(toTensors(specs, inputs), variables) }));
        const result: Partial<Record<Output, Float32Array>> = {};
        for (const [output, tensor] of Object.entries(outputs) as [Output, tf.Tensor][]) {
          result[output] = Float32Array.from(await tensor.data());
          tensor.dispose();
        }
        return result as Record<Output, Float32Array>;
      };
      return { run };
    },
    async dispose() {
      open = false;
      variables.dispose();
    },
  };
}

async function prepare(name: EagerName, folder?: string): Promise<{ backend: string; kind: string }> {
  const slow = "float32 products; slow, for small models only";
  switch (name) {
    case "tfjs-node": {
      const { registerTfjsNode } = await import("./tfjs-node.js");
      const { backendName, description } = registerTfjsNode(folder);
      return { backend: backendName, kind: `on ${description}, float32 products, one operation at a time` };
    }
    case "wasm":
      await import("@tensorflow/tfjs-backend-wasm");
      registerWasmKernels();
      return { backend: name, kind: `in WebAssembly, ${slow}` };
    case "cpu":
      return { backend: name, kind: `in plain JavaScript, ${slow}` };
  }
}

function toTensors<Input extends string>(
  specs: Readonly<Record<Input, TensorSpec>>,
  inputs: Readonly<Record<Input, HostArray>>,
): Record<Input, tf.Tensor> {
  const tensors: Partial<Record<Input, tf.Tensor>> = {};
  for (const [name, { shape, dtype }] of Object.entries(specs) as [Input, TensorSpec][]) {
    const values = inputs[name];
    if (values?.length !== sizeOf(shape)) throw lengthMismatch(`input "${name}"`, values?.length ?? 0, shape);
    tensors[name] = tf.tensor(values, [...shape], dtype);
  }
  return tensors as Record<Input, tf.Tensor>;
}

class EagerVariables implements Variables {
  private readonly tensors = new Map<string, tf.Tensor>();

  create(name: string, { shape, values }: VariableInit): void {
    if (values && values.length !== sizeOf(shape)) throw lengthMismatch(`variable "${name}"`, values.length, shape);
    this.replace(name, values ? tf.tensor(values.slice(), [...shape], "float32") : tf.zeros([...shape]));
  }
  tensor(name: string): tf.Tensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw unknownVariable(name, this.tensors.keys());
    return tensor;
  }
  // A clone, because tf.tidy may dispose what the step was given.
  read(name: string): tf.Tensor {
    return tf.clone(this.tensor(name));
  }
  assign(name: string, value: tf.Tensor): void {
    this.replace(name, tf.clone(value));
  }
  assignAdd(name: string, value: tf.Tensor): void {
    this.replace(name, tf.add(this.tensor(name), value));
  }
  assignSlice(name: string, index: tf.Tensor, value: tf.Tensor): tf.Tensor {
    const whole = this.tensor(name);
    const [N, P] = whole.shape as [number, number];
    const places = tf.reshape(tf.range(0, P, 1, "int32"), [1, P, ...whole.shape.slice(2).map(() => 1)]);
    const chosen = tf.tile(tf.equal(places, index), [N, 1, ...whole.shape.slice(2)]);
    this.replace(name, tf.where(chosen, tf.add(value, tf.zerosLike(whole)), whole));
    return this.read(name);
  }
  delete(name: string): void {
    this.tensors.get(name)?.dispose();
    this.tensors.delete(name);
  }
  adam(update: AdamUpdate): void {
    const { gradient, beta1, beta2, epsilon } = update;
    const m = tf.add(tf.mul(this.tensor(update.firstMoment), beta1), tf.mul(gradient, tf.sub(1, beta1)));
    const v = tf.add(tf.mul(this.tensor(update.secondMoment), beta2), tf.mul(tf.square(gradient), tf.sub(1, beta2)));
    const correction = tf.div(tf.sqrt(tf.sub(1, update.beta2Power)), tf.sub(1, update.beta1Power));
    const step = tf.mul(tf.mul(update.learningRate, correction), tf.div(m, tf.add(tf.sqrt(v), epsilon)));
    this.replace(update.variable, tf.sub(this.tensor(update.variable), step));
    this.replace(update.firstMoment, m);
    this.replace(update.secondMoment, v);
  }
  dispose(): void {
    for (const tensor of this.tensors.values()) tensor.dispose();
    this.tensors.clear();
  }
  private replace(name: string, tensor: tf.Tensor): void {
    this.tensors.get(name)?.dispose();
    this.tensors.set(name, tf.keep(tensor));
  }
}

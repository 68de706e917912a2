/**
 * The PJRT engine: StableHLO text compiled by a plugin (CUDA, TPU, CPU), variables that stay on the device and are updated in the
 * memory of their old values. In: step functions, host arrays. Out: host arrays. Compiled programs are kept on disk by content.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { problem } from "../message.js";
import { formatBytes } from "../view/format.js";
import {
  type CompiledStep,
  type DeviceMemory,
  type Engine,
  type HostArray,
  hostTiling,
  type Precision,
  type StepFunction,
  type TensorSpec,
  type Tiling,
  type VariableInit,
} from "./engine.js";
import { disposedEngine, lengthMismatch, outOfMemory, unknownVariable } from "./errors.js";
import { allocateMemory, freeMemory } from "./native.js";
import { PjrtLibrary } from "./pjrt-library.js";
import { sizeOf } from "./program.js";
import { emitStableHlo, type StableHloModule } from "./to-stablehlo.js";
import { trace } from "./trace.js";

/** How a PJRT engine is opened. */
export interface PjrtOptions {
  /** The plugin's shared library. */
  readonly plugin: string;
  readonly precision: Precision;
  /** Folder of compiled programs; left out, none are kept. */
  readonly cacheFolder?: string;
}

/**
 * Opens a PJRT plugin as a training engine.
 *
 * @throws Error or RangeError as `PjrtLibrary` does, and where the plugin finds no device
 */
export function openPjrt({ plugin, precision, cacheFolder }: PjrtOptions): Engine {
  return new PjrtEngine(new PjrtLibrary(plugin), precision, cacheFolder);
}

/** PJRT_Buffer_Type of what programs hold. */
const bufferTypes = { bool: 1n, int32: 4n, float32: 11n } as const;
/** The plugin has copied the array when the call returns (kImmutableOnlyDuringCall). */
const copyDuringCall = 0n;
// CompileOptionsProto: executable_build_options (3) { num_replicas (4): 1, num_partitions (5): 1 }, and one entry of
// env_option_overrides (7): key (1), value (2) { bool_field (2): true }. Else a GPU adds in the order in which its threads arrive.
const reproducible = Buffer.from("xla_gpu_exclude_nondeterministic_ops");
const compileOptions = Buffer.concat([
  Uint8Array.of(0x1a, 4, 0x20, 1, 0x28, 1),
  Uint8Array.of(0x3a, reproducible.length + 6, 0x0a, reproducible.length),
  reproducible,
  Uint8Array.of(0x12, 2, 0x10, 1),
]);

/** A GPU wants fewer and larger kernels; with bfloat16 products XLA keeps the logits in two bytes (docs/decisions.md). */
function tilingOf(platform: string, precision: Precision): Tiling {
  if (platform === "cpu") return hostTiling;
  const logitsBytes = hostTiling.logitsBytes * (precision === "bfloat16" ? 2 : 1);
  return { attentionRows: 512, logitsBytes, vocabularyMultiple: 64 };
}

type Five = [number, number, number, number, number];

class PjrtEngine implements Engine {
  readonly name = "pjrt";
  readonly description: string;
  readonly tiling: Tiling;
  private readonly client: bigint;
  private readonly device: bigint;
  private readonly platform: string;
  private readonly buffers = new Map<string, bigint>();
  private readonly shapes = new Map<string, readonly number[]>();
  private readonly executables: bigint[] = [];
  private running: Promise<unknown> = Promise.resolve();
  private open = true;

  constructor(
    private readonly library: PjrtLibrary,
    private readonly precision: Precision,
    private readonly cacheFolder: string | undefined,
  ) {
    this.client = createClient(library);
    const text = (name: "Client_PlatformName" | "Client_PlatformVersion") => this.text(name, this.client);
    const [, list = 0n, count = 0n] = library.call("Client_AddressableDevices", [this.client, 0n, 0n]);
    if (count === 0n) throw noDevice(library.file);
    this.device = library.readSlots(list, 1)[0] as bigint;
    const described = library.call("Device_GetDescription", [this.device, 0n])[1] as bigint;
    this.tiling = tilingOf(text("Client_PlatformName"), precision);
    this.platform = `${text("Client_PlatformName")} ${text("Client_PlatformVersion")}`;
    const kind = this.text("DeviceDescription_Kind", described);
    this.description = `PJRT ${library.version} on ${text("Client_PlatformName")} (${kind}), ${precision} products, compiled by XLA`;
  }

  async createVariables(variables: ReadonlyMap<string, VariableInit>): Promise<void> {
    await this.inTurn(async () => {
      for (const [name, { shape, values }] of variables) {
        if (values && values.length !== sizeOf(shape)) throw lengthMismatch(`variable "${name}"`, values.length, shape);
        this.replace(name, await this.upload(values ?? new Float32Array(sizeOf(shape)), { shape, dtype: "float32" }));
        this.shapes.set(name, shape);
      }
    });
  }

  async deleteVariables(names: Iterable<string>): Promise<void> {
    const wanted = [...names];
    await this.inTurn(async () => {
      for (const name of wanted) this.replace(name, undefined);
    });
  }

  async readVariables(names: Iterable<string>): Promise<Map<string, Float32Array>> {
    const wanted = [...names];
    return this.inTurn(async () => {
      const values = new Map<string, Float32Array>();
      for (const name of wanted)
        values.set(name, await this.download(this.variable(name), this.shapes.get(name) ?? []));
      return values;
    });
  }

  async compile<Input extends string, Output extends string>(
    name: string,
    inputs: Readonly<Record<Input, TensorSpec>>,
    step: StepFunction<Input, Output>,
    precision = this.precision,
  ): Promise<CompiledStep<Input, Output>> {
    const program = trace(step, { name, inputs, variables: this.shapes, precision });
    const module = emitStableHlo(program, { state: "inside" });
    const executable = await this.inTurn(() => this.load(module.text));
    const peakBytes = this.peakBytes(executable);
    this.checkMemory(name, peakBytes);
    const run = (values: Readonly<Record<Input, HostArray>>) => {
      for (const [input, { shape }] of Object.entries<TensorSpec>(inputs)) {
        const given = (values as Readonly<Record<string, HostArray>>)[input];
        if (given?.length !== sizeOf(shape)) throw lengthMismatch(`input "${input}"`, given?.length ?? 0, shape);
      }
      return this.inTurn(() => this.execute(executable, module, values));
    };
    return { program, peakBytes, run: (async (values) => run(values)) as CompiledStep<Input, Output>["run"] };
  }

  deviceMemory(): DeviceMemory | undefined {
    const asked = [this.device, ...new Array<bigint>(22).fill(0n)];
    try {
      const stats = this.library.call("Device_MemoryStats", asked);
      const [inUse, peak, limit] = [1, 2, 8].map((slot) => Number(stats[slot])) as [number, number, number];
      return limit > 0 ? { inUse, peak, limit } : undefined;
    } catch {
      return undefined; // Not every device counts: the host's plugin does not.
    }
  }

  async dispose(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await this.running.catch(() => {});
    for (const buffer of this.buffers.values()) this.library.call("Buffer_Destroy", [buffer]);
    for (const executable of this.executables) this.library.call("LoadedExecutable_Destroy", [executable]);
    this.buffers.clear();
    this.library.call("Client_Destroy", [this.client]);
  }

  // One call at a time: steps change the same variables.
  private inTurn<Result>(action: () => Promise<Result>): Promise<Result> {
    const result = this.running
      .catch(() => {})
      .then(() => {
        if (!this.open) throw disposedEngine();
        return action();
      });
    this.running = result;
    return result;
  }

  /** Arguments, results and what is between them, less the results that take the memory of arguments. */
  private peakBytes(executable: bigint): number {
    const { library } = this;
    const inner = library.call("LoadedExecutable_GetExecutable", [executable, 0n])[1] as bigint;
    try {
      const stats = library.call("Executable_GetCompiledMemoryStats", [inner, ...new Array<bigint>(12).fill(0n)]);
      const [code, given, results, shared, between] = stats.slice(1, 6).map(Number) as Five;
      return code + given + results - shared + between;
    } finally {
      library.call("Executable_Destroy", [inner]);
    }
  }

  // A device that fills up in the middle of a run may have updated some of its variables: better to know before.
  private checkMemory(name: string, peakBytes: number): void {
    const memory = this.deviceMemory();
    if (!memory || peakBytes <= memory.limit) return;
    const found = `a program that takes ${formatBytes(peakBytes)} of the ${formatBytes(memory.limit)} that the device has`;
    throw outOfMemory(`run "${name}"`, found);
  }

  // The file's name is the content: what was compiled, by what, for what.
  private async load(text: string): Promise<bigint> {
    const key = createHash("sha256").update(`${this.library.version}\n${this.platform}\n${text}`).digest("hex");
    const file = this.cacheFolder && join(this.cacheFolder, `${key}.pjrt`);
    const executable = (file && this.loadCached(file)) || (await this.compileText(text));
    this.executables.push(executable);
    if (file && !existsSync(file)) this.save(executable, file);
    return executable;
  }

  private loadCached(file: string): bigint | undefined {
    if (!existsSync(file)) return undefined;
    const bytes = readFileSync(file);
    const memory = this.library.place(bytes);
    try {
      const slots = [this.client, memory, BigInt(bytes.length), 0n, 0n, 0n];
      return this.library.call("Executable_DeserializeAndLoad", slots)[3];
    } catch {
      return undefined; // Of another build: it is compiled anew.
    } finally {
      freeMemory(memory);
    }
  }

  private save(executable: bigint, file: string): void {
    const inner = this.library.call("LoadedExecutable_GetExecutable", [executable, 0n])[1] as bigint;
    try {
      const [, address = 0n, length = 0n] = this.library.call("Executable_Serialize", [inner, 0n, 0n, 0n, 0n]);
      mkdirSync(this.cacheFolder as string, { recursive: true });
      writeFileSync(`${file}.${process.pid}`, this.library.read(address, Number(length)));
      renameSync(`${file}.${process.pid}`, file);
    } catch {
      // Not every plugin can write programs down, and a full disk is no reason not to train.
    } finally {
      this.library.call("Executable_Destroy", [inner]);
    }
  }

  private async compileText(text: string): Promise<bigint> {
    const code = Buffer.from(text);
    const format = Buffer.from("mlir");
    const placed = [code, format, compileOptions].map((bytes) => this.library.place(bytes)) as [bigint, bigint, bigint];
    // PJRT_Program: struct_size, extension_start, code, code_size, format, format_size.
    const fields = [48n, 0n, placed[0], BigInt(code.length), placed[1], BigInt(format.length)];
    const program = this.library.place(BigUint64Array.from(fields));
    try {
      const slots = [this.client, program, placed[2], BigInt(compileOptions.length), 0n];
      return (await this.library.callAsync("Client_Compile", slots))[4] as bigint;
    } finally {
      for (const memory of [...placed, program]) freeMemory(memory);
    }
  }

  private async execute(
    executable: bigint,
    module: StableHloModule,
    inputs: Readonly<Record<string, HostArray>>,
  ): Promise<Record<string, Float32Array>> {
    const { library } = this;
    const uploaded: bigint[] = [];
    const operands: bigint[] = [];
    for (const { kind, name, shape, dtype } of module.arguments) {
      if (kind === "variable") operands.push(this.variable(name));
      else
        uploaded.push(
          operands[operands.push(await this.upload(inputs[name] as HostArray, { shape, dtype })) - 1] as bigint,
        );
    }
    const list = library.place(BigUint64Array.from(operands));
    const lists = library.place(BigUint64Array.of(list));
    const results = library.place(new BigUint64Array(module.results.length));
    const resultLists = library.place(BigUint64Array.of(results));
    const event = library.place(new BigUint64Array(1));
    const options = library.place(BigUint64Array.from([176n, ...new Array<bigint>(21).fill(0n)]));
    try {
      const counts = [1n, BigInt(operands.length)];
      await library.callAsync("LoadedExecutable_Execute", [
        executable,
        options,
        lists,
        ...counts,
        resultLists,
        event,
        0n,
      ]);
      const made = library.readSlots(results, module.results.length);
      for (const [name, index] of module.variables) {
        this.replace(name, made[index]);
        this.shapes.set(name, module.results[index]?.shape ?? []);
      }
      await library.settle(library.readSlots(event, 1)[0] as bigint);
      return await this.collect(module, made);
    } finally {
      for (const memory of [list, lists, results, resultLists, event, options]) freeMemory(memory);
      for (const buffer of uploaded) library.call("Buffer_Destroy", [buffer]);
    }
  }

  private async collect(module: StableHloModule, made: readonly bigint[]): Promise<Record<string, Float32Array>> {
    const outputs: Record<string, Float32Array> = {};
    for (const [name, index] of module.outputs) {
      const buffer = made[index] as bigint;
      outputs[name] = await this.download(buffer, module.results[index]?.shape ?? []);
      this.library.call("Buffer_Destroy", [buffer]);
    }
    return outputs;
  }

  private async upload(values: HostArray, { shape, dtype }: TensorSpec): Promise<bigint> {
    const { library } = this;
    const typed = dtype === "bool" ? Uint8Array.from(values, Number) : values;
    const data = library.place(typed);
    const dims = library.place(BigInt64Array.from(shape, BigInt));
    try {
      const layout = [bufferTypes[dtype], dims, BigInt(shape.length), 0n, 0n, copyDuringCall];
      const slots = [this.client, data, ...layout, this.device, 0n, 0n, 0n, 0n];
      const after = library.call("Client_BufferFromHostBuffer", slots);
      await library.settle(after[11] as bigint);
      return after[12] as bigint;
    } finally {
      freeMemory(data);
      freeMemory(dims);
    }
  }

  private async download(buffer: bigint, shape: readonly number[]): Promise<Float32Array> {
    const bytes = sizeOf(shape) * Float32Array.BYTES_PER_ELEMENT;
    const memory = allocateMemory(bytes);
    try {
      const after = this.library.call("Buffer_ToHostBuffer", [buffer, 0n, memory, BigInt(bytes), 0n]);
      await this.library.settle(after[4] as bigint);
      const copied = this.library.read(memory, bytes);
      return new Float32Array(copied.buffer, copied.byteOffset, sizeOf(shape));
    } finally {
      freeMemory(memory);
    }
  }

  private variable(name: string): bigint {
    const buffer = this.buffers.get(name);
    if (buffer === undefined) throw unknownVariable(name, this.buffers.keys());
    return buffer;
  }

  private replace(name: string, buffer: bigint | undefined): void {
    const old = this.buffers.get(name);
    if (old !== undefined) this.library.call("Buffer_Destroy", [old]);
    if (buffer === undefined) this.buffers.delete(name);
    else this.buffers.set(name, buffer);
  }

  private text(name: "Client_PlatformName" | "Client_PlatformVersion" | "DeviceDescription_Kind", of: bigint): string {
    const [, address = 0n, length = 0n] = this.library.call(name, [of, 0n, 0n]);
    return this.library.read(address, Number(length)).toString();
  }
}

// A CUDA plugin would take three quarters of the device at once, which leaves nothing for a second notebook.
function createClient(library: PjrtLibrary): bigint {
  const isCuda = /cuda|gpu/.test(basename(library.file));
  const name = Buffer.from("preallocate");
  const placedName = library.place(name);
  // PJRT_NamedValue: struct_size, extension_start, name, its length, type (4 = bool), value, value_size.
  const option = library.place(BigUint64Array.from([56n, 0n, placedName, BigInt(name.length), 4n, 0n, 1n]));
  try {
    const options = isCuda ? [option, 1n] : [0n, 0n];
    return library.call("Client_Create", [...options, ...new Array<bigint>(7).fill(0n)])[6] as bigint;
  } finally {
    for (const memory of [placedName, option]) freeMemory(memory);
  }
}

function noDevice(file: string): Error {
  return new Error(
    problem({
      cannot: `use the PJRT plugin ${file}`,
      found: "no device that it can address",
      expected: "at least one",
      fix: "check the driver with nvidia-smi, or set FLEDGE_ENGINE=tensorflow",
    }),
  );
}

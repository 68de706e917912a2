/**
 * The PJRT C API of a plugin, called from Node. In: the plugin's file. Out: its calls by name, each given and giving back the
 * 64-bit slots of its argument struct. It keeps no buffers and compiles nothing (see pjrt.ts). Source: openxla/xla,
 * xla/pjrt/c/pjrt_c_api.h; within major version 0 fields and functions are only ever appended.
 */
import { problem } from "../message.js";
import { outOfMemory } from "./errors.js";
import { allocateMemory, type CFunction, copy, freeMemory, functionAt, openNative } from "./native.js";

/** Position of each function in the table. */
const functions = {
  Error_Destroy: 0,
  Error_Message: 1,
  Error_GetCode: 2,
  Plugin_Initialize: 3,
  Event_Destroy: 5,
  Event_Await: 8,
  Client_Create: 10,
  Client_Destroy: 11,
  Client_PlatformName: 12,
  Client_PlatformVersion: 14,
  Client_AddressableDevices: 16,
  Client_Compile: 20,
  Client_BufferFromHostBuffer: 22,
  DeviceDescription_Kind: 26,
  Device_GetDescription: 29,
  Device_MemoryStats: 34,
  Executable_Destroy: 40,
  Executable_Serialize: 49,
  LoadedExecutable_Destroy: 50,
  LoadedExecutable_GetExecutable: 51,
  LoadedExecutable_Execute: 55,
  Executable_DeserializeAndLoad: 56,
  Buffer_Destroy: 58,
  Buffer_ToHostBuffer: 70,
  Executable_GetCompiledMemoryStats: 96,
} as const;

/** A function of the API, without its prefix `PJRT_`. */
export type PjrtFunction = keyof typeof functions;

// struct_size, extension_start, and the API's version: struct_size, extension_start, two ints.
const tableStart = 40;
const slotBytes = 8;
// More than any struct of ours has: a newer plugin wants the fields that it knows, and takes zeros for "not given".
const spareSlots = 8;
/** absl's RESOURCE_EXHAUSTED. */
const outOfMemoryCode = 8;
/** The major version that the layouts here are of, and the oldest minor version with all of these functions. */
export const pjrtVersion = { major: 0, oldestMinor: 54 };

/** An open plugin. */
export class PjrtLibrary {
  /** `0.81`. */
  readonly version: string;
  private readonly table: bigint;
  private readonly calls = new Map<PjrtFunction, CFunction>();
  private readonly copyIn = copy("void *", "const void *");
  private readonly copyOut = copy("void *", "void *");

  /**
   * Opens a plugin and initialises it.
   *
   * @throws Error where the file is no PJRT plugin or cannot be loaded
   * @throws RangeError for an API version with other layouts
   */
  constructor(readonly file: string) {
    process.env.TF_CPP_MIN_LOG_LEVEL ??= "2"; // else a notebook shows what devices it found as an error
    this.table = openTable(file);
    const view = this.read(this.table, tableStart);
    const [major, minor] = [view.readInt32LE(32), view.readInt32LE(36)];
    this.version = `${major}.${minor}`;
    checkPjrtVersion(major, minor, file);
    this.call("Plugin_Initialize", []);
  }

  /**
   * Calls a function and waits for it.
   *
   * @param slots the fields behind struct_size and extension_start, 64 bits each
   * @returns the same fields afterwards
   * @throws Error with what the plugin says
   */
  call(name: PjrtFunction, slots: readonly bigint[]): bigint[] {
    const memory = this.arguments(slots);
    try {
      return this.finish(name, slots, memory, this.function(name)(memory));
    } finally {
      freeMemory(memory);
    }
  }

  /** Calls a function off the main thread. */
  async callAsync(name: PjrtFunction, slots: readonly bigint[]): Promise<bigint[]> {
    const memory = this.arguments(slots);
    try {
      const error = await new Promise<bigint | null>((resolve, reject) => {
        this.function(name).async(memory, (failure: unknown, value: bigint | null) =>
          failure ? reject(failure) : resolve(value),
        );
      });
      return this.finish(name, slots, memory, error);
    } finally {
      freeMemory(memory);
    }
  }

  /** Waits for an event off the main thread, and destroys it. */
  async settle(event: bigint): Promise<void> {
    if (event === 0n) return;
    try {
      await this.callAsync("Event_Await", [event]);
    } finally {
      this.call("Event_Destroy", [event]);
    }
  }

  /** Copies C memory. */
  read(address: bigint, bytes: number): Buffer {
    const buffer = Buffer.alloc(bytes);
    if (bytes > 0) this.copyOut(buffer, address, bytes);
    return buffer;
  }

  /** Copies an array to C memory, which the caller frees. */
  place(values: ArrayBufferView): bigint {
    const memory = allocateMemory(values.byteLength);
    if (values.byteLength > 0) this.copyIn(memory, values, values.byteLength);
    return memory;
  }

  /** The pointers or numbers of a C array. */
  readSlots(address: bigint, count: number): bigint[] {
    const bytes = this.read(address, count * slotBytes);
    return Array.from({ length: count }, (_, i) => bytes.readBigUInt64LE(i * slotBytes));
  }

  private function(name: PjrtFunction): CFunction {
    const known = this.calls.get(name) ?? functionAt(this.table, tableStart + slotBytes * functions[name]);
    this.calls.set(name, known);
    return known;
  }

  private arguments(slots: readonly bigint[]): bigint {
    const count = 2 + slots.length + spareSlots;
    const words = new BigUint64Array(count);
    words[0] = BigInt(count * slotBytes);
    slots.forEach((slot, i) => {
      words[2 + i] = BigInt.asUintN(64, slot);
    });
    return this.place(words);
  }

  private finish(name: PjrtFunction, slots: readonly bigint[], memory: bigint, error: bigint | null): bigint[] {
    if (error) throw this.failure(name, error);
    return this.readSlots(memory, 2 + slots.length).slice(2);
  }

  private failure(name: PjrtFunction, error: bigint): Error {
    const plain = (call: PjrtFunction, slots: readonly bigint[]) => {
      const memory = this.arguments(slots);
      this.function(call)(memory);
      const result = this.readSlots(memory, 2 + slots.length).slice(2);
      freeMemory(memory);
      return result;
    };
    const [, text = 0n, length = 0n] = plain("Error_Message", [error, 0n, 0n]);
    const message = this.read(text, Number(length)).toString();
    const code = Number((plain("Error_GetCode", [error, 0n])[1] ?? 0n) & 0xffffffffn);
    plain("Error_Destroy", [error]);
    return pjrtFailure(name, message, code);
  }
}

/** What a failed call tells the user; a device out of memory gets the way out. */
export function pjrtFailure(name: string, message: string, code: number): Error {
  const found = `the plugin said "${message.slice(0, 600).replace(/\.$/, "")}"`;
  if (code === outOfMemoryCode) return outOfMemory("fit this step into the device", found);
  return new Error(
    problem({
      cannot: `run PJRT's ${name}`,
      found,
      expected: "success",
      fix: "force TensorFlow with FLEDGE_ENGINE=tensorflow, or plain TensorFlow.js with FLEDGE_ENGINE=cpu",
    }),
  );
}

/**
 * Refuses an API whose structs are laid out otherwise.
 *
 * @throws RangeError naming both versions
 */
export function checkPjrtVersion(major: number, minor: number, file: string): void {
  if (major === pjrtVersion.major && minor >= pjrtVersion.oldestMinor) return;
  throw new RangeError(
    problem({
      cannot: `use the PJRT plugin ${file}`,
      found: `API version ${major}.${minor}`,
      expected: `${pjrtVersion.major}.${pjrtVersion.oldestMinor} or a newer one of major version ${pjrtVersion.major}`,
      fix: "install another version of the plugin, or set FLEDGE_ENGINE=tensorflow",
    }),
  );
}

function openTable(file: string): bigint {
  const library = openNative(file);
  try {
    return library.func("void *GetPjrtApi()")() as bigint;
  } catch (error) {
    throw new Error(
      problem({
        cannot: `use ${file} as a PJRT plugin`,
        found: "a library without the function GetPjrtApi",
        expected: "a PJRT plugin, such as xla_cuda_plugin.so of pip's jax-cuda12-plugin",
        fix: "set FLEDGE_PJRT_PLUGIN to the plugin's file, or unset it",
      }),
      { cause: error },
    );
  }
}

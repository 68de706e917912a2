/**
 * Shared libraries and C memory: the only file that knows koffi. In: files, prototypes, addresses. Out: typed functions over opaque
 * pointers. It knows neither TensorFlow nor PJRT. A library once opened stays until the process is gone.
 */
import { closeSync, existsSync, openSync, readFileSync, realpathSync } from "node:fs";
import koffi, { type LibraryHandle } from "koffi";
import { problem } from "../message.js";

// A call off the main thread runs on a stack of koffi's, of 128 KiB unless told; XLA compiles for a GPU on the stack of who calls.
koffi.config({ ...koffi.config(), async_stack_size: 8 * 2 ** 20 });

/** A C function as koffi gives it. */
export type CFunction = ReturnType<LibraryHandle["func"]>;

/** An open shared library. */
export type NativeLibrary = LibraryHandle;

/** Opaque address on the C side. */
export type Pointer = unknown;

/** A struct passed by value. */
export const structure = (members: Record<string, string>) => koffi.struct(members);
/** A pointer to a type. */
export const pointerTo = (type: ReturnType<typeof structure>) => koffi.pointer(type);
/** A parameter that the function fills. */
export const outParameter = (type: string): ReturnType<typeof koffi.out> => koffi.out(type);

/** A function whose address a table holds: one pointer in, one out. */
export function functionAt(table: bigint, offset: number): CFunction {
  const prototype = koffi.proto("void *(void *)");
  return koffi.decode(koffi.decode(table, offset, "void *"), prototype) as CFunction;
}

/** Memory on the C side until `freeMemory`; what it holds at first is undefined. */
export function allocateMemory(bytes: number): bigint {
  return koffi.alloc("uint8", Math.max(8, bytes)) as bigint;
}

/** Gives memory of `allocateMemory` back. */
export function freeMemory(address: bigint): void {
  koffi.free(address);
}

/**
 * Opens a shared library and keeps it.
 *
 * @throws Error where it cannot be loaded, with what the system says
 */
export function openNative(file: string): LibraryHandle {
  try {
    const library = koffi.load(file, { global: true });
    pin(file);
    return library;
  } catch (error) {
    throw new Error(
      problem({
        cannot: `load ${file}`,
        found: error instanceof Error ? error.message : String(error),
        expected: `a library built for ${process.platform} ${process.arch}`,
        fix: "delete .venv and run `npm run setup`, or force plain TensorFlow.js with FLEDGE_ENGINE=wasm",
      }),
    );
  }
}

// At exit koffi unloads what it loaded, under the feet of TensorFlow's threads: the process then ends in a crash. A library
// opened with RTLD_NODELETE stays until the process is gone.
function pin(file: string): void {
  const now = 0x2;
  const noDelete = process.platform === "darwin" ? 0x80 : 0x1000;
  systemLibrary().func("void *dlopen(const char *, int)")(file, now | noDelete);
}

/**
 * Runs a native call with standard error closed: TensorFlow greets there about oneDNN before it reads its log level, which a
 * notebook would show as an error. Failures come back as values, not there.
 */
export function quietly<Result>(call: () => Result): Result {
  const library = systemLibrary();
  const duplicate = library.func("int dup(int)");
  const replace = library.func("int dup2(int, int)");
  const saved = duplicate(2);
  const nowhere = openSync("/dev/null", "w");
  replace(nowhere, 2);
  try {
    return call();
  } finally {
    replace(saved, 2);
    closeSync(nowhere);
    closeSync(saved);
  }
}

/**
 * Lets go of the pages of a library that are as they are in its file. Loading TensorFlow reads 250 MB of tables and starting code,
 * of which steps need a tenth; that comes back from the file. Linux only.
 */
export function forgetLoading(file: string): void {
  if (!existsSync("/proc/self/smaps")) return;
  const advise = systemLibrary().func("int madvise(uintptr_t, size_t, int)");
  const dontNeed = 4;
  const path = realpathSync(file);
  for (const mapping of readFileSync("/proc/self/smaps", "utf8").split(/^(?=[\da-f]+-[\da-f]+ )/m)) {
    const [, begin, end] = /^([\da-f]+)-([\da-f]+) r-.p /.exec(mapping) ?? [];
    // Pages that relocation has written to are anonymous, though they may no longer be written to.
    if (!begin || !end || !mapping.includes(path) || !/^Anonymous: +0 kB/m.test(mapping)) continue;
    const [from, to] = [Number.parseInt(begin, 16), Number.parseInt(end, 16)];
    advise(from, to - from, dontNeed);
  }
}

/** Gives the free pages of the C library's heap back to the system, where it is glibc: others have no such call. */
export function trimHeap(): void {
  try {
    systemLibrary().func("int malloc_trim(size_t)")(0);
  } catch {}
}

function systemLibrary(): LibraryHandle {
  return koffi.load(process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6");
}

/** memcpy with the given kinds of pointer. */
export function copy(to: string, from: string): CFunction {
  return systemLibrary().func("memcpy", "void *", [to, from, "size_t"]);
}

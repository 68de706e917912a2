/**
 * TensorFlow's C API, called from Node through koffi: the only file that knows koffi. In: the folder of the shared
 * libraries that pip installed. Out: typed functions over opaque pointers. It builds no graphs and finds no folders.
 * Source: tensorflow/c/c_api.h; TF_Output is a struct of a pointer and an int, passed by value.
 */
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import koffi, { type LibraryHandle } from "koffi";
import { problem } from "../message.js";

/** A C function as koffi gives it. */
type CFunction = ReturnType<LibraryHandle["func"]>;

/** Opaque address on the C side. */
export type Pointer = unknown;

/** TF_Output: the `index`-th output of an operation. */
export interface TfOutput {
  readonly oper: Pointer;
  readonly index: number;
}

/** TF_DataType of the types that programs use. */
export const dataTypes = { float32: 1, int32: 3, bool: 10, bfloat16: 14 } as const;
export type TfDType = keyof typeof dataTypes;

/** Oldest TensorFlow whose operations and C functions Fledge uses as they are tested. */
export const oldestTensorFlow = "2.16.0";

const fileNames: Partial<Record<NodeJS.Platform, readonly [string, string]>> = {
  linux: ["libtensorflow_framework.so.2", "libtensorflow_cc.so.2"],
  darwin: ["libtensorflow_framework.2.dylib", "libtensorflow_cc.2.dylib"],
};

/** The two library files that a TensorFlow folder must hold on this system, or undefined where pip ships none. */
export function libraryFiles(folder: string): readonly [string, string] | undefined {
  const names = fileNames[process.platform];
  if (!names) return undefined;
  const files = [join(folder, names[0]), join(folder, names[1])] as const;
  return files.every((file) => existsSync(file)) ? files : undefined;
}

/** C functions by name; every pointer is opaque. */
export type TensorFlowLibrary = ReturnType<typeof loadTensorFlow>;

/**
 * Loads TensorFlow (0.5 to 1 s) and checks its version.
 *
 * @param folder the `tensorflow` folder inside site-packages
 * @throws Error when the libraries are missing or cannot be loaded
 * @throws RangeError when the version is older than `oldestTensorFlow`
 */
export function loadTensorFlow(folder: string) {
  const files = libraryFiles(folder);
  if (!files) {
    throw new Error(
      problem({
        cannot: `load TensorFlow from ${folder}`,
        found: "no TensorFlow libraries there",
        expected: (fileNames[process.platform] ?? ["Linux or macOS"]).join(" and "),
        fix: "run `npm run setup`, or set FLEDGE_TENSORFLOW to the tensorflow folder of a Python environment",
      }),
    );
  }
  process.env.TF_CPP_MIN_LOG_LEVEL ??= "2";
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= "true";
  const [framework, main] = quietly(() => files.map(open)) as [LibraryHandle, LibraryHandle];
  const c = (prototype: string) => declare([main, framework], prototype);
  const output = koffi.struct({ oper: "void *", index: "int" });
  const outputs = koffi.pointer(output);
  const version = c("const char *TF_Version()")() as string;
  checkTensorFlowVersion(version, folder);
  const sessionRun = main.func("TF_SessionRun", "void", [
    ...["void *", "void *", outputs, "void **", "int", outputs, koffi.out("void **"), "int"],
    ...["void **", "int", "void *", "void *"],
  ]);
  return {
    version,
    newStatus: c("void *TF_NewStatus()"),
    getCode: c("int TF_GetCode(void *)"),
    message: c("const char *TF_Message(void *)"),
    newGraph: c("void *TF_NewGraph()"),
    deleteGraph: c("void TF_DeleteGraph(void *)"),
    newOperation: c("void *TF_NewOperation(void *, const char *, const char *)"),
    finishOperation: c("void *TF_FinishOperation(void *, void *)"),
    addInput: main.func("TF_AddInput", "void", ["void *", output]),
    addInputList: main.func("TF_AddInputList", "void", ["void *", outputs, "int"]),
    addControlInput: c("void TF_AddControlInput(void *, void *)"),
    setAttrType: c("void TF_SetAttrType(void *, const char *, int)"),
    setAttrTypeList: c("void TF_SetAttrTypeList(void *, const char *, int *, int)"),
    setAttrShapeList: c("void TF_SetAttrShapeList(void *, const char *, int64_t **, int *, int)"),
    setAttrStringList: c("void TF_SetAttrStringList(void *, const char *, const char **, size_t *, int)"),
    setAttrInt: c("void TF_SetAttrInt(void *, const char *, int64_t)"),
    setAttrBool: c("void TF_SetAttrBool(void *, const char *, uint8_t)"),
    setAttrString: c("void TF_SetAttrString(void *, const char *, const char *, size_t)"),
    setAttrShape: c("void TF_SetAttrShape(void *, const char *, int64_t *, int)"),
    setAttrTensor: c("void TF_SetAttrTensor(void *, const char *, void *, void *)"),
    allocateTensor: c("void *TF_AllocateTensor(int, int64_t *, int, size_t)"),
    tensorData: c("void *TF_TensorData(void *)"),
    tensorByteSize: c("size_t TF_TensorByteSize(void *)"),
    deleteTensor: c("void TF_DeleteTensor(void *)"),
    newSessionOptions: c("void *TF_NewSessionOptions()"),
    setConfig: c("void TF_SetConfig(void *, const void *, size_t, void *)"),
    deleteSessionOptions: c("void TF_DeleteSessionOptions(void *)"),
    newSession: c("void *TF_NewSession(void *, void *, void *)"),
    closeSession: c("void TF_CloseSession(void *, void *)"),
    deleteSession: c("void TF_DeleteSession(void *, void *)"),
    sessionRun,
    listDevices: c("void *TF_SessionListDevices(void *, void *)"),
    deviceCount: c("int TF_DeviceListCount(void *)"),
    deviceType: c("const char *TF_DeviceListType(void *, int, void *)"),
    deleteDevices: c("void TF_DeleteDeviceList(void *)"),
    copyIn: copy("void *", "const void *"),
    copyOut: copy("void *", "void *"),
  };
}

/**
 * Refuses a TensorFlow that is too old.
 *
 * @param version `major.minor.patch`
 * @throws RangeError naming both versions
 */
export function checkTensorFlowVersion(version: string, folder: string): void {
  const parse = (text: string) => text.split(".").map(Number.parseFloat) as [number, number];
  const [major, minor] = parse(version);
  const [oldestMajor, oldestMinor] = parse(oldestTensorFlow);
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new RangeError(
    problem({
      cannot: `use the TensorFlow in ${folder}`,
      found: `version ${version}`,
      expected: `${oldestTensorFlow} or newer`,
      fix: "run `npm run setup`, which installs the tested one from requirements.txt",
    }),
  );
}

function open(file: string): LibraryHandle {
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

// Which of the two libraries exports a function differs between releases.
function declare(libraries: readonly LibraryHandle[], prototype: string): CFunction {
  let failure: unknown;
  for (const library of libraries) {
    try {
      return library.func(prototype);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
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

function systemLibrary(): LibraryHandle {
  return koffi.load(process.platform === "darwin" ? "libSystem.dylib" : "libc.so.6");
}

function copy(to: string, from: string): CFunction {
  return systemLibrary().func("memcpy", "void *", [to, from, "size_t"]);
}

/**
 * TensorFlow's C API, called from Node. In: the folder of the shared
 * libraries that pip installed. Out: typed functions over opaque pointers. It builds no graphs and finds no folders.
 * Source: tensorflow/c/c_api.h; TF_Output is a struct of a pointer and an int, passed by value.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { availableMemory, memoryForTensors } from "../available-memory.js";
import { problem } from "../message.js";
import {
  type CFunction,
  copy,
  forgetLoading,
  type NativeLibrary,
  openNative,
  outParameter,
  type Pointer,
  pointerTo,
  quietly,
  structure,
} from "./native.js";

export type { Pointer } from "./native.js";

/** TF_Output: the `index`-th output of an operation. */
export interface TfOutput {
  readonly oper: Pointer;
  readonly index: number;
}

/** TF_DataType of the types that programs use. */
export const dataTypes = { float32: 1, int32: 3, bool: 10, bfloat16: 14, uint32: 22 } as const;
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
  const [framework, main] = quietly(() => files.map(openNative)) as [NativeLibrary, NativeLibrary];
  for (const file of files) forgetLoading(file);
  // Read when the first tensor is made; what the libraries map counts already.
  process.env.TF_MKL_ALLOC_MAX_BYTES ??= String(memoryForTensors(availableMemory()));
  const c = (prototype: string) => declare([main, framework], prototype);
  const output = structure({ oper: "void *", index: "int" });
  const outputs = pointerTo(output);
  const version = c("const char *TF_Version()")() as string;
  checkTensorFlowVersion(version, folder);
  const sessionRun = main.func("TF_SessionRun", "void", [
    ...["void *", "void *", outputs, "void **", "int", outputs, outParameter("void **"), "int"],
    ...["void **", "int", "void *", "void *"],
  ]);
  return {
    version,
    newStatus: c("void *TF_NewStatus()"),
    deleteStatus: c("void TF_DeleteStatus(void *)"),
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
    newContextOptions: c("void *TFE_NewContextOptions()"),
    deleteContextOptions: c("void TFE_DeleteContextOptions(void *)"),
    newContext: c("void *TFE_NewContext(void *, void *)"),
    newEagerOperation: c("void *TFE_NewOp(void *, const char *, void *)"),
    deleteEagerOperation: c("void TFE_DeleteOp(void *)"),
    addEagerInput: c("void TFE_OpAddInput(void *, void *, void *)"),
    setEagerType: c("void TFE_OpSetAttrType(void *, const char *, int)"),
    setEagerInt: c("void TFE_OpSetAttrInt(void *, const char *, int64_t)"),
    setEagerIntList: c("void TFE_OpSetAttrIntList(void *, const char *, int64_t *, int)"),
    setEagerFloat: c("void TFE_OpSetAttrFloat(void *, const char *, float)"),
    setEagerBool: c("void TFE_OpSetAttrBool(void *, const char *, uint8_t)"),
    setEagerString: c("void TFE_OpSetAttrString(void *, const char *, const char *, size_t)"),
    executeEager: c("void TFE_Execute(void *, _Inout_ void **, _Inout_ int *, void *)"),
    newTensorHandle: c("void *TFE_NewTensorHandle(void *, void *)"),
    deleteTensorHandle: c("void TFE_DeleteTensorHandle(void *)"),
    resolveTensorHandle: c("void *TFE_TensorHandleResolve(void *, void *)"),
    tensorHandleType: c("int TFE_TensorHandleDataType(void *)"),
    tensorHandleRank: c("int TFE_TensorHandleNumDims(void *, void *)"),
    tensorHandleSize: c("int64_t TFE_TensorHandleDim(void *, int, void *)"),
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

// Which of the two libraries exports a function differs between releases.
function declare(libraries: readonly NativeLibrary[], prototype: string): CFunction {
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

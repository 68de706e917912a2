/**
 * A saved model as ONNX, beside its other files. In: a model folder. Out: `onnx/model.onnx` and its smaller forms, in the
 * layout that transformers.js loads: `pipeline("text-generation", "./final_model")` works in Node and in a browser. The
 * graph is in onnx-gpt2.ts, the file format in onnx-graph.ts; no Python and no ONNX library take part.
 */
import { join } from "node:path";
import { problem } from "../message.js";
import { parameterCount } from "../model/gpt2-config.js";
import { checkDtypes, type ExportedFile, type ExportOptions, openForExport, writeExport } from "./exported.js";
import { gpt2Graph } from "./onnx-gpt2.js";
import type { OnnxDtype } from "./onnx-weights.js";

/** Names by which transformers.js finds each form. */
const FILE_NAMES: Readonly<Record<OnnxDtype, string>> = {
  fp32: "model.onnx",
  fp16: "model_fp16.onnx",
  int8: "model_quantized.onnx",
};

/** The forms that `exportOnnx` can write. */
export const onnxDtypes = Object.keys(FILE_NAMES) as readonly OnnxDtype[];

// A protocol buffer's own limit.
const MOST_BYTES = 2 ** 31 - 1;

/**
 * Writes a saved model as ONNX with a cache of keys and values.
 *
 * @param folder of a saved GPT-2; the files go into its `onnx/`. With `into`, any model that `loadPretrained` knows
 * @param options.dtypes `fp32`, `fp16` (half the size), `int8` (a quarter). Default: each that fits into one file
 * @returns the files, in the order asked for
 * @throws RangeError for an unknown dtype, a model too large for one file, or a name without `into`; as `loadPretrained`
 * @example
 * await exportOnnx("./final_model");
 * const write = await pipeline("text-generation", "./final_model"); // from "@xenova/transformers"
 */
export async function exportOnnx(folder: string, options: ExportOptions<OnnxDtype> = {}): Promise<ExportedFile[]> {
  checkDtypes(options.dtypes ?? onnxDtypes, onnxDtypes, "ONNX");
  const { model, target } = await openForExport(folder, options.into);
  const dtypes = options.dtypes ?? fittingDtypes(parameterCount(model.config));
  const files: ExportedFile[] = [];
  for (const dtype of dtypes) {
    const path = join(target, "onnx", FILE_NAMES[dtype]);
    const content = gpt2Graph(model.config, model.weights, dtype).write(new Map([["weights_sha256", model.sha256]]));
    checkOnnxSize(path, dtype, content.byteLength);
    files.push(await writeExport(path, content.pieces, content.byteLength));
  }
  return files;
}

/**
 * The forms of which one ONNX file can hold a model.
 *
 * @param parameters of the model: 774 million of gpt2-large fit as fp16 and int8
 */
export function fittingDtypes(parameters: number): OnnxDtype[] {
  const bytes: Readonly<Record<OnnxDtype, number>> = { fp32: 4, fp16: 2, int8: 1 };
  // A hundredth for biases, scales and the graph.
  return onnxDtypes.filter((dtype) => 1.01 * bytes[dtype] * parameters <= MOST_BYTES);
}

/**
 * Refuses a model that one ONNX file cannot hold.
 *
 * @param bytes of the whole file
 * @throws RangeError naming the smaller forms
 */
export function checkOnnxSize(path: string, dtype: OnnxDtype, bytes: number): void {
  if (bytes <= MOST_BYTES) return;
  const found = `${bytes.toLocaleString("en")} bytes`;
  const expected = `at most ${MOST_BYTES.toLocaleString("en")}, the most that one ONNX file can hold`;
  const smaller = dtype === "fp32" ? '"fp16" or "int8"' : '"int8"';
  throw new RangeError(problem({ cannot: `write ${path}`, found, expected, fix: `ask for dtypes: [${smaller}]` }));
}

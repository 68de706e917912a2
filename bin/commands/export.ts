/**
 * `fledge export <folder> --to onnx|gguf`: a saved model in the forms that other programs load. In: the words after
 * `fledge export`. Out: the files written, with their sizes, and an exit code. The formats are src/export's business.
 */
import { parseArgs } from "node:util";
import type { ExportedFile, ExportOptions } from "../../src/export/exported.js";
import { exportGguf, type GgufDtype, ggufDtypes } from "../../src/export/gguf.js";
import { exportOnnx, onnxDtypes } from "../../src/export/onnx.js";
import type { OnnxDtype } from "../../src/export/onnx-weights.js";
import { problem } from "../../src/message.js";
import { formatBytes } from "../../src/view/format.js";
import type { Command } from "../command.js";

/** The command. */
export const exportModel: Command = {
  help: `Usage: fledge export <folder> --to onnx|gguf [--dtype NAMES] [--into DIR]

Writes a saved model in a form that other programs load, beside its other files.

  --to onnx      into <folder>/onnx, for transformers.js and ONNX Runtime
  --to gguf      into <folder>/gguf, for llama.cpp and what is built on it
  --dtype NAMES  how weights are stored, several with commas between
                 onnx: ${onnxDtypes.join(", ")} (default: each that fits into one file)
                 gguf: ${ggufDtypes.join(", ")} (default: f16)
  --into DIR     another folder; a model of the Hub, or fledge-base, then goes by name

Examples: fledge export ./final_model --to gguf --dtype q8_0
          fledge export distilgpt2 --to onnx --into ./distilgpt2
`,
  async run(words) {
    const files = await exportCommand(words);
    for (const { path, bytes } of files) process.stdout.write(`${path}  ${formatBytes(bytes)}\n`);
    return 0;
  },
};

/**
 * Runs the command.
 *
 * @param words after `fledge export`
 * @throws RangeError for wrong usage; as `exportOnnx` and `exportGguf` do
 */
export async function exportCommand(words: readonly string[]): Promise<ExportedFile[]> {
  const { folder, to, ...options } = readWords(words);
  // The dtypes are checked by the export itself, which knows their names.
  if (to === "onnx") return exportOnnx(folder, options as ExportOptions<OnnxDtype>);
  return exportGguf(folder, options as ExportOptions<GgufDtype>);
}

interface Wanted {
  readonly folder: string;
  readonly to: "onnx" | "gguf";
  readonly dtypes?: readonly string[];
  readonly into?: string;
}

function readWords(words: readonly string[]): Wanted {
  const refuse = (found: string, expected: string): RangeError =>
    new RangeError(problem({ cannot: "export", found, expected, fix: "run `fledge help export`" }));
  let parsed: { values: { to?: string; dtype?: string; into?: string }; positionals: string[] };
  try {
    const text = { type: "string" } as const;
    const options = { to: text, dtype: text, into: text };
    parsed = parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    throw refuse((error as Error).message, "<folder> --to onnx|gguf [--dtype NAMES] [--into DIR]");
  }
  const { values, positionals } = parsed;
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1) throw refuse(`${positionals.length} folders`, "one");
  if (values.to !== "onnx" && values.to !== "gguf")
    throw refuse(`--to ${values.to ?? "missing"}`, "--to onnx or --to gguf");
  return {
    ...{ folder, to: values.to },
    ...(values.dtype !== undefined && { dtypes: values.dtype.split(",").map((name) => name.trim()) }),
    ...(values.into !== undefined && { into: values.into }),
  };
}

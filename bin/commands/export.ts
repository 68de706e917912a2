/**
 * `fledge export <folder> --to onnx|gguf`: a saved model in the forms that other programs load. In: the words after
 * `fledge export`. Out: the files written, with their sizes, and an exit code. The formats are src/export's business.
 */
import { parseArgs } from "node:util";
import type { ExportedFile } from "../../src/export/exported.js";
import { exportGguf, type GgufDtype, ggufDtypes } from "../../src/export/gguf.js";
import { exportOnnx, onnxDtypes } from "../../src/export/onnx.js";
import type { OnnxDtype } from "../../src/export/onnx-weights.js";
import { problem } from "../../src/message.js";
import { formatBytes } from "../../src/view/format.js";
import type { Command } from "../command.js";

/** The command. */
export const exportModel: Command = {
  help: `Usage: fledge export <folder> --to onnx|gguf [--dtype NAMES]

Writes a saved model in a form that other programs load, beside its other files.

  --to onnx      into <folder>/onnx, for transformers.js and ONNX Runtime
  --to gguf      into <folder>/gguf, for llama.cpp and what is built on it
  --dtype NAMES  how weights are stored, several with commas between
                 onnx: ${onnxDtypes.join(", ")} (default: all)
                 gguf: ${ggufDtypes.join(", ")} (default: f16)

Example: fledge export ./final_model --to gguf --dtype q8_0
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
  const { folder, to, dtypes } = readWords(words);
  // The dtypes are checked by the export itself, which knows their names.
  if (to === "onnx") return exportOnnx(folder, dtypes && { dtypes: dtypes as OnnxDtype[] });
  return exportGguf(folder, dtypes && { dtypes: dtypes as GgufDtype[] });
}

function readWords(words: readonly string[]): { folder: string; to: string; dtypes: string[] | undefined } {
  const refuse = (found: string, expected: string): RangeError =>
    new RangeError(problem({ cannot: "export", found, expected, fix: "run `fledge help export`" }));
  let parsed: { values: { to?: string; dtype?: string }; positionals: string[] };
  try {
    const options = { to: { type: "string" }, dtype: { type: "string" } } as const;
    parsed = parseArgs({ args: [...words], options, allowPositionals: true });
  } catch (error) {
    throw refuse((error as Error).message, "<folder> --to onnx|gguf [--dtype NAMES]");
  }
  const { values, positionals } = parsed;
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1) throw refuse(`${positionals.length} folders`, "one");
  if (values.to !== "onnx" && values.to !== "gguf")
    throw refuse(`--to ${values.to ?? "missing"}`, "--to onnx or --to gguf");
  return { folder, to: values.to, dtypes: values.dtype?.split(",").map((name) => name.trim()) };
}

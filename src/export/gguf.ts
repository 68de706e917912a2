/**
 * A saved model as GGUF, the one-file form that llama.cpp and the programs built on it load. In: a model folder. Out:
 * `gguf/model-f32.gguf` and its smaller forms, tokenizer inside. Weights are turned and narrowed one at a time while they are
 * written. Sources: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md; names of GPT-2's arrays as llama.cpp reads them.
 */
import { basename, join } from "node:path";
import { readTokenizer, type TokenizerParts } from "../data/tokenizer-file.js";
import { sizeOf } from "../engine/program.js";
import { problem } from "../message.js";
import { type Gpt2Config, weightShapes } from "../model/gpt2-config.js";
import { toFloat16 } from "../model/half.js";
import { checkDtypes, type ExportedFile, type ExportOptions, openForExport, writeExport } from "./exported.js";
import { arrayOf, type Field, field, GgufText } from "./gguf-fields.js";
import { Q8_BLOCK, quantizeBlocks } from "./quantize.js";

/** How the matrices of a GGUF file are stored; vectors and positions are always 32-bit. */
export type GgufDtype = "f32" | "f16" | "q8_0";

/** The forms that `exportGguf` can write. */
export const ggufDtypes: readonly GgufDtype[] = ["f32", "f16", "q8_0"];

// ggml's numbers for element types, and llama.cpp's for a file of mostly that type.
const ELEMENT_TYPE: Readonly<Record<GgufDtype, number>> = { f32: 0, f16: 1, q8_0: 8 };
const FILE_TYPE: Readonly<Record<GgufDtype, number>> = { f32: 0, f16: 1, q8_0: 7 };
const ALIGNMENT = 32;

/**
 * Writes a saved model as GGUF.
 *
 * @param folder of a saved GPT-2; the files go into its `gguf/`. With `into`, any model that `loadPretrained` knows
 * @param options.dtypes `f32`, `f16` (half the size), `q8_0` (a quarter). Default: `f16`
 * @returns the files, in the order asked for
 * @throws RangeError for an unknown dtype, a tokenizer with more tokens than the model, or a name without `into`; as
 * `loadPretrained` and `loadTokenizer`
 * @example
 * const [file] = await exportGguf("./final_model", { dtypes: ["q8_0"] }); // llama-cli -m final_model/gguf/model-q8_0.gguf
 */
export async function exportGguf(folder: string, options: ExportOptions<GgufDtype> = {}): Promise<ExportedFile[]> {
  const { dtypes = ["f16"], into } = options;
  checkDtypes(dtypes, ggufDtypes, "GGUF");
  const { model, target } = await openForExport(folder, into);
  const tokenizer = await readTokenizer(model.folder);
  const files: ExportedFile[] = [];
  for (const dtype of dtypes) {
    const fields = [...modelFields(model.config, basename(target), dtype), ...tokenizerFields(model.config, tokenizer)];
    const tensors = ggufTensors(model.config, model.weights, dtype);
    const head = header(fields, tensors);
    const bytes = tensors.reduce((sum, { byteLength }) => sum + aligned(byteLength), head.byteLength);
    files.push(await writeExport(join(target, "gguf", `model-${dtype}.gguf`), pieces(head, tensors), bytes));
  }
  return files;
}

function modelFields(config: Gpt2Config, name: string, dtype: GgufDtype): Field[] {
  return [
    field("general.architecture", "string", "gpt2"),
    field("general.name", "string", name),
    field("general.file_type", "uint32", FILE_TYPE[dtype]),
    field("general.alignment", "uint32", ALIGNMENT),
    field("general.quantization_version", "uint32", 2),
    field("gpt2.context_length", "uint32", config.positions),
    field("gpt2.embedding_length", "uint32", config.width),
    field("gpt2.feed_forward_length", "uint32", 4 * config.width),
    field("gpt2.block_count", "uint32", config.layers),
    field("gpt2.attention.head_count", "uint32", config.heads),
    field("gpt2.attention.layer_norm_epsilon", "float32", config.layerNormEpsilon),
  ];
}

// Kinds of token: 1 normal, 3 control, 4 added by a user, 5 unused.
function tokenizerFields({ vocabularySize }: Gpt2Config, parts: TokenizerParts): Field[] {
  const tokens = Array.from({ length: vocabularySize }, (_, id) => `[unused ${id}]`);
  const kinds = new Array<number>(vocabularySize).fill(5);
  for (const [token, id] of Object.entries(parts.vocabulary)) {
    tokens[id] = token;
    kinds[id] = 1;
  }
  for (const { content, id, special } of parts.addedTokens) {
    tokens[id] = content;
    kinds[id] = special || id === parts.endOfTextId ? 3 : 4;
  }
  if (tokens.length > vocabularySize) {
    const found = `a tokenizer of ${tokens.length.toLocaleString("en")} tokens`;
    const expected = `at most the model's vocabulary of ${vocabularySize.toLocaleString("en")}`;
    const fix = "put the tokenizer that the model was trained with into its folder";
    throw new RangeError(problem({ cannot: "export as GGUF", found, expected, fix }));
  }
  const merges = parts.merges.map((pair) => (typeof pair === "string" ? pair : pair.join(" ")));
  return [
    field("tokenizer.ggml.model", "string", "gpt2"),
    field("tokenizer.ggml.pre", "string", "gpt-2"),
    arrayOf("tokenizer.ggml.tokens", "string", tokens),
    arrayOf("tokenizer.ggml.token_type", "int32", kinds),
    arrayOf("tokenizer.ggml.merges", "string", merges),
    field("tokenizer.ggml.bos_token_id", "uint32", parts.endOfTextId),
    field("tokenizer.ggml.eos_token_id", "uint32", parts.endOfTextId),
    field("tokenizer.ggml.add_bos_token", "bool", false),
  ];
}

/** An array as it will lie in the file. */
interface GgufTensor {
  readonly name: string;
  /** Sizes, the fastest first. */
  readonly sizes: readonly number[];
  readonly type: number;
  readonly byteLength: number;
  bytes(): Uint8Array;
}

// Hugging Face's names → llama.cpp's; blocks are handled apart.
const OUTER_NAMES: Readonly<Record<string, string>> = {
  "transformer.wte.weight": "token_embd.weight",
  "transformer.wpe.weight": "position_embd.weight",
  "transformer.ln_f.weight": "output_norm.weight",
  "transformer.ln_f.bias": "output_norm.bias",
  "lm_head.weight": "output.weight",
};
const BLOCK_NAMES: Readonly<Record<string, string>> = {
  ln_1: "attn_norm",
  "attn.c_attn": "attn_qkv",
  "attn.c_proj": "attn_output",
  ln_2: "ffn_norm",
  "mlp.c_fc": "ffn_up",
  "mlp.c_proj": "ffn_down",
};

function ggufTensors(config: Gpt2Config, weights: ReadonlyMap<string, Float32Array>, dtype: GgufDtype): GgufTensor[] {
  return [...weightShapes(config)].map(([name, shape]) => {
    const [, layer, part = "", kind] = /^transformer\.h\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
    const isDense = layer !== undefined && shape.length === 2;
    const [rows = 1, length = 1] = isDense ? shape.toReversed() : shape.length === 2 ? shape : [1, ...shape];
    const stored = shape.length === 1 || name === "transformer.wpe.weight" ? "f32" : narrowest(dtype, length);
    const values = (): Float32Array => {
      const data = weights.get(name) as Float32Array;
      return isDense ? transposed(data, length, rows) : data; // Conv1D [in, out] → [out, in]
    };
    return {
      name: layer === undefined ? (OUTER_NAMES[name] as string) : `blk.${layer}.${BLOCK_NAMES[part]}.${kind}`,
      sizes: shape.length === 1 ? shape : [length, rows],
      type: ELEMENT_TYPE[stored],
      byteLength: byteLengthOf(stored, sizeOf(shape)),
      bytes: () => encode(values(), stored),
    };
  });
}

// Rows that do not fill whole blocks are kept in 16 bits, as llama.cpp's own converter does.
function narrowest(dtype: GgufDtype, length: number): GgufDtype {
  return dtype === "q8_0" && length % Q8_BLOCK !== 0 ? "f16" : dtype;
}

function byteLengthOf(dtype: GgufDtype, elements: number): number {
  if (dtype === "q8_0") return (elements / Q8_BLOCK) * (2 + Q8_BLOCK);
  return elements * (dtype === "f16" ? 2 : 4);
}

function encode(values: Float32Array, dtype: GgufDtype): Uint8Array {
  if (dtype === "q8_0") return quantizeBlocks(values);
  const array = dtype === "f16" ? toFloat16(values) : values;
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** values [rows, columns] → [columns, rows]. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      out[column * rows + row] = values[row * columns + column] as number;
    }
  }
  return out;
}

function header(fields: readonly Field[], tensors: readonly GgufTensor[]): Uint8Array {
  const text = new GgufText();
  text.raw("GGUF").uint32(3).uint64(tensors.length).uint64(fields.length);
  for (const one of fields) text.field(one);
  let offset = 0;
  for (const { name, sizes, type, byteLength } of tensors) {
    text.string(name).uint32(sizes.length);
    for (const size of sizes) text.uint64(size);
    text.uint32(type).uint64(offset);
    offset += aligned(byteLength);
  }
  return text.bytes(ALIGNMENT);
}

function* pieces(head: Uint8Array, tensors: readonly GgufTensor[]): Generator<Uint8Array> {
  yield head;
  for (const { bytes, byteLength } of tensors) {
    yield bytes();
    yield new Uint8Array(aligned(byteLength) - byteLength);
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

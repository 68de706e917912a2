/**
 * The safetensors file format. In: a file, or tensors by name. Out: tensors by name with shape and dtype, or a file.
 * Stricter than the reference reader: header at most 100 MB, plain integers only, no duplicate names, no holes, no overlap,
 * sizes compared as BigInt. Names are data, so they live in a Map. It knows nothing of models, and assumes a little-endian
 * machine (all that Node runs on today but s390x). Format: https://github.com/huggingface/safetensors#format
 */
import { type FileHandle, open } from "node:fs/promises";
import { writeFileAtomic } from "../files.js";
import { problem } from "../message.js";
import { fromBfloat16, fromFloat16 } from "./half.js";

// dtype → the array that holds its bits; sizes in bytes follow from it. F16, BF16 and the 8-bit floats stay as raw bits.
const ARRAYS = {
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  I32: Int32Array,
  U32: Uint32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I16: Int16Array,
  U16: Uint16Array,
  F8_E4M3: Uint8Array,
  F8_E5M2: Uint8Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** Names of number formats as the file format spells them. */
export type Dtype = keyof typeof ARRAYS;

/** The typed arrays that hold a tensor's bits. */
export type TensorArray =
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** One tensor: `data` holds its elements in row-major order. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly data: TensorArray;
}

/** Where one tensor lies in a file: `begin` and `end` are byte offsets from the start of the file. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a file says of itself before any tensor is read; entries in the order of their bytes. */
export interface SafetensorsHeader {
  readonly entries: readonly TensorEntry[];
  readonly metadata: ReadonlyMap<string, string>;
}

const MAX_HEADER_BYTES = 100_000_000; // the reference's own limit
const READ_BYTES = 1 << 26; // one read() takes at most 2 GiB; 64 MiB keeps it interruptible

/**
 * Reads every tensor of a file; memory used is the size of the file.
 *
 * @param path a .safetensors file.
 * @returns tensors by name in the order of their bytes, and the file's own notes.
 * @throws SyntaxError when the file is not exactly what the format says; Error when it cannot be opened.
 * @example
 * const { tensors } = await readSafetensors("model.safetensors");
 * tensors.get("transformer.wte.weight")?.shape; // [V, C]
 */
export async function readSafetensors(
  path: string,
): Promise<{ tensors: Map<string, TensorData>; metadata: ReadonlyMap<string, string> }> {
  const tensors = new Map<string, TensorData>();
  const { metadata } = await readSafetensorsHeader(path);
  for await (const [name, tensor] of streamSafetensors(path)) tensors.set(name, tensor);
  return { tensors, metadata };
}

/**
 * Reads a file one tensor at a time, for callers that convert or drop them on the way.
 *
 * @param wanted which tensors to read by name; the others' bytes are skipped. Default: all.
 */
export async function* streamSafetensors(
  path: string,
  wanted: (entry: TensorEntry) => boolean = () => true,
): AsyncGenerator<[name: string, tensor: TensorData]> {
  const file = await openForReading(path);
  try {
    const { entries } = await parseHeader(file, path);
    for (const entry of entries) {
      if (!wanted(entry)) continue;
      const bytes = await readBytes(file, path, entry.begin, entry.end - entry.begin);
      yield [entry.name, { shape: entry.shape, dtype: entry.dtype, data: new ARRAYS[entry.dtype](bytes.buffer) }];
    }
  } finally {
    await file.close();
  }
}

/** Reads and checks a file's header only: names, shapes, dtypes, notes. Throws as {@link readSafetensors} does. */
export async function readSafetensorsHeader(path: string): Promise<SafetensorsHeader> {
  const file = await openForReading(path);
  try {
    return await parseHeader(file, path);
  } finally {
    await file.close();
  }
}

async function openForReading(path: string): Promise<FileHandle> {
  return open(path, "r").catch((error: NodeJS.ErrnoException) => {
    const found = error.code === "ENOENT" ? "no such file" : `${error.code}`;
    const fix = "check the path, or save the model again";
    throw new Error(problem({ cannot: `read ${path}`, found, expected: "a readable .safetensors file", fix }), {
      cause: error,
    });
  });
}

// File: 8 bytes little-endian header length, the header as JSON, then the tensors' bytes without gaps.
async function parseHeader(file: FileHandle, path: string): Promise<SafetensorsHeader> {
  const stats = await file.stat();
  if (!stats.isFile()) throw refusal(path, "a folder or device", "a file");
  const fileBytes = stats.size;
  if (fileBytes < 8) throw refusal(path, bytes(fileBytes), "at least 8 bytes");
  const headerBytes = new DataView((await readBytes(file, path, 0, 8)).buffer).getBigUint64(0, true);
  if (headerBytes > MAX_HEADER_BYTES) {
    throw refusal(path, `a header of ${bytes(headerBytes)}`, `at most ${bytes(MAX_HEADER_BYTES)}`);
  }
  const dataStart = 8 + Number(headerBytes);
  if (dataStart > fileBytes) {
    throw refusal(path, `a file of ${bytes(fileBytes)}, cut short in its header`, `at least ${bytes(dataStart)}`);
  }
  const { tensors, metadata } = parseJson(path, await readBytes(file, path, 8, Number(headerBytes)));
  const entries = [...tensors]
    .map(([name, value]) => parseEntry(path, name, value, dataStart))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  let expected = dataStart;
  for (const entry of entries) {
    if (entry.begin !== expected) {
      const kind = entry.begin > expected ? "a hole" : "an overlap";
      throw refusal(
        path,
        `${kind} before tensor "${entry.name}" at byte ${entry.begin - dataStart}`,
        `byte ${expected - dataStart}`,
      );
    }
    expected = entry.end;
  }
  if (expected !== fileBytes) {
    const how = fileBytes < expected ? "cut short" : "with bytes that belong to no tensor";
    throw refusal(path, `a file of ${bytes(fileBytes)}, ${how}`, bytes(expected));
  }
  return { entries, metadata };
}

// Header JSON → tensor descriptions by name, notes apart.
function parseJson(path: string, utf8: Uint8Array): { tensors: Map<string, unknown>; metadata: Map<string, string> } {
  let fault: string | undefined;
  let header: unknown;
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(utf8);
    fault = faultOfJson(text);
    header = fault === undefined ? JSON.parse(text) : {};
  } catch (error) {
    throw refusal(path, `a header that is not JSON (${(error as Error).message})`, "a JSON object", error);
  }
  if (fault !== undefined) throw refusal(path, fault, "a JSON object of tensor descriptions");
  if (!isRecord(header)) throw refusal(path, "a header of another kind", "a JSON object");
  const tensors = new Map(Object.entries(header));
  const notes = tensors.get("__metadata__") ?? {};
  tensors.delete("__metadata__");
  if (!isRecord(notes)) throw refusal(path, "__metadata__ of another kind", "an object of strings");
  const metadata = new Map<string, string>();
  for (const [key, value] of Object.entries(notes)) {
    if (typeof value !== "string") throw refusal(path, `__metadata__ "${key}" that is no string`, "a string");
    metadata.set(key, value);
  }
  return { tensors, metadata };
}

// JSON.parse keeps the last of two equal names in silence, rounds integers, and takes minutes over deep nesting, so the text
// is read once before. A scan, not a regular expression: those overflow the stack on long strings.
function faultOfJson(text: string): string | undefined {
  if (!text.startsWith("{")) return "a header that does not start with {";
  const names: Set<string>[] = [];
  let stringStart = 0;
  let stringEnd = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '"') {
      stringStart = i++;
      while (i < text.length && text[i] !== '"') i += text[i] === "\\" ? 2 : 1;
      stringEnd = i + 1;
    } else if (character === ":") {
      const name: string = JSON.parse(text.slice(stringStart, stringEnd));
      if (names.at(-1)?.has(name)) return `the name "${name}" twice`;
      names.at(-1)?.add(name);
    } else if (character === "{" || character === "[") {
      names.push(new Set());
      if (names.length > 3) return "nested lists or objects";
    } else if (character === "}" || character === "]") {
      names.pop();
    } else if (!/[\d,\s]/.test(character)) {
      return `${text.slice(i, i + 20).split(/[,\]}]/)[0]} where integers of 0 or more belong`;
    } else if (/\d/.test(character)) {
      const number = /^\d+[^,\]}\s]*/.exec(text.slice(i, i + 40))?.[0] ?? character;
      if (!/^\d+$/.test(number)) return `${number} where integers of 0 or more belong`;
      i += number.length - 1;
    }
  }
  return undefined;
}

function parseEntry(path: string, name: string, value: unknown, dataStart: number): TensorEntry {
  if (!isRecord(value)) throw refusal(path, `tensor "${name}" without a description`, "dtype, shape and data_offsets");
  const unknown = Object.keys(value).find((key) => !["dtype", "shape", "data_offsets"].includes(key));
  if (unknown !== undefined) throw refusal(path, `"${unknown}" in tensor "${name}"`, "dtype, shape and data_offsets");
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    throw refusal(
      path,
      `dtype ${JSON.stringify(dtype)} in tensor "${name}"`,
      `one of ${Object.keys(ARRAYS).join(", ")}`,
    );
  }
  if (!isIntegers(shape)) throw refusal(path, `the shape of tensor "${name}"`, "a list of integers of 0 or more");
  if (!isIntegers(offsets) || offsets.length !== 2) {
    throw refusal(path, `the data_offsets of tensor "${name}"`, "two integers of 0 or more");
  }
  const [begin = 0, end = 0] = offsets;
  const needed = shape.reduce((product, size) => product * BigInt(size), BigInt(ARRAYS[dtype].BYTES_PER_ELEMENT));
  if (BigInt(end) - BigInt(begin) !== needed) {
    const found = `${bytes(BigInt(end) - BigInt(begin))} for tensor "${name}" of ${dtype} [${shape.join(", ")}]`;
    throw refusal(path, found, bytes(needed));
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

async function readBytes(
  file: FileHandle,
  path: string,
  begin: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const target = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(target, done, Math.min(READ_BYTES, length - done), begin + done);
    if (bytesRead === 0) throw refusal(path, `its end at byte ${begin + done} while reading`, bytes(begin + length));
    done += bytesRead;
  }
  return target;
}

/**
 * Writes tensors to a file that is whole or not there (beside it, fsync, rename), with the header padded to 8 bytes.
 * Wider dtypes come first, as in the reference, so that each tensor starts at a multiple of its element; within one dtype
 * the given order stays. The same input gives the same bytes.
 *
 * @param tensors by name; `data.length` must be the product of `shape`.
 * @param metadata the file's own notes. Default `{ format: "pt" }`, which Python's transformers asks for.
 * @throws TypeError when a tensor's shape, dtype and data disagree; RangeError for the reserved name `__metadata__`.
 * @example
 * await writeSafetensors("m.safetensors", new Map([["b", { dtype: "F32", shape: [2], data: new Float32Array(2) }]]));
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, TensorData>,
  metadata: ReadonlyMap<string, string> = new Map([["format", "pt"]]),
): Promise<void> {
  const ordered = [...tensors].sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const described: string[] = [];
  if (metadata.size > 0) described.push(`"__metadata__":${JSON.stringify(Object.fromEntries(metadata))}`);
  let offset = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    checkTensor(path, name, { dtype, shape, data });
    const end = offset + data.byteLength;
    described.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [offset, end] })}`);
    offset = end;
  }
  const json = Buffer.from(`{${described.join(",")}}`);
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, " ");
  header.writeBigUInt64LE(BigInt(header.length - 8));
  json.copy(header, 8);
  await writeFileAtomic(path, pieces(header, ordered));
}

function* pieces(header: Uint8Array, ordered: readonly [string, TensorData][]): Generator<Uint8Array> {
  yield header;
  for (const [, { data }] of ordered) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function checkTensor(path: string, name: string, { dtype, shape, data }: TensorData): void {
  const cannot = `write tensor "${name}" to ${path}`;
  if (name === "__metadata__") {
    throw new RangeError(problem({ cannot, found: "the reserved name", expected: "any other", fix: "rename it" }));
  }
  const elements = shape.reduce((product, size) => product * size, 1);
  if (data.length !== elements || !(data instanceof ARRAYS[dtype])) {
    const found = `${data.length.toLocaleString("en")} elements in a ${data.constructor.name}`;
    const expected = `${elements.toLocaleString("en")} in a ${ARRAYS[dtype].name} for ${dtype} [${shape.join(", ")}]`;
    throw new TypeError(problem({ cannot, found, expected, fix: "give the shape and dtype that the data has" }));
  }
}

/**
 * The elements of a tensor as 32-bit floats; F32 is returned as it is, not copied.
 *
 * @param tensor of dtype F32, F16, BF16 or F64 (rounded to nearest).
 * @param name for the message.
 * @throws TypeError for the other dtypes.
 */
export function toFloat32(tensor: TensorData, name = "tensor"): Float32Array {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (data instanceof Float64Array) return Float32Array.from(data);
  if (data instanceof Uint16Array && dtype === "F16") return fromFloat16(data);
  if (data instanceof Uint16Array && dtype === "BF16") return fromBfloat16(data);
  const fix = "save the model in float32, float16 or bfloat16";
  throw new TypeError(
    problem({ cannot: `read ${name} as 32-bit floats`, found: dtype, expected: "F32, F16, BF16 or F64", fix }),
  );
}

function refusal(path: string, found: string, expected: string, cause?: unknown): SyntaxError {
  const fix = "copy or download the file again, or save it again from where it came";
  return new SyntaxError(problem({ cannot: `read ${path} as safetensors`, found, expected, fix }), { cause });
}

function bytes(count: number | bigint): string {
  return `${count.toLocaleString("en")} bytes`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isDtype(value: unknown): value is Dtype {
  return typeof value === "string" && Object.hasOwn(ARRAYS, value);
}

function isIntegers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

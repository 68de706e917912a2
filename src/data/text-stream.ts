/**
 * Files as text, piece by piece, so that a file larger than memory can be read. In: a path. Out: decoded text, or a document
 * in pieces. A long document is cut only where every GPT-2-like tokenizer cuts too, so that the tokens of the pieces are the
 * tokens of the whole. What cannot be read as text is refused with its reason.
 */
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { createGunzip } from "node:zlib";
import { problem } from "../message.js";
import { decoderOf, detectEncoding, type Encoding } from "./encoding.js";
import { formatOf, READABLE } from "./formats.js";

/** A document, or a part of a long one. */
export interface TextPiece {
  readonly id: string;
  readonly text: string;
  /** Whether the document ends with it. */
  readonly isLast: boolean;
}

/** A file that holds text. */
export interface TextFile {
  readonly path: string;
  /** Unique within its dataset. */
  readonly id: string;
}

const READ_BYTES = 1 << 20;
// Characters of a piece: about a second of encoding.
const PIECE_CHARACTERS = 1 << 20;
const LONGEST_PIECE = 1 << 24;

/**
 * The bytes of a file, unpacked when its name ends in .gz.
 *
 * @throws Error when it cannot be read, SyntaxError when it is no whole gzip file
 */
export async function* readBytes(path: string): AsyncGenerator<Uint8Array> {
  const cannot = `load text "${path}"`;
  const file = await open(path, "r").catch((error: NodeJS.ErrnoException) => {
    throw unreadable(cannot, error);
  });
  const bytes = createReadStream("", { fd: file, highWaterMark: READ_BYTES });
  const source = formatOf(path)?.isGzip ? bytes.pipe(createGunzip({ chunkSize: READ_BYTES })) : bytes;
  // pipe() passes data on, but no errors.
  if (source !== bytes) bytes.on("error", (error) => source.destroy(error));
  try {
    for await (const piece of source) yield piece as Uint8Array;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (!code.startsWith("Z_")) throw unreadable(cannot, error as NodeJS.ErrnoException);
    const found = `gzip data that is damaged or cut short (${(error as Error).message})`;
    const fix = "copy or pack the file again";
    throw new SyntaxError(problem({ cannot, found, expected: "a whole gzip file", fix }), { cause: error });
  } finally {
    bytes.destroy();
  }
}

/**
 * Finds a file's encoding.
 *
 * @throws SyntaxError when it is no text
 */
export async function encodingOf(path: string): Promise<Encoding> {
  const found = await detectEncoding(readBytes(path));
  if (!("zeroByte" in found)) return found;
  const fix = `give ${READABLE}`;
  const what = `a zero byte at ${found.zeroByte}, as in binary files`;
  throw new SyntaxError(problem({ cannot: `load text "${path}"`, found: what, expected: "text", fix }));
}

/** The text of a file, without its byte-order mark; what is damaged becomes U+FFFD. */
export async function* readText(path: string, encoding: Encoding): AsyncGenerator<string> {
  const decode = decoderOf(encoding);
  for await (const piece of readBytes(path)) {
    const text = decode(piece);
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
}

/**
 * A whole file as one document, in pieces.
 *
 * @throws RangeError when it holds no text
 */
export async function* readDocument({ path, id }: TextFile, encoding: Encoding): AsyncGenerator<TextPiece> {
  let held = "";
  let isBlank = true;
  for await (const text of readText(path, encoding)) {
    held += text;
    if (isBlank && held.trim() !== "") isBlank = false;
    if (isBlank || held.length < 2 * PIECE_CHARACTERS) continue;
    const cut = cutBefore(held);
    if (cut === 0) continue;
    yield { id, text: held.slice(0, cut), isLast: false };
    held = held.slice(cut);
  }
  if (isBlank) {
    const found = (await stat(path)).size === 0 ? "an empty file" : "nothing but white space";
    const fix = "put text into the file, or take it out of its folder";
    throw new RangeError(problem({ cannot: `load text "${path}"`, found, expected: "text to learn from", fix }));
  }
  yield { id, text: held, isLast: true };
}

// A space between two letters begins a word for every byte-level tokenizer; where a text has none, any start of a space
// does for GPT-2's own, and a place between two characters must do for the rest.
function cutBefore(text: string): number {
  for (const pattern of [/\p{L} \p{L}/u, /\S\s/u]) {
    for (let i = text.length - 3; i > 0; i--) {
      const isSpace = text[i] === " " || text[i] === "\n" || text[i] === "\t";
      if (isSpace && pattern.test(text.slice(i - 1, i + 2))) return i;
    }
  }
  if (text.length < LONGEST_PIECE) return 0;
  return /[\uD800-\uDBFF]/.test(text.charAt(text.length - 1)) ? text.length - 1 : text.length;
}

function unreadable(cannot: string, error: NodeJS.ErrnoException): Error {
  if (error.code === "ENOENT") {
    const fix = `check the path; it is looked for from ${process.cwd()}`;
    const expected = `a path to ${READABLE}, or a folder of such files`;
    return new RangeError(problem({ cannot, found: "no file of that name", expected, fix }), { cause: error });
  }
  const found = `it cannot be read (${error.code ?? error.message})`;
  const fix = "check its permissions";
  return new Error(problem({ cannot, found, expected: "a file that you may read", fix }), { cause: error });
}

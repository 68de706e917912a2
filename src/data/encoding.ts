/**
 * In which encoding a file was written. In: its bytes, in pieces. Out: a name that TextDecoder knows and the reason, or why it
 * is no text. Marks and valid UTF-8 are certain; UTF-16 without a mark shows by its zero bytes; the rest is guessed by the
 * frequencies of `chardet`. Also the decoder that goes with it.
 */
import { isAscii, isUtf8 } from "node:buffer";

/** How to decode a file. */
export interface Encoding {
  /** As the WHATWG Encoding Standard names it: `utf-8`, `utf-16le`, `windows-1252` … */
  readonly name: string;
  /** Why, where it is not plain UTF-8; a phrase. */
  readonly reason?: string;
}

const SAMPLE_BYTES = 1 << 16;

/**
 * Finds the encoding of a file.
 *
 * @returns the encoding, or where the first zero byte of a file that is no text lies.
 */
export async function detectEncoding(
  pieces: AsyncIterable<Uint8Array>,
): Promise<Encoding | { readonly zeroByte: number }> {
  const utf8 = new Utf8Count();
  let head = Buffer.alloc(0);
  let sample: Buffer | undefined;
  let zeroByte: number | undefined;
  let bytes = 0;
  for await (const piece of pieces) {
    const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength);
    if (head.length < SAMPLE_BYTES) {
      head = Buffer.concat([head, buffer.subarray(0, SAMPLE_BYTES - head.length)]);
      const mark = markOf(head);
      if (mark !== undefined) return { name: mark, reason: "its byte-order mark" };
    }
    const zero = zeroByte === undefined ? buffer.indexOf(0) : -1;
    if (zero >= 0) zeroByte = bytes + zero;
    const before = utf8.invalid;
    utf8.push(buffer);
    // The sample for a guess is where something other than ASCII stands.
    if (utf8.invalid > before) sample ??= Buffer.from(buffer.subarray(0, SAMPLE_BYTES));
    bytes += buffer.length;
  }
  utf8.finish();
  if (zeroByte !== undefined) {
    const name = utf16Of(head);
    return name === undefined ? { zeroByte } : { name, reason: "a zero in every second byte" };
  }
  if (utf8.invalid === 0) return { name: "utf-8" };
  if (utf8.sequences > 10 * utf8.invalid) {
    const found = `${utf8.invalid.toLocaleString("en")} damaged ${utf8.invalid === 1 ? "character" : "characters"}`;
    return { name: "utf-8", reason: `${utf8.sequences.toLocaleString("en")} sound characters beyond ASCII, ${found}` };
  }
  return guess(sample ?? head);
}

// Windows-1252 from 0x80 to 0x9F; what has no character there stays a control character. https://encoding.spec.whatwg.org
const WINDOWS_1252 = "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ";

/**
 * Decodes a file piece by piece; the last call without a piece ends it.
 *
 * @returns the text of each piece, without a byte-order mark; bytes that are no character become U+FFFD
 */
export function decoderOf({ name }: Encoding): (piece?: Uint8Array) => string {
  const decoder = new TextDecoder(name);
  const decode = (piece?: Uint8Array) => (piece ? decoder.decode(piece, { stream: true }) : decoder.decode());
  if (name !== "windows-1252") return decode;
  // From 20.18.3 on, many versions of Node take Windows-1252 for Latin-1: https://github.com/nodejs/node/issues/56542
  return (piece) => decode(piece).replace(/[\x80-\x9F]/g, (sign) => WINDOWS_1252.charAt(sign.charCodeAt(0) - 0x80));
}

function markOf(head: Buffer): string | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  return head[0] === 0xfe && head[1] === 0xff ? "utf-16be" : undefined;
}

// In UTF-16 of European languages nearly all of every second byte is zero, and nearly none of the others.
function utf16Of(head: Buffer): string | undefined {
  const zeros = [0, 0];
  head.forEach((byte, i) => {
    if (byte === 0) zeros[i % 2] = (zeros[i % 2] ?? 0) + 1;
  });
  const [even = 0, odd = 0] = zeros;
  const half = head.length / 2;
  if (odd > 0.5 * half && even < 0.05 * half) return "utf-16le";
  return even > 0.5 * half && odd < 0.05 * half ? "utf-16be" : undefined;
}

async function guess(sample: Buffer): Promise<Encoding> {
  const { detect } = await import("chardet");
  const found = detect(sample)?.toLowerCase() ?? "windows-1252";
  // The standard reads Latin-1 as Windows-1252, which differs only where Latin-1 has nothing to print.
  const latin = /^(iso-8859-1|ascii|utf-8)$/.test(found) ? "windows-1252" : found;
  const name = isKnown(latin) ? latin : "windows-1252";
  return { name, reason: "its bytes are no UTF-8, and its letters are most common in that encoding" };
}

function isKnown(name: string): boolean {
  try {
    new TextDecoder(name);
    return true;
  } catch {
    return false;
  }
}

/** Counts sound and damaged characters beyond ASCII. */
class Utf8Count {
  sequences = 0;
  invalid = 0;
  #rest = Buffer.alloc(0);

  push(piece: Buffer): void {
    const bytes = this.#rest.length > 0 ? Buffer.concat([this.#rest, piece]) : piece;
    const end = bytes.length - unfinished(bytes);
    this.#rest = Buffer.from(bytes.subarray(end));
    const whole = bytes.subarray(0, end);
    if (isAscii(whole)) return;
    if (isUtf8(whole)) for (const byte of whole) this.sequences += byte >= 0xc0 ? 1 : 0;
    else this.#count(whole);
  }

  finish(): void {
    if (this.#rest.length > 0) this.#count(this.#rest);
  }

  #count(bytes: Buffer): void {
    const text = bytes.toString("utf8");
    for (const character of text) {
      if (character === "\uFFFD") this.invalid++;
      else if (character > "\x7F") this.sequences++;
    }
  }
}

// Bytes at the end that begin a character which the next piece may finish.
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return back < length ? back : 0;
    }
  }
  return 0;
}

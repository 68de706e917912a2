/**
 * Pixels in, PNG out, with a palette of few colours: a chart of lines and letters is a third as large as in full colour, and
 * an eye sees no difference. In: RGBA pixels. Out: the bytes of a PNG file. Not for photographs: it does not dither.
 * Source: PNG, third edition (W3C 2025): chunks IHDR, PLTE, tRNS, IDAT and IEND, and annex D for the check sum.
 */
import { deflateSync } from "node:zlib";

/** A picture as pixels. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, alpha of each pixel, row by row: 4 · width · height bytes. */
  readonly pixels: Uint8Array;
}

/**
 * Packs a picture as PNG with a palette.
 *
 * @param picture the pixels
 * @param colours size of the palette, 1 … 256: the most frequent colours; any other becomes the nearest of them
 * @example
 * indexedPng({ width: 1, height: 1, pixels: Uint8Array.of(255, 0, 0, 255) }, 64).length; // 95
 */
export function indexedPng({ width, height, pixels }: Pixels, colours: number): Uint8Array {
  const view = new DataView(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const counts = [...countColours(view)].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const palette = counts.slice(0, colours).map(([colour]) => colour);
  const indexOf = new Map(counts.map(([colour], rank) => [colour, rank < colours ? rank : nearest(palette, colour)]));
  const rows = new Uint8Array((width + 1) * height); // each row begins with its filter, 0 for none
  let [last, index] = [-1, 0]; // most pixels are the one before
  for (let at = 0; at < width * height; at++) {
    const colour = view.getUint32(4 * at);
    if (colour !== last) [last, index] = [colour, indexOf.get(colour) as number];
    rows[at + 1 + Math.floor(at / width)] = index;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8); // 8 bits a pixel, colour type 3: an index into the palette
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(palette.flatMap((colour) => channels(colour).slice(0, 3)))),
    chunk(
      "tRNS",
      Uint8Array.from(palette, (colour) => colour & 255),
    ),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function countColours(view: DataView): Map<number, number> {
  const counts = new Map<number, number>();
  let [last, run] = [-1, 0];
  for (let at = 0; at <= view.byteLength; at += 4) {
    const colour = at < view.byteLength ? view.getUint32(at) : -1;
    if (colour === last) run++;
    else {
      if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run);
      [last, run] = [colour, 1];
    }
  }
  return counts;
}

function nearest(palette: readonly number[], colour: number): number {
  const wanted = channels(colour);
  const distances = palette.map((each) =>
    channels(each).reduce((sum, value, i) => sum + (value - (wanted[i] as number)) ** 2, 0),
  );
  return distances.indexOf(Math.min(...distances));
}

// Red, green, blue, alpha.
function channels(colour: number): number[] {
  return [colour >>> 24, (colour >>> 16) & 255, (colour >>> 8) & 255, colour & 255];
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}

// Node has one of its own from 20.15 on; Fledge runs on 20.12.
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}

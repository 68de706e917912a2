/**
 * Matrices as 8-bit integers. In: 32-bit floats, row by row. Out: for each row or column one scale and integers from -127 to
 * 127, so that value ≈ scale × integer, at most half a step away. Symmetric: 0 stays exactly 0. It knows no file format.
 */
import { toFloat16 } from "../model/half.js";

/** A quantised matrix: value ≈ scales[line] × integers, a line being a row or a column. */
export interface Quantized {
  readonly integers: Int8Array;
  readonly scales: Float32Array;
}

/** Largest integer; -128 is left out, so that a value and its negative look alike. */
export const LARGEST = 127;

/**
 * Quantises each row of a matrix by its own largest value.
 *
 * @param values [N × length], row by row
 * @param length numbers in a row
 */
export function quantizeRows(values: Float32Array, length: number): Quantized {
  return quantize(values, values.length / length, (i) => Math.floor(i / length));
}

/**
 * Quantises each column of a matrix by its own largest value.
 *
 * @param values [N × columns], row by row
 */
export function quantizeColumns(values: Float32Array, columns: number): Quantized {
  return quantize(values, columns, (i) => i % columns);
}

function quantize(values: Float32Array, lines: number, lineOf: (index: number) => number): Quantized {
  const scales = new Float32Array(lines);
  values.forEach((value, i) => {
    const line = lineOf(i);
    scales[line] = Math.max(scales[line] as number, Math.abs(value) / LARGEST);
  });
  const integers = Int8Array.from(values, (value, i) => {
    const scale = scales[lineOf(i)] as number;
    return scale === 0 ? 0 : Math.max(-LARGEST, Math.min(LARGEST, Math.round(value / scale)));
  });
  return { integers, scales };
}

/** Numbers in a block of Q8_0. */
export const Q8_BLOCK = 32;

/**
 * Quantises numbers in blocks of 32, each with its scale as a float16: ggml's Q8_0.
 *
 * @param values a multiple of 32 of them
 * @returns blocks of 34 bytes: scale, then 32 integers
 */
export function quantizeBlocks(values: Float32Array): Uint8Array {
  const { integers, scales } = quantizeRows(values, Q8_BLOCK);
  const halves = new Uint8Array(toFloat16(scales).buffer);
  const out = new Uint8Array(scales.length * (2 + Q8_BLOCK));
  const bytes = new Uint8Array(integers.buffer);
  for (let block = 0; block < scales.length; block++) {
    out.set(halves.subarray(2 * block, 2 * block + 2), block * (2 + Q8_BLOCK));
    out.set(bytes.subarray(block * Q8_BLOCK, (block + 1) * Q8_BLOCK), block * (2 + Q8_BLOCK) + 2);
  }
  return out;
}

/**
 * 16-bit floats as 32-bit ones, and the IEEE kind back. In: raw bits as files store them, or 32-bit floats. Out: the same
 * values, exactly (both formats are subsets of 32-bit floats); rounded to the nearest on the way back. Formats: IEEE 754-2019
 * binary16; bfloat16 is the upper half of binary32.
 */

/** bfloat16 bits → float32: the 16 bits become the upper half. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const wide = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) wide[i] = (bits[i] ?? 0) << 16;
  return new Float32Array(wide.buffer);
}

/** IEEE binary16 bits → float32, subnormals, infinities and NaN included. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  return Float32Array.from(bits, float16Value);
}

// 1 sign, 5 exponent (bias 15), 10 fraction bits.
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** float32 → IEEE binary16 bits, rounded to nearest, ties to even; too large becomes infinity. */
export function toFloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  return Uint16Array.from(bits, float16Bits);
}

// Widths of float32: 1 sign, 8 exponent (bias 127), 23 fraction bits.
function float16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // not a number
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // from 65,520 on the nearest is infinity
  if (magnitude < 0x33000000) return sign; // below half the smallest subnormal, 2^-25
  const exponent = magnitude >>> 23;
  // Below 2^-14 the fraction, its leading 1 written out, moves right by what the exponent lacks.
  const fraction = exponent < 113 ? (magnitude & 0x7fffff) | 0x800000 : magnitude - (112 << 23);
  const shift = exponent < 113 ? 126 - exponent : 13;
  const kept = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return sign | (kept + (rest > half || (rest === half && kept & 1) ? 1 : 0));
}

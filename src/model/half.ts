/**
 * 16-bit floats as 32-bit ones. In: raw bits as files store them. Out: the same values, exactly (both formats are subsets of
 * 32-bit floats). It does not convert the other way. Formats: IEEE 754-2019 binary16; bfloat16 is the upper half of binary32.
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

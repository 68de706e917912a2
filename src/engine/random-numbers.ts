/**
 * Random numbers that are a function of a key, a stream and a place, and of nothing else: every engine draws the same ones,
 * and draws them again for a gradient. In: a key. Out: constants for the emitters, and numbers for engines that have no such
 * operation. It keeps no state. The mixer has the shifts and factors of Wellons' lowbias32, with the second half of the key in
 * its middle: x = i + a; x ^= x >>> 16; x *= f; x ^= x >>> 15; x += b; x *= g; x ^= x >>> 16; the upper 24 bits count.
 */

/** Factors of the mixer, odd. */
export const mixFactors = [0x7feb352d, 0x846ca68b | 0] as const;

/** A uniform number is a whole one below 2²⁴ times this, exact in float32. */
export const uniformUnit = 2 ** -24;

/** The 32 bits of a counter under a key of two int32. */
export function mix(counter: number, [a, b]: readonly [number, number]): number {
  let x = (counter + a) | 0;
  x = Math.imul(x ^ (x >>> 16), mixFactors[0]);
  x = Math.imul((x ^ (x >>> 15)) + b, mixFactors[1]);
  return x ^ (x >>> 16);
}

/** What a stream adds to both halves of a key. */
export function streamOffsets(stream: number): readonly [number, number] {
  return keyOf(stream, 0);
}

/**
 * Makes a key of numbers: a seed, a step.
 *
 * @returns two int32
 */
export function keyOf(...numbers: readonly number[]): readonly [number, number] {
  return numbers.reduce<readonly [number, number]>(
    (key, number) => [mix(2 * number, key), mix(2 * number + 1, key)],
    [0x243f6a88, 0x13198a2e],
  );
}

/**
 * Numbers from 0 to below 1, as the operation `randomUniform` makes them.
 *
 * @param key two int32
 */
export function uniformNumbers(key: ArrayLike<number>, stream: number, count: number): Float32Array {
  const [a, b] = streamOffsets(stream);
  const ofStream = [((key[0] as number) + a) | 0, ((key[1] as number) + b) | 0] as const;
  return Float32Array.from({ length: count }, (_, i) => (mix(i, ofStream) >>> 8) * uniformUnit);
}

/**
 * Reproducible random numbers. In: integer seeds. Out: a generator and shuffles that are the same on every machine.
 * Not for secrets. Source: xoshiro128** 1.1 and splitmix32, D. Blackman and S. Vigna 2018, https://prng.di.unimi.it (public domain).
 */
import { problem } from "../message.js";

/** A stream of random numbers; each call moves it on. */
export interface Random {
  /** A number in [0, 1), one of 2^32 equally likely values. */
  uniform(): number;
  /** An integer from 0 to `below` - 1, each equally likely; `below` is at most 2^32. */
  integer(below: number): number;
}

/**
 * Starts a random stream.
 *
 * @param seeds One or more integers; a stream belongs to the whole list, so `(seed, epoch)` gives each epoch its own.
 * @throws {RangeError} When a seed is no safe integer.
 * @example
 * const random = seededRandom(42, 0);
 * random.integer(6) + 1; // a throw of a die, the same each time
 */
export function seededRandom(...seeds: readonly number[]): Random {
  let mixed = 0;
  const mix = () => {
    mixed = (mixed + 0x9e3779b9) | 0;
    let z = mixed;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return z ^ (z >>> 16);
  };
  for (const seed of seeds) {
    if (!Number.isSafeInteger(seed)) {
      throw new RangeError(
        problem({ cannot: "use seed", found: String(seed), expected: "an integer", fix: "set seed: 42" }),
      );
    }
    // Both halves count, so that seeds above 2^32 and negative ones differ too.
    mixed ^= seed | 0;
    mixed = mix() ^ Math.floor(seed / 2 ** 32);
    mixed = mix();
  }
  let [a, b, c, d] = [mix(), mix(), mix(), mix()];
  const next = () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
  return {
    uniform: () => next() / 2 ** 32,
    integer: (below) => {
      // Draws at or above the largest multiple of `below` would favour small results.
      const limit = 2 ** 32 - (2 ** 32 % below);
      let draw = next();
      while (draw >= limit) draw = next();
      return draw % below;
    },
  };
}

/**
 * The integers from 0 to `count` - 1 in random order (Fisher–Yates, as in Durstenfeld 1964).
 *
 * @example
 * shuffledIndices(3, seededRandom(1)); // each of 0, 1, 2 once
 */
export function shuffledIndices(count: number, random: Random): Uint32Array {
  const indices = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const kept = indices[i] ?? 0;
    indices[i] = indices[j] ?? 0;
    indices[j] = kept;
  }
  return indices;
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}

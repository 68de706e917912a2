/**
 * Cuts text into words and word runs for counting and comparing; not for the model (tokenizer.ts). In: text. Out: words in
 * lower case, and hashes of every run of `width` words. Scripts written without spaces give one word a character.
 * Source of the hash: FNV-1a, Fowler, Noll & Vo 1991, finished with MurmurHash3's mixer (Appleby 2011).
 */

const together =
  "\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Thai}\\p{Script=Khmer}\\p{Script=Lao}";
const pattern = new RegExp(`[${together}]|(?:(?![${together}])[\\p{L}\\p{M}\\p{N}])+(?:['’]\\p{L}+)*`, "gu");

/**
 * The words of a text, in lower case.
 *
 * @example
 * wordsOf("Don't panic, 世界!"); // ["don't", "panic", "世", "界"]
 */
export function wordsOf(text: string): string[] {
  return text.toLowerCase().match(pattern) ?? [];
}

/**
 * A hash of every run of `width` words, in order; a text of fewer words is one run.
 *
 * @param words as `wordsOf` gives them
 * @param width words a run, ≥ 1
 * @returns max(1, words − width + 1) integers below 2^53, of which the low 32 bits are a hash by themselves; none for no words
 */
export function hashRuns(words: readonly string[], width: number): Float64Array {
  if (words.length === 0) return new Float64Array(0);
  const hashes = Int32Array.from(words, hashWord);
  const last = Math.min(width, words.length);
  const runs = new Float64Array(words.length - last + 1);
  for (let start = 0; start < runs.length; start++) {
    let low = 0;
    let high = 0x2545f491;
    for (let i = start; i < start + last; i++) {
      low = (Math.imul(low ^ (hashes[i] as number), 0x01000193) + 0x9e3779b9) | 0;
      high = (Math.imul(high, 31) + (hashes[i] as number)) | 0;
    }
    runs[start] = (mix(high) >>> 11) * 2 ** 32 + mix(low);
  }
  return runs;
}

// Spreads every bit of a 32-bit integer over all others.
function mix(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function hashWord(word: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < word.length; i++) hash = Math.imul(hash ^ word.charCodeAt(i), 0x01000193);
  return hash;
}

/**
 * Counts of a collection's words, tokens and lengths, as plain rows. In: texts, numbers. Out: rows, the most common first. No
 * table, no picture; inspect.ts makes tables of them.
 */
import { hashRuns } from "./words.js";

/** How often each thing occurs. */
export type Counts = Map<string, number>;

/** Counts words. */
export function countWords(texts: Iterable<readonly string[]>): Counts {
  const words: Counts = new Map();
  for (const text of texts) for (const word of text) add(words, word, 1);
  return words;
}

const phraseWords = 3;

/**
 * The most common runs of three words. Runs are counted as hashes in one sorted array, and only the common ones are spelled:
 * nearly every run of a text occurs once, and a map of them all takes longer than everything else that is counted.
 *
 * @param texts the words of each text; no run goes from one text to the next
 * @returns the `top` most common, then in order of the alphabet, each with its count
 * @example
 * commonPhrases([["so", "it", "goes", "so", "it", "goes"]], 1); // [["so it goes", 2]]
 */
export function commonPhrases(texts: readonly (readonly string[])[], top: number): [string, number][] {
  const hashes = texts.map((words) =>
    words.length < phraseWords ? new Float64Array(0) : hashRuns(words, phraseWords),
  );
  const sorted = new Float64Array(sum(hashes.map(({ length }) => length)));
  let filled = 0;
  for (const each of hashes) {
    sorted.set(each, filled);
    filled += each.length;
  }
  sorted.sort();
  const least = countOfRank(
    [...equalRuns(sorted, 2)].map(([, count]) => count),
    top,
  );
  const common = new Map(equalRuns(sorted, least));
  const phrases: Counts = new Map();
  texts.forEach((words, text) => {
    hashes[text]?.forEach((hash, i) => {
      if (common.has(hash)) add(phrases, words.slice(i, i + phraseWords).join(" "), 1);
    });
  });
  return mostCommon(phrases, top);
}

// Each value that occurs `least` times or more, with its count.
function* equalRuns(sorted: Float64Array, least: number): Generator<[number, number]> {
  for (let start = 0, end = 0; start < sorted.length; start = end) {
    while (end < sorted.length && sorted[end] === sorted[start]) end++;
    if (end - start >= least) yield [sorted[start] as number, end - start];
  }
}

// The count at a place of the ranking; 1 where fewer are repeated.
function countOfRank(repeated: number[], top: number): number {
  return repeated.sort((a, b) => b - a)[top - 1] ?? 1;
}

/** Adds to a count. */
export function add(counts: Counts, name: string, amount: number): void {
  counts.set(name, (counts.get(name) ?? 0) + amount);
}

/** The `top` most common, then in order of name. */
export function mostCommon(counts: ReadonlyMap<string, number>, top: number): [string, number][] {
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, top);
}

/** Rows with each count's share of all: name, count, share. */
export function shares(counts: ReadonlyMap<string, number>): { name: string; count: number; share: number }[] {
  const all = sum(counts.values());
  return mostCommon(counts, counts.size).map(([name, count]) => ({ name, count, share: ratio(count, all, 4) }));
}

/**
 * Lengths in classes that double: 0–1, 2–3, 4–7 … the empty ones between the first and the last included.
 *
 * @returns a row a class: from, to (both inside), documents
 */
export function doublingClasses(lengths: readonly number[]): { from: number; to: number; documents: number }[] {
  const classes: number[] = [];
  for (const length of lengths) {
    const index = Math.max(0, Math.floor(Math.log2(Math.max(1, length))));
    classes[index] = (classes[index] ?? 0) + 1;
  }
  const first = classes.findIndex((count) => count !== undefined);
  const rows = Array.from(classes, (documents, index) => ({
    from: index === 0 ? 0 : 2 ** index,
    to: 2 ** (index + 1) - 1,
    documents: documents ?? 0,
  }));
  return first < 0 ? [] : rows.slice(first);
}

/** Sum of numbers; 0 of none. */
export function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}

/** a / b, rounded to the decimals that a reader compares; 0 for b = 0. */
export function ratio(a: number, b: number, decimals = 2): number {
  return b === 0 ? 0 : Math.round((a / b) * 10 ** decimals) / 10 ** decimals;
}

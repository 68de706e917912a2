/**
 * Counts of a collection's words, tokens and lengths, as plain rows. In: texts, numbers. Out: rows, the most common first. No
 * table, no picture; inspect.ts makes tables of them.
 */
import { wordsOf } from "./words.js";

/** How often each thing occurs. */
export type Counts = Map<string, number>;

/** Counts words and runs of three words over texts. */
export function countWords(texts: Iterable<string>): { words: Counts; phrases: Counts } {
  const words: Counts = new Map();
  const phrases: Counts = new Map();
  for (const text of texts) {
    const run = wordsOf(text);
    run.forEach((word, i) => {
      add(words, word, 1);
      if (i >= 2) add(phrases, `${run[i - 2]} ${run[i - 1]} ${word}`, 1);
    });
  }
  return { words, phrases };
}

/** Adds to a count. */
export function add(counts: Counts, name: string, amount: number): void {
  counts.set(name, (counts.get(name) ?? 0) + amount);
}

/** The `top` most common, then in order of name. */
export function mostCommon(counts: ReadonlyMap<string, number>, top: number): [string, number][] {
  // Most runs of words occur once; sorting those would take longer than all the rest.
  const repeated = [...counts].filter(([, count]) => count > 1);
  const ranked = repeated.length >= top ? repeated : [...counts];
  return ranked.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, top);
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

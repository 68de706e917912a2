/**
 * Shows what a dataset holds before it is trained on. In: a dataset and a tokenizer. Out: plain totals, and arquero tables
 * whose verbs (`orderby`, `filter`, `rollup` …) can be chained in a notebook. It judges nothing and changes nothing.
 * The only file that knows arquero, which is imported on first use because that takes a tenth of a second.
 */
import type { ColumnTable } from "arquero";
import type { Dataset } from "./dataset.js";
import type { Tokenizer } from "./tokenizer.js";

/** A dataset in numbers. */
export interface DatasetTotals {
  readonly documents: number;
  readonly characters: number;
  /** UTF-8 bytes. */
  readonly bytes: number;
  /** Without the end-of-text that packing adds to each document. */
  readonly tokens: number;
  /** How much text one token stands for: about 4 for English with a large vocabulary. */
  readonly bytesPerToken: number;
  /** Tokens of the vocabulary that occur at least once. */
  readonly vocabularyUsed: number;
  readonly vocabularySize: number;
  readonly shortestTokens: number;
  readonly medianTokens: number;
  readonly longestTokens: number;
  /** Id of the longest document. */
  readonly longestDocument: string;
}

/** What `inspectDataset` finds. */
export interface Inspection {
  readonly totals: DatasetTotals;
  /** The totals to read: columns measure, value. */
  readonly summary: ColumnTable;
  /** A row a document: id, what the source says (year, name …), characters, tokens, bytesPerToken. */
  readonly documents: ColumnTable;
  /** A row a word, the most common first: word, count, share. Words are runs of letters, in lower case. */
  readonly topWords: ColumnTable;
  /** A row a run of three words, the most common first: words, count. */
  readonly topPhrases: ColumnTable;
}

/**
 * Counts characters, tokens and words of a dataset.
 *
 * @param options.top Rows of `topWords` and `topPhrases` (default 20).
 * @example
 * const { documents, topWords } = await inspectDataset(await loadDataset("sotu"), tokenizer);
 * documents.groupby("party").rollup({ tokens: (d) => op.sum(d.tokens) }).print();
 */
export async function inspectDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  { top = 20 }: { readonly top?: number } = {},
): Promise<Inspection> {
  const { from, table } = await import("arquero");
  const used = new Set<number>();
  const rows = dataset.documents.map(({ text, ...meta }) => {
    const ids = tokenizer.encode(text);
    for (const id of ids) used.add(id);
    const bytes = Buffer.byteLength(text, "utf8");
    return { ...meta, characters: text.length, bytes, tokens: ids.length, bytesPerToken: ratio(bytes, ids.length) };
  });
  const totals = totalsOf(rows, used.size, tokenizer.vocabularySize);
  const { words, phrases } = countWords(dataset);
  const allWords = sum([...words.values()]);
  return {
    totals,
    summary: table({ measure: Object.keys(totals), value: Object.values(totals) }),
    documents: from(rows),
    topWords: from(mostCommon(words, top).map(([word, count]) => ({ word, count, share: count / allWords }))),
    topPhrases: from(mostCommon(phrases, top).map(([phrase, count]) => ({ words: phrase, count }))),
  };
}

interface Row {
  readonly id?: string | number | undefined;
  readonly characters: number;
  readonly bytes: number;
  readonly tokens: number;
}

function totalsOf(rows: readonly Row[], vocabularyUsed: number, vocabularySize: number): DatasetTotals {
  const byLength = [...rows].sort((a, b) => a.tokens - b.tokens);
  const bytes = sum(rows.map((row) => row.bytes));
  const tokens = sum(rows.map((row) => row.tokens));
  return {
    documents: rows.length,
    characters: sum(rows.map((row) => row.characters)),
    bytes,
    tokens,
    bytesPerToken: ratio(bytes, tokens),
    vocabularyUsed,
    vocabularySize,
    shortestTokens: byLength[0]?.tokens ?? 0,
    medianTokens: byLength[byLength.length >> 1]?.tokens ?? 0,
    longestTokens: byLength.at(-1)?.tokens ?? 0,
    longestDocument: String(byLength.at(-1)?.id ?? ""),
  };
}

function countWords(dataset: Dataset): { words: Map<string, number>; phrases: Map<string, number> } {
  const words = new Map<string, number>();
  const phrases = new Map<string, number>();
  for (const { text } of dataset.documents) {
    const run = text.toLowerCase().match(/\p{L}+(?:['’]\p{L}+)*/gu) ?? [];
    run.forEach((word, i) => {
      words.set(word, (words.get(word) ?? 0) + 1);
      if (i < 2) return;
      const phrase = `${run[i - 2]} ${run[i - 1]} ${word}`;
      phrases.set(phrase, (phrases.get(phrase) ?? 0) + 1);
    });
  }
  return { words, phrases };
}

function mostCommon(counts: ReadonlyMap<string, number>, top: number): [string, number][] {
  // Most runs of words occur once; sorting those would take longer than all the rest.
  const repeated = [...counts].filter(([, count]) => count > 1);
  const ranked = repeated.length >= top ? repeated : [...counts];
  return ranked.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, top);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

// Two decimals are what a reader compares.
function ratio(a: number, b: number): number {
  return b === 0 ? 0 : Math.round((a / b) * 100) / 100;
}

/**
 * Shows what a dataset holds before it is trained on. In: a dataset and a tokenizer. Out: plain totals, and arquero tables
 * whose verbs (`orderby`, `filter`, `rollup` …) can be chained in a notebook. It judges nothing (gate.ts) and changes nothing.
 * The only file that knows arquero, which is imported on first use because that takes a tenth of a second.
 */
import type { ColumnTable } from "arquero";
import {
  add,
  type Counts,
  commonPhrases,
  countWords,
  doublingClasses,
  mostCommon,
  ratio,
  shares,
  sum,
} from "./counts.js";
import type { Dataset, Document } from "./dataset.js";
import { findDuplicates } from "./duplicates.js";
import { type PackingReport, reportPacking } from "./packing-report.js";
import { findPersonalData, personalDataKinds } from "./personal-data.js";
import { countDamage, countScripts, languageGuesser } from "./text-quality.js";
import type { Tokenizer } from "./tokenizer.js";
import { wordsOf } from "./words.js";

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
  /** Where it comes from: columns what, value; rows name, origin, licence, sha256. */
  readonly source: ColumnTable;
  /** A row a document: id, what the source says (year, name …), characters, bytes, tokens, bytesPerToken, language. */
  readonly documents: ColumnTable;
  /** A row a class of lengths that double: unit (`tokens` or `characters`), from, to, documents. */
  readonly lengths: ColumnTable;
  /** A row a language (ISO 639-3, `und` where it cannot be told): language, documents, share. */
  readonly languages: ColumnTable;
  /** A row a script: script, letters, share. */
  readonly scripts: ColumnTable;
  /** A row a token, the most common first: token, count, share. */
  readonly topTokens: ColumnTable;
  /** A row a word, the most common first: word, count, share. Words are in lower case. */
  readonly topWords: ColumnTable;
  /** A row a run of three words, the most common first: words, count. */
  readonly topPhrases: ColumnTable;
  /** A row a pair of documents that are the same (similarity 1) or nearly: first, second, similarity, kind. */
  readonly duplicates: ColumnTable;
  /** A row a document with signs of damage: id, replacements, mojibake, controls, loneSurrogates. */
  readonly damage: ColumnTable;
  /** A row a kind of personal data: kind, finds, documents, example (masked). */
  readonly personalData: ColumnTable;
  /** Beginnings of a few documents from all over the set: id, beginning. */
  readonly samples: ColumnTable;
  /** What the block size does: columns measure, value; as `reportPacking` counts it. */
  readonly packing: ColumnTable;
  /** The same as a record. */
  readonly packingReport: PackingReport;
}

/** What to look at. */
export interface InspectOptions {
  /** Rows of `topTokens`, `topWords` and `topPhrases`. Default 20. */
  readonly top?: number;
  /** T that `packing` is about. Default 512. */
  readonly blockSize?: number;
  /** Rows of `samples`. Default 5. */
  readonly samples?: number;
}

/**
 * Looks a dataset over.
 *
 * @example
 * const { documents, topWords } = await inspectDataset(await loadDataset("sotu"), tokenizer);
 * documents.groupby("party").rollup({ tokens: (d) => op.sum(d.tokens) }).print();
 */
export async function inspectDataset(
  dataset: Dataset,
  tokenizer: Tokenizer,
  { top = 20, blockSize = 512, samples = 5 }: InspectOptions = {},
): Promise<Inspection> {
  const arquero = await import("arquero");
  const { documents } = dataset;
  const { rows, tokenCounts } = await measureDocuments(documents, tokenizer);
  const totals = totalsOf(rows, tokenCounts.size, tokenizer.vocabularySize);
  const words = documents.map(({ text }) => wordsOf(text));
  const lengths = rows.map(({ tokens }) => tokens);
  const packingReport = reportPacking(lengths, blockSize);
  const measures = (record: object) =>
    arquero.table({ measure: Object.keys(record), value: Object.values(record) as unknown[] });
  const rowsOrEmpty = <Row extends object>(columns: readonly (keyof Row & string)[], values: readonly Row[]) =>
    arquero.table(Object.fromEntries(columns.map((column) => [column, values.map((row) => row[column])])));
  const { name, origin, licence, sha256 } = dataset;
  return {
    totals,
    summary: measures(totals),
    source: arquero.table({ what: ["name", "origin", "licence", "sha256"], value: [name, origin, licence, sha256] }),
    documents: arquero.from(rows),
    lengths: rowsOrEmpty(["unit", "from", "to", "documents"], lengthClasses(rows)),
    languages: rowsOrEmpty(["language", "documents", "share"], languageRows(rows)),
    scripts: rowsOrEmpty(["script", "letters", "share"], scriptRows(documents)),
    topTokens: rowsOrEmpty(["token", "count", "share"], tokenRows(tokenCounts, tokenizer, totals.tokens, top)),
    topWords: rowsOrEmpty(["word", "count", "share"], wordRows(countWords(words), top)),
    topPhrases: rowsOrEmpty(
      ["words", "count"],
      commonPhrases(words, top).map(([phrase, count]) => ({ words: phrase, count })),
    ),
    duplicates: rowsOrEmpty(["first", "second", "similarity", "kind"], duplicateRows(documents)),
    damage: rowsOrEmpty(["id", "replacements", "mojibake", "controls", "loneSurrogates"], damageRows(documents)),
    personalData: rowsOrEmpty(["kind", "finds", "documents", "example"], personalDataRows(documents)),
    samples: rowsOrEmpty(["id", "beginning"], sampleRows(documents, samples)),
    packing: measures(packingReport),
    packingReport,
  };
}

type Row = Omit<Document, "text"> & {
  readonly characters: number;
  readonly bytes: number;
  readonly tokens: number;
  readonly language: string;
};

async function measureDocuments(documents: readonly Document[], tokenizer: Tokenizer) {
  const guess = await languageGuesser();
  const tokenCounts = new Map<number, number>();
  const rows = documents.map(({ text, ...meta }): Row => {
    const ids = tokenizer.encode(text);
    for (const id of ids) tokenCounts.set(id, (tokenCounts.get(id) ?? 0) + 1);
    const bytes = Buffer.byteLength(text, "utf8");
    const counts = { characters: text.length, bytes, tokens: ids.length, bytesPerToken: ratio(bytes, ids.length) };
    return { ...meta, ...counts, language: guess(text) };
  });
  return { rows, tokenCounts };
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

function lengthClasses(rows: readonly Row[]) {
  return (["tokens", "characters"] as const).flatMap((unit) =>
    doublingClasses(rows.map((row) => row[unit])).map((row) => ({ unit, ...row })),
  );
}

function languageRows(rows: readonly Row[]) {
  const counts: Counts = new Map();
  for (const { language } of rows) add(counts, language, 1);
  return shares(counts).map(({ name, count, share }) => ({ language: name, documents: count, share }));
}

function scriptRows(documents: readonly Document[]) {
  const counts: Counts = new Map();
  for (const { text } of documents) for (const [script, letters] of countScripts(text)) add(counts, script, letters);
  return shares(counts).map(({ name, count, share }) => ({ script: name, letters: count, share }));
}

function tokenRows(counts: ReadonlyMap<number, number>, tokenizer: Tokenizer, all: number, top: number) {
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, top);
  return ranked.map(([id, count]) => ({ token: tokenizer.decode([id]), count, share: ratio(count, all, 4) }));
}

function wordRows(words: Counts, top: number) {
  const all = sum(words.values());
  return mostCommon(words, top).map(([word, count]) => ({ word, count, share: count / all }));
}

function duplicateRows(documents: readonly Document[]) {
  const { exact, near } = findDuplicates(documents);
  const same = exact.flatMap(([first = "", ...others]) =>
    others.map((second) => ({ first, second, similarity: 1, kind: "exact" })),
  );
  return [...same, ...near.map((pair) => ({ ...pair, kind: "near" }))];
}

function damageRows(documents: readonly Document[]) {
  const rows = documents.map(({ id, text }) => ({ id, ...countDamage(text) }));
  return rows.filter(({ id: _, ...damage }) => sum(Object.values(damage)) > 0);
}

function personalDataRows(documents: readonly Document[]) {
  const finds = documents.flatMap(({ id, text }) => findPersonalData(text).map((find) => ({ ...find, id })));
  return personalDataKinds.flatMap((kind) => {
    const ofKind = finds.filter((find) => find.kind === kind);
    const holders = new Set(ofKind.map(({ id }) => id)).size;
    return ofKind[0] ? [{ kind, finds: ofKind.length, documents: holders, example: ofKind[0].masked }] : [];
  });
}

// Evenly over the set, the first and the last document included.
function sampleRows(documents: readonly Document[], count: number) {
  const last = documents.length - 1;
  const steps = Math.min(count, documents.length);
  const places = Array.from({ length: steps }, (_, i) => (steps === 1 ? 0 : Math.round((i * last) / (steps - 1))));
  return places.map((place) => {
    const { id, text } = documents[place] as Document;
    return { id, beginning: text.slice(0, 160).replace(/\s+/g, " ").trim() };
  });
}

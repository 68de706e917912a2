/**
 * Texts to train on. In: the name of an embedded set, a file, a folder, or a dataset of the Hugging Face Hub. Out: a Dataset,
 * documents with what is known of each, in memory; or a TextSource, the same as a stream. What had to be guessed is noted
 * with its reason. Splitting, tokens and batches come later (split.ts, pack.ts, token-file.ts, batches.ts).
 */
import { createHash } from "node:crypto";
import { basename } from "node:path";
import { isHubName, type RepositoryOptions } from "../hub/repository.js";
import { nearest, problem } from "../message.js";
import { embeddedNames, loadEmbedded } from "./embedded.js";
import { filesOf, kindOfPath } from "./folder.js";
import { READABLE } from "./formats.js";
import { downloadDataset, isKnownDataset } from "./hub-dataset.js";
import { seededRandom, shuffledIndices } from "./random.js";
import { DamageTally, openSource, type TextSource } from "./text-source.js";

/** One text of a dataset with what is known about it. */
export interface Document {
  /** Unique within its dataset. */
  readonly id: string;
  readonly text: string;
  /** What the source says about the text: year, name, party, title, author … */
  readonly [meta: string]: string | number | undefined;
}

/** Texts and where they come from. */
export interface Dataset {
  readonly name: string;
  readonly documents: readonly Document[];
  readonly origin: string;
  readonly licence: string;
  /** What was chosen, guessed or damaged while it was read, a sentence each; absent when there is nothing to say. */
  readonly notes?: readonly string[];
  /** SHA-256 over every document's id and text, in order; the same texts give the same hash on any machine. */
  readonly sha256: string;
}

/** How much of a dataset to load, and how. */
export interface LoadDatasetOptions extends OpenDatasetOptions {
  /** Keep a random sample of at most this many documents, in their order ; 0, the default, keeps all. */
  readonly maxDocuments?: number;
  /** Chooses the sample (default 42). */
  readonly seed?: number;
}

/** How the files of a dataset are found and read. */
export interface OpenDatasetOptions extends RepositoryOptions {
  /** Column of the texts in files with rows; empty, the default, to guess it. */
  readonly textColumn?: string | undefined;
  /** Branch, tag, `refs/pr/<number>` or commit of a dataset of the Hub; empty for the usual place. */
  readonly revision?: string | undefined;
}

/**
 * Loads a dataset by name or path into memory.
 *
 * @param name `"sotu"` (233 State of the Union addresses, embedded); a file: .txt or .md as one document, .jsonl, .csv, .tsv or
 *   .parquet as a document a row, each also with .gz; a folder of such files; or a dataset of the Hugging Face Hub,
 *   `"owner/name"` or `"owner/name:subset"`.
 * @returns The documents in the order of their files and rows.
 * @throws {RangeError} When the name is unknown, nothing is there, a text is empty, it is too large, or maxDocuments is negative.
 * @throws {SyntaxError} When a file or row is damaged.
 * @throws {HubError} When the Hub refuses.
 * @throws {Error} When a file cannot be read.
 * @example
 * const dataset = await loadDataset("sotu", { maxDocuments: 20 });
 * dataset.documents.length; // 20
 */
export async function loadDataset(name: string, options: LoadDatasetOptions = {}): Promise<Dataset> {
  const { maxDocuments = 0, seed = 42 } = options;
  if (!Number.isInteger(maxDocuments) || maxDocuments < 0) {
    throw new RangeError(
      problem({
        cannot: `load dataset "${name}"`,
        found: `maxDocuments ${maxDocuments}`,
        expected: "an integer ≥ 0",
        fix: "set maxDocuments: 50, or 0 for all documents",
      }),
    );
  }
  const embedded = await loadEmbedded(name);
  const dataset = embedded ? datasetOf(embedded) : await readDataset(await openDataset(name, options));
  return maxDocuments === 0 ? dataset : sampleDataset(dataset, maxDocuments, seed);
}

/**
 * Makes a dataset of documents at hand, adding its hash.
 *
 * @example
 * datasetOf({ name: "mine", documents: [{ id: "a", text: "Once." }], origin: "my desk", licence: "mine" }).sha256;
 */
export function datasetOf(parts: Omit<Dataset, "sha256">): Dataset {
  const hash = createHash("sha256");
  for (const { id, text } of parts.documents) {
    // Lengths first, so that no two lists of documents feed the same bytes.
    hash.update(`${Buffer.byteLength(id)} ${Buffer.byteLength(text)}\n${id}${text}`);
  }
  return { ...parts, sha256: hash.digest("hex") };
}

/**
 * Finds the files of a dataset and how to read them, downloading them when they are of the Hub.
 *
 * @param name as for {@link loadDataset}, but for the embedded ones
 * @returns the texts as a stream, for what is larger than memory
 */
export async function openDataset(name: string, options: OpenDatasetOptions = {}): Promise<TextSource> {
  const { textColumn } = options;
  const kind = await kindOfPath(name);
  const own = { name, origin: `own text: ${name}`, licence: "not stated (own text)", textColumn };
  if (kind === "folder") return openSource({ ...own, ...(await filesOf(name)) });
  if (kind !== "none") return openSource({ ...own, files: [{ path: name, id: basename(name) }] });
  const near = nearest(name, embeddedNames);
  const [repository = ""] = name.split(":");
  // Names without owner are old ones: one that is nearly embedded is a slip of the hand.
  if (isHubName(repository) && (repository.includes("/") || isKnownDataset(repository) || near === undefined)) {
    return openSource({ ...(await downloadDataset(name, options)), textColumn });
  }
  throw new RangeError(
    problem({
      cannot: `load dataset "${name}"`,
      found: "no embedded dataset, file or folder of that name",
      expected: `one of ${embeddedNames.join(", ")}, a path to ${READABLE}, or owner/name on the Hugging Face Hub`,
      fix: near ? `use "${near}"` : `use "${embeddedNames[0]}", or check the path`,
    }),
  );
}

// V8's longest string is a little above 512 million characters.
const LONGEST_DOCUMENT = 500_000_000;

/**
 * Reads a stream of texts into memory.
 *
 * @throws as {@link loadDataset}
 */
export async function readDataset(source: TextSource): Promise<Dataset> {
  const documents: Document[] = [];
  const damage = new DamageTally();
  let parts: string[] = [];
  let length = 0;
  for await (const piece of source.pieces()) {
    damage.add(piece);
    parts.push(piece.text);
    length += piece.text.length;
    if (length > LONGEST_DOCUMENT) {
      const found = `more than ${LONGEST_DOCUMENT.toLocaleString("en")} characters in ${piece.id}`;
      const fix = 'train on it with streaming: "auto", which reads it from disk, or cut it into several files';
      throw new RangeError(
        problem({ cannot: `load dataset "${source.name}" into memory`, found, expected: "shorter documents", fix }),
      );
    }
    if (!piece.isLast) continue;
    documents.push({ id: piece.id, text: parts.join("") });
    parts = [];
    length = 0;
  }
  if (documents.length === 0) {
    const found = "no text in any row";
    const fix = "give a file with texts in it";
    throw new RangeError(
      problem({ cannot: `load dataset "${source.name}"`, found, expected: "at least one text", fix }),
    );
  }
  const { name, origin, licence } = source;
  const notes = [...source.notes, ...damage.notes()];
  return datasetOf({ name, documents, origin, licence, ...(notes.length > 0 && { notes }) });
}

/** A seeded sample of at most so many documents, in their order. */
export function sampleDataset(dataset: Dataset, maxDocuments: number, seed: number): Dataset {
  const { documents } = dataset;
  if (maxDocuments >= documents.length) return dataset;
  const chosen = shuffledIndices(documents.length, seededRandom(seed)).subarray(0, maxDocuments).sort();
  const { sha256: _, ...rest } = dataset;
  return datasetOf({ ...rest, documents: Array.from(chosen, (i) => documents[i] as Document) });
}

/**
 * Texts to train on. In: the name of an embedded set, a .txt file or a folder of .txt files. Out: a Dataset, documents with
 * what is known of each. It never guesses: what cannot be read as UTF-8 text is refused with its reason, and nothing is
 * fetched from a network. Splitting, tokens and batches come later (split.ts, pack.ts, batches.ts).
 */
import { createHash } from "node:crypto";
import { nearest, problem } from "../message.js";
import { embeddedNames, loadEmbedded } from "./embedded.js";
import { seededRandom, shuffledIndices } from "./random.js";
import { kindOfPath, readTextFile, readTextFolder } from "./text-files.js";

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
  /** SHA-256 over every document's id and text, in order; the same texts give the same hash on any machine. */
  readonly sha256: string;
}

/** How much of a dataset to load. */
export interface LoadDatasetOptions {
  /** Keep a random sample of at most this many documents, in their order ; 0, the default, keeps all. */
  readonly maxDocuments?: number;
  /** Chooses the sample (default 42). */
  readonly seed?: number;
}

/**
 * Loads a dataset by name or path.
 *
 * @param name `"sotu"` (233 State of the Union addresses, embedded), a path to a .txt file, or a folder of .txt files.
 * @returns The documents; one for a file, one per file for a folder, in the order of their paths.
 * @throws {RangeError} When the name is unknown, nothing is there, a text is empty, or maxDocuments is negative.
 * @throws {SyntaxError} When a file is not UTF-8 text.
 * @throws {Error} When a file cannot be read.
 * @example
 * const dataset = await loadDataset("sotu", { maxDocuments: 20 });
 * dataset.documents.length; // 20
 */
export async function loadDataset(
  name: string,
  { maxDocuments = 0, seed = 42 }: LoadDatasetOptions = {},
): Promise<Dataset> {
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
  const dataset = await find(name);
  return maxDocuments === 0 ? dataset : sample(dataset, maxDocuments, seed);
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

async function find(name: string): Promise<Dataset> {
  const embedded = await loadEmbedded(name);
  if (embedded) return datasetOf(embedded);
  const kind = await kindOfPath(name);
  if (kind === "folder") return ownTexts(name, await readTextFolder(name));
  if (kind !== "none") return ownTexts(name, [await readTextFile(name)]);
  if (isHubId(name)) {
    throw new RangeError(
      problem({
        cannot: `load dataset "${name}"`,
        found: "a name as on the Hugging Face Hub, from which this version does not download yet",
        expected: `one of ${embeddedNames.join(", ")}, or a path to a .txt file or a folder of .txt files`,
        fix: `download its text yourself and pass the path, as in loadDataset("./${name.split("/").at(-1)}.txt")`,
      }),
    );
  }
  const near = nearest(name, embeddedNames);
  throw new RangeError(
    problem({
      cannot: `load dataset "${name}"`,
      found: "no embedded dataset, file or folder of that name",
      expected: `one of ${embeddedNames.join(", ")}, or a path to a .txt file or a folder of .txt files`,
      fix: near ? `use "${near}"` : `use "${embeddedNames[0]}", or check the path`,
    }),
  );
}

function ownTexts(name: string, documents: readonly Document[]): Dataset {
  return datasetOf({ name, documents, origin: `own text: ${name}`, licence: "not stated (own text)" });
}

// Names of the Hub are "owner/name"; a few old ones, like this one of the course, have no owner.
function isHubId(name: string): boolean {
  return name === "tiny_shakespeare" || /^[\w-][\w.-]*\/[\w-][\w.-]*$/.test(name);
}

function sample(dataset: Dataset, maxDocuments: number, seed: number): Dataset {
  const { documents } = dataset;
  if (maxDocuments >= documents.length) return dataset;
  const chosen = shuffledIndices(documents.length, seededRandom(seed)).subarray(0, maxDocuments).sort();
  const { sha256: _, ...rest } = dataset;
  return datasetOf({ ...rest, documents: Array.from(chosen, (i) => documents[i] as Document) });
}

/**
 * TEMP
 */
import { createHash } from "node:crypto";

/** One text of a dataset with what is known about it. */
export interface Document {
  /** Unique within its dataset. */
  readonly id: string;
  readonly text: string;
  /** What the source says about the text: year, name, party, title, file … */
  readonly [meta: string]: string | number | undefined;
}

/** Texts and where they come from. */
export interface Dataset {
  readonly name: string;
  readonly documents: readonly Document[];
  readonly origin: string;
  readonly licence: string;
  /** Hash of every document's id and text, in order; the same texts give the same hash anywhere. */
  readonly sha256: string;
}

/** Makes a dataset of documents, computing its hash. */
export function datasetOf(parts: Omit<Dataset, "sha256">): Dataset {
  const hash = createHash("sha256");
  for (const { id, text } of parts.documents) {
    // Lengths first, so that no two lists of documents feed the same bytes.
    hash.update(`${Buffer.byteLength(id)} ${Buffer.byteLength(text)}\n${id}${text}`);
  }
  return { ...parts, sha256: hash.digest("hex") };
}

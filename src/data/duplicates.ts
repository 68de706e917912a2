/**
 * Finds texts that are in a collection twice, wholly or nearly, and texts of one collection that stand in another. In:
 * documents. Out: groups, pairs and overlaps, by document id. It removes nothing, and keeps no text: 512 bytes a document.
 * Sources: Broder 1997 (MinHash over word runs), Leskovec et al., Mining of Massive Datasets, ch. 3 (banding);
 * Brown et al. 2020, appendix C (runs of 13 words as a test of contamination).
 */
import { createHash } from "node:crypto";
import type { Document } from "./dataset.js";
import { seededRandom } from "./random.js";
import { hashRuns, wordsOf } from "./words.js";

/** Two documents that say nearly the same. */
export interface NearDuplicate {
  readonly first: string;
  readonly second: string;
  /** Estimated share of five-word runs that both have, of those that either has; 0 … 1, ± 0.04. */
  readonly similarity: number;
}

/** Repetitions inside one collection. */
export interface Duplicates {
  /** Ids of documents whose text is the same but for white space at its ends; each group has two or more. */
  readonly exact: readonly (readonly string[])[];
  /** Pairs that are alike without being the same, the most alike first. */
  readonly near: readonly NearDuplicate[];
}

/** A text that stands in another collection, wholly or in part. */
export interface Overlap {
  readonly id: string;
  /** Share of its 13-word runs that the other collection holds too, 0 … 1. */
  readonly share: number;
}

const signatureLength = 128;
// 16 bands of 8 rows: a pair of similarity 0.8 shares a band with probability 0.95, one of 0.5 with 0.06.
const rowsPerBand = 8;
const runWidth = 5;
const contaminationWidth = 13;

/**
 * Finds exact and near duplicates.
 *
 * @param options `threshold`: least similarity of a pair, above 0 and at most 1; default 0.8
 * @example
 * findDuplicates([{ id: "a", text: "Once." }, { id: "b", text: "Once.\n" }]).exact; // [["a", "b"]]
 */
export function findDuplicates(
  documents: Iterable<Document>,
  options: { readonly threshold?: number } = {},
): Duplicates {
  const finder = new DuplicateFinder();
  for (const document of documents) finder.add(document);
  return finder.find(options.threshold);
}

/** Finds duplicates among documents that pass by one at a time. */
export class DuplicateFinder {
  readonly #groups = new Map<string, string[]>();
  readonly #signatures: { id: string; signature: Uint32Array }[] = [];
  readonly #family = hashFamily();

  /** Looks at one document. */
  add({ id, text }: Document): void {
    const hash = createHash("sha1").update(text.trim()).digest("base64");
    const group = this.#groups.get(hash);
    if (group) {
      group.push(id);
      return;
    }
    this.#groups.set(hash, [id]);
    const runs = hashRuns(wordsOf(text), runWidth);
    if (runs.length === 0) return;
    const signature = sign(
      Uint32Array.from(runs, (run) => run % 2 ** 32),
      this.#family,
    );
    this.#signatures.push({ id, signature });
  }

  /** As {@link findDuplicates} gives them. */
  find(threshold = 0.8): Duplicates {
    const signatures = this.#signatures;
    const near: NearDuplicate[] = [];
    for (const [a, b] of candidates(signatures.map(({ signature }) => signature))) {
      const first = signatures[a] as (typeof signatures)[number];
      const second = signatures[b] as (typeof signatures)[number];
      const similarity = agreement(first.signature, second.signature);
      if (similarity >= threshold) near.push({ first: first.id, second: second.id, similarity });
    }
    near.sort((a, b) => b.similarity - a.similarity || (a.first < b.first ? -1 : 1));
    return { exact: [...this.#groups.values()].filter((group) => group.length > 1), near };
  }
}

/**
 * How much of each held-out text stands in the training text.
 *
 * @param training texts that are learned; read once, in a stream
 * @param heldOut texts that measure the model
 * @returns the held-out documents of which any run of 13 words is in the training text too, the worst first
 */
export function findOverlaps(training: Iterable<Document>, heldOut: Iterable<Document>): Overlap[] {
  const finder = new OverlapFinder();
  for (const document of heldOut) finder.hold(document);
  for (const { text } of training) finder.learn(text);
  return finder.find();
}

/** Finds overlaps among texts that pass by one at a time: first every held-out document, then the training text. */
export class OverlapFinder {
  readonly #ids: string[] = [];
  readonly #runs: Float64Array[] = [];
  readonly #held = new Set<number>();
  readonly #seen = new Set<number>();

  /** Remembers a document that measures the model. */
  hold({ id, text }: Document): void {
    const hashes = hashRuns(wordsOf(text), contaminationWidth);
    for (const hash of hashes) this.#held.add(hash);
    this.#ids.push(id);
    this.#runs.push(hashes);
  }

  /** Looks at a text that is learned. */
  learn(text: string): void {
    for (const hash of hashRuns(wordsOf(text), contaminationWidth)) if (this.#held.has(hash)) this.#seen.add(hash);
  }

  /** As {@link findOverlaps} gives them. */
  find(): Overlap[] {
    const overlaps = this.#ids.map((id, i) => {
      const hashes = this.#runs[i] as Float64Array;
      const shared = hashes.filter((hash) => this.#seen.has(hash)).length;
      return { id, share: hashes.length === 0 ? 0 : shared / hashes.length };
    });
    return overlaps.filter(({ share }) => share > 0).sort((a, b) => b.share - a.share || (a.id < b.id ? -1 : 1));
  }
}

interface HashFamily {
  readonly factors: Int32Array;
  readonly offsets: Int32Array;
}

// x ↦ (a x + b) mod 2^32 with odd a; fixed, so that the same texts always give the same pairs.
function hashFamily(): HashFamily {
  const random = seededRandom(1997);
  const draw = () => Int32Array.from({ length: signatureLength }, () => random.integer(2 ** 31) * 2 + 1);
  return { factors: draw(), offsets: draw() };
}

function sign(runs: Uint32Array, { factors, offsets }: HashFamily): Uint32Array {
  const signature = new Uint32Array(signatureLength);
  for (let row = 0; row < signatureLength; row++) {
    const factor = factors[row] as number;
    const offset = offsets[row] as number;
    let least = 0xffffffff;
    for (const run of runs) {
      // The low bits of a product mix badly, so the halves are exchanged.
      const product = Math.imul(run, factor) + offset;
      const hash = ((product >>> 16) | (product << 16)) >>> 0;
      if (hash < least) least = hash;
    }
    signature[row] = least;
  }
  return signature;
}

// Pairs of documents that agree in all rows of at least one band.
function candidates(signatures: readonly Uint32Array[]): [number, number][] {
  const pairs = new Map<string, [number, number]>();
  for (let from = 0; from < signatureLength; from += rowsPerBand) {
    const firstOf = new Map<string, number[]>();
    signatures.forEach((signature, i) => {
      const band = signature.subarray(from, from + rowsPerBand).join(" ");
      const others = firstOf.get(band);
      if (!others) firstOf.set(band, [i]);
      else {
        // Each with the first few of its band: a thousand copies make a thousand pairs and not half a million.
        for (const other of others) pairs.set(`${other} ${i}`, [other, i]);
        if (others.length < 4) others.push(i);
      }
    });
  }
  return [...pairs.values()];
}

function agreement(a: Uint32Array, b: Uint32Array): number {
  let equal = 0;
  for (let row = 0; row < signatureLength; row++) if (a[row] === b[row]) equal++;
  return equal / signatureLength;
}

/**
 * Parts a dataset into train, validation and test before anything is packed. In: a dataset, two fractions and a seed. Out:
 * three datasets that share no document, and a hash that a checkpoint stores to recognise the same split again.
 * Whole documents are dealt out; where they are too few for the fractions, every document is cut by position instead.
 */
import { createHash } from "node:crypto";
import { problem } from "../message.js";
import { type Dataset, type Document, datasetOf } from "./dataset.js";
import { seededRandom, shuffledIndices } from "./random.js";

/** How much text to hold back, and which. */
export interface SplitOptions {
  /** Share of the documents for validation, from 0 to below 1. */
  readonly validationFraction: number;
  /** Share of the documents for the test, from 0 to below 1; both together stay below 1. */
  readonly testFraction: number;
  /** Chooses the documents. */
  readonly seed: number;
}

/** A dataset in three parts, each in the order of the whole. */
export interface Split {
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: Dataset;
  /** Whether whole documents were dealt out, or each was cut by position (train first, test last). */
  readonly by: "document" | "position";
  /** SHA-256 over the three parts, the fractions and the seed. */
  readonly hash: string;
}

/**
 * Splits a dataset. A fraction above 0 always gets at least one document, or one piece of each.
 *
 * @throws {RangeError} When a fraction is out of range, or a text is too short to be cut.
 * @example
 * const { train, validation } = splitDataset(dataset, { validationFraction: 0.1, testFraction: 0.1, seed: 42 });
 */
export function splitDataset(dataset: Dataset, options: SplitOptions): Split {
  const { validationFraction, testFraction, seed } = options;
  checkFraction("validationFraction", validationFraction);
  checkFraction("testFraction", testFraction);
  if (validationFraction + testFraction >= 1) {
    throw new RangeError(
      problem({
        cannot: "split the dataset",
        found: `validationFraction ${validationFraction} and testFraction ${testFraction}, together ${validationFraction + testFraction}`,
        expected: "a sum below 1, so that text is left to train on",
        fix: "set validationFraction: 0.1 and testFraction: 0.1",
      }),
    );
  }
  const by = canDeal(dataset.documents.length, options) ? "document" : "position";
  const parts =
    by === "document" ? dealDocuments(dataset.documents, options) : cutDocuments(dataset.documents, options);
  const part = (name: keyof typeof parts) => datasetOf({ ...dataset, documents: parts[name] });
  const train = part("train");
  const validation = part("validation");
  const test = part("test");
  const identity = [train.sha256, validation.sha256, test.sha256, validationFraction, testFraction, seed];
  const hash = createHash("sha256").update(JSON.stringify(identity)).digest("hex");
  return { train, validation, test, by, hash };
}

interface Parts {
  readonly train: Document[];
  readonly validation: Document[];
  readonly test: Document[];
}

function checkFraction(name: string, value: number): void {
  if (value >= 0 && value < 1) return;
  throw new RangeError(
    problem({
      cannot: "split the dataset",
      found: `${name} ${value}`,
      expected: "a number from 0 to below 1",
      fix: `set ${name}: 0.1`,
    }),
  );
}

// Rounded down, so that a document is always left to train on; 0.29 * 100 must still be 29.
function wholeDocuments(count: number, fraction: number): number {
  return Math.floor(count * fraction + 1e-9);
}

/** The documents of each part by their place in the whole, ascending. */
export interface DealtParts {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
}

/** Whether so many documents are dealt out whole; each share must be worth one: of three documents, one is not "10 %". */
export function canDeal(count: number, { validationFraction, testFraction }: SplitOptions): boolean {
  const smallest = Math.min(...[validationFraction, testFraction].filter((fraction) => fraction > 0), 1);
  return wholeDocuments(count, smallest) >= 1;
}

/** Deals documents out by number: what `splitDataset` does with those in memory. */
export function dealIndices(count: number, { validationFraction, testFraction, seed }: SplitOptions): DealtParts {
  const order = shuffledIndices(count, seededRandom(seed));
  const validationCount = wholeDocuments(count, validationFraction);
  const testCount = wholeDocuments(count, testFraction);
  return {
    validation: order.slice(0, validationCount).sort(),
    test: order.slice(validationCount, validationCount + testCount).sort(),
    train: order.slice(validationCount + testCount).sort(),
  };
}

function dealDocuments(documents: readonly Document[], options: SplitOptions): Parts {
  const { train, validation, test } = dealIndices(documents.length, options);
  const take = (indices: Uint32Array) => Array.from(indices, (i) => documents[i] as Document);
  return { train: take(train), validation: take(validation), test: take(test) };
}

/** The names of the parts that fractions ask for, in the order in which a document is cut. */
export function wantedParts({ validationFraction, testFraction }: SplitOptions): PartName[] {
  const wanted = { train: true, validation: validationFraction > 0, test: testFraction > 0 };
  return partNames.filter((name) => wanted[name]);
}

/** A part of a split. */
export type PartName = keyof DealtParts;

const partNames = ["train", "validation", "test"] as const;

/**
 * Where a document of so many characters is to be cut, one place fewer than there are parts.
 *
 * @returns the places, and how far from each a better one is looked for.
 */
export function cutPlaces(length: number, options: SplitOptions): { places: number[]; reach: number } {
  const { validationFraction, testFraction } = options;
  const places = [length * (1 - validationFraction - testFraction), length * (1 - testFraction)];
  const wanted = validationFraction > 0 ? (testFraction > 0 ? places : places.slice(0, 1)) : places.slice(1);
  return { places: wanted.map(Math.round), reach: Math.min(Math.ceil(length / 20), farthestCut) };
}

// A paragraph that is longer than this is cut within it, so that a text which is streamed need not be held.
const farthestCut = 1 << 16;

function cutDocuments(documents: readonly Document[], options: SplitOptions): Parts {
  const parts: Parts = { train: [], validation: [], test: [] };
  for (const document of documents) {
    const { id, text } = document;
    const { places, reach } = cutPlaces(text.length, options);
    const cuts = [0, ...places.map((place) => cutNear(text, place, reach)), text.length];
    for (const [i, name] of wantedParts(options).entries()) {
      const piece = text.slice(cuts[i], cuts[i + 1]);
      if (piece.trim() === "") throw tooShort(name, id, text.length);
      parts[name].push({ ...document, id: `${id}#${name}`, text: piece });
    }
  }
  return parts;
}

/** Words a document of which a part would be blank. */
export function tooShort(name: PartName, id: string, characters: number): RangeError {
  return new RangeError(
    problem({
      cannot: `cut a ${name} part from document "${id}"`,
      found: `${characters.toLocaleString("en")} characters, too few or without a space to cut at`,
      expected: "text long enough for every part",
      fix: "give more text, or set testFraction: 0",
    }),
  );
}

/** The start of the nearest paragraph, else line, else word, at most `reach` characters away; else the place itself. */
export function cutNear(text: string, place: number, reach: number): number {
  if (place >= text.length) return text.length;
  const start = Math.max(0, place - reach);
  const window = text.slice(start, place + reach);
  for (const boundary of [/\n\s*\n/g, /\n/g, /\s+/g]) {
    const cuts = Array.from(window.matchAll(boundary), (match) => start + match.index + match[0].length);
    const best = cuts.sort((a, b) => Math.abs(a - place) - Math.abs(b - place))[0];
    if (best !== undefined) return best;
  }
  // Never between the halves of a surrogate pair.
  return /[\uD800-\uDBFF]/.test(text.charAt(place - 1)) ? place - 1 : place;
}

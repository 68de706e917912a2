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
  // By document only when each share is worth a whole one: of three documents, one is not "10 %".
  const smallest = Math.min(...[validationFraction, testFraction].filter((fraction) => fraction > 0), 1);
  const by = wholeDocuments(dataset.documents.length, smallest) >= 1 ? "document" : "position";
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

function dealDocuments(
  documents: readonly Document[],
  { validationFraction, testFraction, seed }: SplitOptions,
): Parts {
  const order = shuffledIndices(documents.length, seededRandom(seed));
  const validationCount = wholeDocuments(documents.length, validationFraction);
  const testCount = wholeDocuments(documents.length, testFraction);
  const take = (from: number, to?: number) => Array.from(order.slice(from, to).sort(), (i) => documents[i] as Document);
  return {
    validation: take(0, validationCount),
    test: take(validationCount, validationCount + testCount),
    train: take(validationCount + testCount),
  };
}

function cutDocuments(documents: readonly Document[], { validationFraction, testFraction }: SplitOptions): Parts {
  const parts: Parts = { train: [], validation: [], test: [] };
  for (const document of documents) {
    const { id, text } = document;
    const first = cutNear(text, Math.round(text.length * (1 - validationFraction - testFraction)));
    const second = testFraction > 0 ? cutNear(text, Math.round(text.length * (1 - testFraction))) : text.length;
    const pieces = {
      train: text.slice(0, first),
      validation: validationFraction > 0 ? text.slice(first, second) : "",
      test: testFraction > 0 ? text.slice(validationFraction > 0 ? second : first) : "",
    };
    const wanted = { train: true, validation: validationFraction > 0, test: testFraction > 0 };
    for (const name of ["train", "validation", "test"] as const) {
      if (!wanted[name]) continue;
      if (pieces[name].trim() === "") {
        throw new RangeError(
          problem({
            cannot: `cut a ${name} part from document "${id}"`,
            found: `${text.length.toLocaleString("en")} characters, too few or without a space to cut at`,
            expected: "text long enough for every part",
            fix: "give more text, or set testFraction: 0",
          }),
        );
      }
      parts[name].push({ ...document, id: `${id}#${name}`, text: pieces[name] });
    }
  }
  return parts;
}

// The start of the nearest paragraph, else line, else word, within a twentieth of the text; else the place itself.
function cutNear(text: string, place: number): number {
  if (place >= text.length) return text.length;
  const reach = Math.ceil(text.length / 20);
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

/**
 * The gate before training: what about this text would make the numbers of the run lie, or the model learn what it should not.
 * In: a split, the names of model and dataset, packed sizes. Out: findings, errors first, each with its fix. It stops nothing
 * itself: `train()` refuses on errors and shows the rest, unless `dataGate` is `warn`.
 */
import { problem } from "../message.js";
import type { Document } from "./dataset.js";
import { type Duplicates, findDuplicates, type Overlap } from "./duplicates.js";
import { GateTally, type TextFacts } from "./gate-tally.js";
import { personalDataKinds } from "./personal-data.js";
import type { Split } from "./split.js";

/** Kinds of findings. */
export type FindingName =
  | "leaked-document"
  | "leaked-passage"
  | "repeated-documents"
  | "small-validation"
  | "one-document"
  | "personal-data"
  | "known-text"
  | "foreign-vocabulary";

/** Something the gate found. */
export interface DataFinding {
  readonly name: FindingName;
  readonly severity: "error" | "warning";
  /** What was found, what was expected, and the fix. */
  readonly message: string;
  /** Ids of the documents concerned, at most 20. */
  readonly documents: readonly string[];
}

/** What the gate looks at. */
export interface GateInput extends RunFacts {
  readonly split: Split;
}

/** What the gate knows of a run besides its texts. */
export interface RunFacts {
  readonly modelName: string;
  readonly datasetName: string;
  /** Blocks of the validation set. */
  readonly validationBlocks: number;
  readonly blockSize: number;
  /** UTF-8 bytes a token of the training text. */
  readonly bytesPerToken: number;
}

// A held-out text of which this share of 13-word runs is in the training text measures memory, not learning.
const leakedShare = 0.8;
const noticedShare = 0.2;
// The standard error of a mean over fewer blocks is larger than the differences that a run decides by.
const fewestBlocks = 8;
// English is near 4 in a fitting vocabulary; text in a script that the vocabulary never saw is near 1.
const fewestBytesPerToken = 2;
const mostNamed = 20;

/** Text that a published model is known to have learned from, by patterns of the two names. */
const knownTexts: readonly { readonly model: RegExp; readonly dataset: RegExp; readonly source: string }[] = [
  {
    model: /(^|\/)(distilgpt2|gpt2(-(medium|large|xl))?)$/,
    dataset: /openwebtext/,
    source: "GPT-2 learned from WebText and DistilGPT-2 from OpenWebText, of which this is a part",
  },
  {
    model: /^fledge-base$/,
    dataset: /^(shakespeare|gutenberg)$/,
    source: "fledge-base was pretrained on these books",
  },
];

/**
 * Examines a split before a run.
 *
 * @returns errors first, then warnings; empty when there is nothing to say
 * @example
 * examineData({ split, modelName: "gpt2", datasetName: "my-texts", validationBlocks: 40, blockSize: 512, bytesPerToken: 4.1 });
 */
export function examineData(input: GateInput): DataFinding[] {
  const { train, validation, test, by } = input.split;
  const tally = new GateTally();
  for (const document of [...validation.documents, ...test.documents]) tally.hold(document);
  for (const document of train.documents) tally.learn(document);
  return findingsOf(tally.facts(by), input);
}

/** What the gate says of texts that have passed by. */
export function findingsOf(facts: TextFacts, run: RunFacts): DataFinding[] {
  const findings = [
    ...leakedDocuments(facts.leaked),
    ...leakedPassages(facts.overlaps),
    ...repeatedDocuments(facts),
    ...smallValidation(run),
    ...oneDocument(facts),
    ...personalData(facts),
    ...knownText(run),
    ...foreignVocabulary(run),
  ];
  return findings.sort((a, b) => Number(a.severity === "warning") - Number(b.severity === "warning"));
}

/**
 * Leaves out documents that repeat an earlier one, wholly or nearly.
 *
 * @returns the dataset's documents without them, and the ids that were left out
 */
export function withoutDuplicates(documents: readonly Document[]): { kept: Document[]; dropped: string[] } {
  const order = new Map(documents.map(({ id }, i) => [id, i]));
  const dropped = new Set(repeatsOf(findDuplicates(documents), order));
  return { kept: documents.filter(({ id }) => !dropped.has(id)), dropped: [...dropped] };
}

// Of each group and pair, all but the earliest.
function repeatsOf({ exact, near }: Duplicates, order: ReadonlyMap<string, number>): string[] {
  const later = (a: string, b: string) => ((order.get(a) ?? 0) > (order.get(b) ?? 0) ? a : b);
  return [...exact.flatMap((group) => group.slice(1)), ...near.map(({ first, second }) => later(first, second))];
}

function leakedDocuments(leaked: readonly string[]): DataFinding[] {
  if (leaked.length === 0) return [];
  const found = `${count(leaked.length, "held-out document")} (${named(leaked)}) also in the training text`;
  return [
    finding("leaked-document", "error", leaked, {
      cannot: "measure this run",
      found,
      expected: "text that is never learned",
      fix: "set deduplicate: true, which drops the copies before the split",
    }),
  ];
}

function leakedPassages(overlaps: readonly Overlap[]): DataFinding[] {
  const leaked = overlaps.filter(({ share }) => share >= leakedShare);
  const noticed = overlaps.filter(({ share }) => share >= noticedShare && share < leakedShare);
  const say = (severity: "error" | "warning", rows: readonly Overlap[]): DataFinding[] => {
    const worst = rows[0];
    if (!worst) return [];
    const ids = rows.map(({ id }) => id);
    return [
      finding("leaked-passage", severity, ids, {
        cannot: severity === "error" ? "measure this run" : "measure this run with full confidence",
        found: `${count(rows.length, "held-out document")} (${named(ids)}) of which up to ${Math.round(worst.share * 100)} % stands in the training text`,
        expected: `less than ${Math.round(noticedShare * 100)} % of any`,
        fix:
          severity === "error"
            ? "set deduplicate: true, or leave these documents out"
            : "leave these documents out, or read the validation loss as partly memory",
      }),
    ];
  };
  return [...say("error", leaked), ...say("warning", noticed)];
}

function repeatedDocuments({ duplicates, order }: TextFacts): DataFinding[] {
  const dropped = [...new Set(repeatsOf(duplicates, order))];
  if (dropped.length === 0) return [];
  const kept = order.size - dropped.length;
  return [
    finding("repeated-documents", "warning", dropped, {
      cannot: "give every document the same weight",
      found: `${count(dropped.length, "training document")} (${named(dropped)}) that repeat one of the other ${kept.toLocaleString("en")}`,
      expected: "each text once",
      fix: "set deduplicate: true",
    }),
  ];
}

function smallValidation({ validationBlocks, blockSize }: RunFacts): DataFinding[] {
  if (validationBlocks >= fewestBlocks) return [];
  return [
    finding("small-validation", "warning", [], {
      cannot: "tell small differences of the validation loss from chance",
      found: `${count(validationBlocks, "validation block")} of ${blockSize} tokens`,
      expected: `at least ${fewestBlocks}`,
      fix: "give more text, a larger validationFraction or a smaller blockSize",
    }),
  ];
}

function oneDocument({ by, documents }: TextFacts): DataFinding[] {
  if (by === "document") return [];
  const few = count(documents, "document");
  return [
    finding("one-document", "warning", [], {
      cannot: "split by document",
      found: `only ${few}, so that each is cut by position: its beginning is learned, its end measures`,
      expected: "more documents than that, for a test on text by other hands",
      fix: "give the text as one file a document, or read the loss as that of the same author",
    }),
  ];
}

function personalData({ personal: counts, holders }: TextFacts): DataFinding[] {
  if (holders.size === 0) return [];
  const kinds = personalDataKinds.filter((kind) => counts.has(kind)).map((kind) => `${kind} ${counts.get(kind)}`);
  return [
    finding("personal-data", "warning", [...holders], {
      cannot: "rule out that the model repeats personal data",
      found: `${kinds.join(", ")} in ${count(holders.size, "training document")} (${named([...holders])})`,
      expected: "none",
      fix: "look at inspectDataset(…).personalData, and replace what should not be learned",
    }),
  ];
}

function knownText({ modelName, datasetName }: RunFacts): DataFinding[] {
  const known = knownTexts.find(({ model, dataset }) => model.test(modelName) && dataset.test(datasetName));
  if (!known) return [];
  return [
    finding("known-text", "warning", [], {
      cannot: "take this validation loss for that of new text",
      found: `dataset "${datasetName}" with model "${modelName}": ${known.source}`,
      expected: "text that the model has not seen",
      fix: 'judge by another dataset, or train with initialWeights: "random"',
    }),
  ];
}

function foreignVocabulary({ bytesPerToken }: RunFacts): DataFinding[] {
  if (bytesPerToken >= fewestBytesPerToken) return [];
  return [
    finding("foreign-vocabulary", "warning", [], {
      cannot: "use this vocabulary well",
      found: `${bytesPerToken.toFixed(2)} bytes a token`,
      expected: `more than ${fewestBytesPerToken}: the vocabulary was made for other text`,
      fix: 'train a vocabulary of your own with trainTokenizer, and a model with initialWeights: "random"',
    }),
  ];
}

function finding(
  name: FindingName,
  severity: "error" | "warning",
  documents: readonly string[],
  parts: Parameters<typeof problem>[0],
): DataFinding {
  return { name, severity, message: problem(parts), documents: documents.slice(0, mostNamed) };
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function named(ids: readonly string[]): string {
  const shown = ids.slice(0, 3).join(", ");
  return ids.length > 3 ? `${shown} …` : shown;
}

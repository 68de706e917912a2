/**
 * What the gate before training gathers while texts pass by: first every held-out text, then the training text. In: documents,
 * or pieces of long ones under one id. Out: facts, of which gate.ts makes findings. Whole copies are looked for in everything;
 * what takes memory for every word or document stops at a limit and says so.
 */
import { createHash } from "node:crypto";
import type { Document } from "./dataset.js";
import { DuplicateFinder, type Duplicates, type Overlap, OverlapFinder } from "./duplicates.js";
import { findPersonalData, type PersonalDataKind } from "./personal-data.js";
import type { Split } from "./split.js";

/** What was seen in the texts of a run. */
export interface TextFacts {
  readonly by: Split["by"];
  /** Of the training part. */
  readonly documents: number;
  /** Ids of held-out documents that are learned word for word. */
  readonly leaked: readonly string[];
  /** Passages of the other held-out documents. */
  readonly overlaps: readonly Overlap[];
  readonly duplicates: Duplicates;
  /** Place of each training document that was compared. */
  readonly order: ReadonlyMap<string, number>;
  readonly personal: ReadonlyMap<PersonalDataKind, number>;
  /** Ids of training documents with personal data. */
  readonly holders: ReadonlySet<string>;
}

/** How much text is looked at for more than whole copies. */
export interface GateLimits {
  /** Characters of held-out text; each word takes some 60 bytes. */
  readonly heldCharacters: number;
  /** Characters of training text; it takes time and no memory. */
  readonly learnedCharacters: number;
  /** Documents compared with each other; each takes some 2 kB. */
  readonly documents: number;
}

/** For texts that do not fit into memory: at most some 200 MB, and a minute or two. */
export const STREAM_LIMITS: GateLimits = {
  heldCharacters: 5_000_000,
  learnedCharacters: 100_000_000,
  documents: 50_000,
};

const NO_LIMITS: GateLimits = {
  heldCharacters: Number.POSITIVE_INFINITY,
  learnedCharacters: Number.POSITIVE_INFINITY,
  documents: Number.POSITIVE_INFINITY,
};

/** Gathers facts, a document at a time. */
export class GateTally {
  readonly #heldIds = new Map<string, string[]>();
  readonly #learnedHashes = new Set<string>();
  readonly #passages = new OverlapFinder();
  readonly #duplicates = new DuplicateFinder();
  readonly #order = new Map<string, number>();
  readonly #personal = new Map<PersonalDataKind, number>();
  readonly #holders = new Set<string>();
  #heldCharacters = 0;
  #learnedCharacters = 0;
  #documents = 0;
  #last: string | undefined;

  /** @param limits default: none, for texts in memory */
  constructor(private readonly limits: GateLimits = NO_LIMITS) {}

  /** Remembers a text that measures the model. */
  hold(document: Document): void {
    const hash = hashOf(document.text);
    const ids = this.#heldIds.get(hash);
    if (ids) ids.push(document.id);
    else this.#heldIds.set(hash, [document.id]);
    this.#heldCharacters += document.text.length;
    if (this.#heldCharacters <= this.limits.heldCharacters) this.#passages.hold(document);
  }

  /** Looks at a text that is learned. */
  learn(document: Document): void {
    const { id, text } = document;
    const hash = hashOf(text);
    if (this.#heldIds.has(hash)) this.#learnedHashes.add(hash);
    if (id !== this.#last) this.#documents++;
    this.#last = id;
    this.#learnedCharacters += text.length;
    if (this.#learnedCharacters > this.limits.learnedCharacters) return;
    this.#passages.learn(text);
    for (const { kind } of findPersonalData(text)) {
      this.#personal.set(kind, (this.#personal.get(kind) ?? 0) + 1);
      this.#holders.add(id);
    }
    if (this.#order.has(id) || this.#order.size >= this.limits.documents) return;
    this.#order.set(id, this.#order.size);
    this.#duplicates.add(document);
  }

  /** What was seen. */
  facts(by: Split["by"]): TextFacts {
    const leaked = new Set([...this.#heldIds].flatMap(([hash, ids]) => (this.#learnedHashes.has(hash) ? ids : [])));
    return {
      by,
      documents: this.#documents,
      leaked: [...leaked],
      overlaps: this.#passages.find().filter(({ id }) => !leaked.has(id)),
      duplicates: this.#duplicates.find(),
      order: this.#order,
      personal: this.#personal,
      holders: this.#holders,
    };
  }

  /** What was not looked at, a sentence; nothing when all was. */
  notes(): string[] {
    const { heldCharacters, learnedCharacters, documents } = this.limits;
    const isAll =
      this.#heldCharacters <= heldCharacters &&
      this.#learnedCharacters <= learnedCharacters &&
      this.#documents <= documents;
    if (isAll) return [];
    const [held, learned, compared] = [heldCharacters, learnedCharacters, documents].map((n) => n.toLocaleString("en"));
    return [
      `The dataset is larger than what is examined of a stream: passages were looked for in the first ${held} characters held out and ${learned} learned, repeats among the first ${compared} documents; whole copies in all of it.`,
    ];
  }
}

function hashOf(text: string): string {
  return createHash("sha1").update(text.trim()).digest("base64");
}

/**
 * A dataset as tokens on disk, for what is larger than memory. In: a TextSource and a tokenizer. Out: a TokenFile that deals its
 * documents out into parts and packs them into blocks, token for token as `splitDataset` and `packDocuments` do in memory.
 * It is kept in a folder named by the hash of the texts, the tokenizer and the choice of documents, and made once.
 * Blocks are read from the file when they are asked for; the system keeps the pages that are in use.
 */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { diskProblem, exists, writeFileAtomic, writeFolderAtomic } from "../files.js";
import { problem } from "../message.js";
import { type PackedBlocks, type PackOptions, packRow } from "./pack.js";
import { seededRandom, shuffledIndices } from "./random.js";
import { canDeal, dealIndices, type PartName, type SplitOptions, wantedParts } from "./split.js";
import { DamageTally, type TextSource } from "./text-source.js";
import {
  TOKENS,
  type TokenFilePlan,
  type TokenProgress,
  UNITS,
  type UnitPiece,
  unitsOf,
  type WrittenTokens,
  writeTokens,
} from "./token-writer.js";
import type { Tokenizer } from "./tokenizer.js";

/** What a token file is made from, besides its texts. */
export interface TokenFileOptions extends SplitOptions {
  /** Folder of all token files. */
  readonly cacheFolder: string;
  /** Seeded sample of the documents; 0 takes all. */
  readonly maxDocuments: number;
  readonly onProgress?: ((progress: TokenProgress) => void) | undefined;
}

const MANIFEST = "manifest.json";
// Another number makes every token file anew.
const FORMAT = 1;

interface Manifest extends WrittenTokens {
  readonly by: "document" | "position";
}

/**
 * Makes the token file of a source, or finds the one that was made before.
 *
 * @throws RangeError, SyntaxError or Error as reading the texts does; Error when the cache cannot be written
 * @example
 * const split = { maxDocuments: 0, validationFraction: 0.1, testFraction: 0.1, seed: 42 };
 * const file = await openTokenFile(source, tokenizer, { cacheFolder, ...split });
 * const blocks = file.pack("train", 512);
 */
export async function openTokenFile(
  source: TextSource,
  tokenizer: Tokenizer,
  options: TokenFileOptions,
): Promise<TokenFile> {
  const { cacheFolder, maxDocuments, seed, validationFraction, testFraction } = options;
  const fingerprint = await source.fingerprint();
  const survey = await surveyOf(source, options);
  const cuts = survey.lengths ? [validationFraction, testFraction] : [];
  const sampling = survey.chosen ? [maxDocuments, seed] : [];
  const parts = [FORMAT, fingerprint, tokenizer.sha256, cuts, sampling];
  const key = createHash("sha256").update(JSON.stringify(parts)).digest("hex");
  const folder = join(cacheFolder, key.slice(0, 32));
  if (!(await exists(join(folder, MANIFEST))))
    await make(folder, source, tokenizer, { ...survey, split: options, onProgress: options.onProgress });
  const manifest = JSON.parse(await readFile(join(folder, MANIFEST), "utf8")) as Manifest;
  const texts = () => unitsOf(source, { ...survey, split: options }, new DamageTally());
  return TokenFile.open(folder, key, manifest, tokenizer.endOfTextId, options, texts);
}

// Enough documents to be dealt out whole need no counting; few are measured, to be cut.
async function surveyOf(source: TextSource, options: TokenFileOptions): Promise<Omit<TokenFilePlan, "split">> {
  const { maxDocuments, seed } = options;
  const lengths: number[] = [];
  let length = 0;
  let isCut = true;
  for await (const { text, isLast } of source.pieces()) {
    length += text.length;
    if (!isLast) continue;
    lengths.push(length);
    length = 0;
    const taken = maxDocuments > 0 ? Math.min(maxDocuments, lengths.length) : lengths.length;
    isCut = !canDeal(taken, options);
    if (!isCut && maxDocuments === 0) return {};
  }
  if (lengths.length === 0) {
    const found = "no text in any row";
    const fix = "give a file with texts in it";
    throw new RangeError(
      problem({ cannot: `load dataset "${source.name}"`, found, expected: "at least one text", fix }),
    );
  }
  const order = shuffledIndices(lengths.length, seededRandom(seed));
  const isSampled = maxDocuments > 0 && maxDocuments < lengths.length;
  return {
    ...(isSampled && { chosen: new Set(order.subarray(0, maxDocuments)) }),
    ...(isCut && { lengths }),
  };
}

async function make(folder: string, source: TextSource, tokenizer: Tokenizer, plan: TokenFilePlan): Promise<void> {
  try {
    await mkdir(join(folder, ".."), { recursive: true });
    await writeFolderAtomic(folder, async (temporary) => {
      const written = await writeTokens(temporary, source, tokenizer, plan);
      const manifest: Manifest = { ...written, by: plan.lengths ? "position" : "document" };
      await writeFileAtomic(join(temporary, MANIFEST), JSON.stringify(manifest));
    });
  } catch (error) {
    throw diskProblem(`write the tokens of "${source.name}" to ${folder}`, error);
  }
}

/** Tokens on disk; nothing stays open between two reads. */
export class TokenFile {
  private constructor(
    private readonly path: string,
    /** SHA-256 of the texts, the tokenizer and the choice of documents, in hexadecimal. */
    readonly key: string,
    private readonly manifest: Manifest,
    private readonly endOfTextId: number,
    private readonly units: Float64Array,
    private readonly split: SplitOptions,
    /** The texts of the units, in order, read again from the source. */
    readonly texts: () => AsyncGenerator<UnitPiece>,
  ) {}

  /** Opens a folder that {@link openTokenFile} has made. */
  static async open(
    folder: string,
    key: string,
    manifest: Manifest,
    endOfTextId: number,
    split: SplitOptions,
    texts: () => AsyncGenerator<UnitPiece>,
  ): Promise<TokenFile> {
    const bytes = await readFile(join(folder, UNITS));
    const units = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    return new TokenFile(join(folder, TOKENS), key, manifest, endOfTextId, units, split, texts);
  }

  /** Whether whole documents are dealt out, or each is cut by position. */
  get by(): "document" | "position" {
    return this.manifest.by;
  }

  /** Signs of damage in the texts, a sentence each. */
  get notes(): readonly string[] {
    return this.manifest.notes;
  }

  /** SHA-256 of the tokens and of how they are split. */
  get splitHash(): string {
    const { validationFraction, testFraction, seed } = this.split;
    return createHash("sha256")
      .update(JSON.stringify([this.key, validationFraction, testFraction, seed]))
      .digest("hex");
  }

  /**
   * Packs a part into blocks, as `packDocuments` does in memory.
   *
   * @throws RangeError when blockSize is no positive integer, or the part is shorter than one block.
   */
  pack(part: PartName, blockSize: number, options: PackOptions = {}): PackedBlocks {
    const units = this.unitsOf(part);
    const segments = new Segments();
    let textBytes = 0;
    for (const unit of units) {
      segments.add(unit === 0 ? 0 : (this.units[2 * unit - 2] ?? 0), this.units[2 * unit] ?? 0);
      textBytes += this.units[2 * unit + 1] ?? 0;
    }
    const read = (start: number, end: number) => this.#read(segments.within(start, end), end - start);
    const { endOfTextId } = this;
    const documentsWithin = (start: number, end: number) => this.#numbersWithin(units, start, end);
    const row = { length: segments.length, documents: units.length, textBytes, endOfTextId, read, documentsWithin };
    return packRow(row, blockSize, options);
  }

  // Ids are not kept: a document is told by its number, from 1.
  #numbersWithin(units: Uint32Array, start: number, end: number): string[] {
    const found: string[] = [];
    let place = 0;
    for (const unit of units) {
      if (place >= end) break;
      place += (this.units[2 * unit] ?? 0) - (unit === 0 ? 0 : (this.units[2 * unit - 2] ?? 0));
      if (place > start) found.push(`document ${unit + 1}`);
    }
    return found;
  }

  /** Numbers of the units of a part, from 0. */
  unitsOf(part: PartName): Uint32Array {
    const { units, by } = this.manifest;
    if (by === "document") return dealIndices(units, this.split)[part];
    const names = wantedParts(this.split);
    const place = names.indexOf(part);
    const count = place < 0 ? 0 : units / names.length;
    return Uint32Array.from({ length: count }, (_, i) => i * names.length + place);
  }

  #read(ranges: Iterable<readonly [start: number, end: number]>, length: number): Uint32Array {
    const { bytesPerToken } = this.manifest;
    const ids = bytesPerToken === 2 ? new Uint16Array(length) : new Uint32Array(length);
    const bytes = new Uint8Array(ids.buffer);
    const file = openSync(this.path, "r");
    try {
      let filled = 0;
      for (const [start, end] of ranges) {
        const wanted = (end - start) * bytesPerToken;
        for (let done = 0; done < wanted; ) {
          const read = readSync(file, bytes, filled + done, wanted - done, start * bytesPerToken + done);
          if (read === 0) throw this.#cutShort();
          done += read;
        }
        filled += wanted;
      }
    } finally {
      closeSync(file);
    }
    return ids instanceof Uint32Array ? ids : Uint32Array.from(ids);
  }

  #cutShort(): Error {
    const found = "a file that was cut short";
    const fix = `delete the folder ${dirname(this.path)} and run again`;
    return new Error(problem({ cannot: `read ${this.path}`, found, expected: "all tokens of its manifest", fix }));
  }
}

/** Ranges of one row that make up another row, neighbours joined. */
class Segments {
  length = 0;
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  /** Where each range begins in the row that they make up. */
  readonly #places: number[] = [];

  add(start: number, end: number): void {
    if (this.#ends.at(-1) === start) this.#ends[this.#ends.length - 1] = end;
    else {
      this.#starts.push(start);
      this.#ends.push(end);
      this.#places.push(this.length);
    }
    this.length += end - start;
  }

  *within(from: number, to: number): Generator<[start: number, end: number]> {
    let low = 0;
    let high = this.#places.length;
    // The last range that begins at `from` or before.
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#places[middle] ?? 0) <= from) low = middle;
      else high = middle;
    }
    for (let i = low; i < this.#places.length; i++) {
      const place = this.#places[i] ?? 0;
      if (place >= to) return;
      const shift = (this.#starts[i] ?? 0) - place;
      yield [Math.max(from, place) + shift, Math.min(to + shift, this.#ends[i] ?? 0)];
    }
  }
}

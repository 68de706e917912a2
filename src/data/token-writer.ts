/**
 * Writes the tokens of a stream of texts to a folder. In: a TextSource, a tokenizer, which documents and where to cut them.
 * Out: `tokens.bin` (one row of 16- or 32-bit ids, end-of-text after each unit), `units.bin` (where each unit ends, and its
 * bytes of text) and what was seen on the way. A unit is a document, or a part of one that is cut by position. It never holds
 * more than some ten megabytes of text. Reading them back is token-file.ts' work.
 */
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { Encoder } from "./encode.js";
import { cutNear, cutPlaces, type SplitOptions, tooShort, wantedParts } from "./split.js";
import { DamageTally, type TextSource } from "./text-source.js";
import type { TextPiece } from "./text-stream.js";
import type { Tokenizer } from "./tokenizer.js";

/** How far the writing of a token file is. */
export interface TokenProgress {
  readonly type: "tokenize";
  readonly documents: number;
  readonly tokens: number;
  /** UTF-8 bytes of the text that is encoded. */
  readonly textBytes: number;
}

/** What to write. */
export interface TokenFilePlan {
  /** Characters of each document that is taken, by its number in the source; absent to take all. */
  readonly chosen?: ReadonlySet<number>;
  /** Characters of every document: where there, each is cut into its parts by position. */
  readonly lengths?: readonly number[];
  readonly split: SplitOptions;
  readonly onProgress?: ((progress: TokenProgress) => void) | undefined;
}

/** What was written. */
export interface WrittenTokens {
  readonly units: number;
  readonly tokens: number;
  readonly bytesPerToken: 2 | 4;
  readonly notes: readonly string[];
}

/** Name of the row of tokens. */
export const TOKENS = "tokens.bin";
/** Name of the list of units: pairs of 64-bit floats, the token after the unit's end and its bytes of text. */
export const UNITS = "units.bin";

const BUFFERED_TOKENS = 1 << 20;
const PROGRESS_BYTES = 1 << 20;
// Encoded at once: enough for threads to be worth their start (encode.ts), little enough to hold.
const BATCH_CHARACTERS = 4_000_000;

/** Writes the two files into a folder. */
export async function writeTokens(
  folder: string,
  source: TextSource,
  tokenizer: Tokenizer,
  plan: TokenFilePlan,
): Promise<WrittenTokens> {
  const bytesPerToken = tokenizer.vocabularySize <= 1 << 16 ? 2 : 4;
  const damage = new DamageTally();
  const writer = await TokenWriter.open(folder, bytesPerToken);
  const encoder = new Encoder(tokenizer);
  let documents = 0;
  let said = 0;
  try {
    for await (const batch of batchesOf(unitsOf(source, plan, damage))) {
      const texts = batch.map(({ text }) => text);
      const sizes = texts.map((text) => Buffer.byteLength(text, "utf8"));
      const bytes = sizes.reduce((sum, size) => sum + size, 0);
      const onProgress = (done: number, total: number) => {
        const textBytes = writer.allBytes + Math.round((bytes * done) / Math.max(1, total));
        if (textBytes - said < PROGRESS_BYTES) return;
        said = textBytes;
        plan.onProgress?.({ type: "tokenize", documents, tokens: writer.tokens, textBytes });
      };
      const encoded = await encoder.encode(texts, onProgress);
      for (const [i, { isLast, document }] of batch.entries()) {
        await writer.write(encoded[i] as Uint32Array);
        writer.textBytes += sizes[i] as number;
        if (isLast) await writer.endUnit(tokenizer.endOfTextId);
        documents = document + 1;
      }
    }
    const written = { units: writer.units, tokens: writer.tokens, bytesPerToken } as const;
    await writer.finish();
    plan.onProgress?.({ type: "tokenize", documents, tokens: written.tokens, textBytes: writer.allBytes });
    return { ...written, notes: damage.notes() };
  } finally {
    await encoder.close();
    await writer.close();
  }
}

/** A unit, or a part of a long one. */
export interface UnitPiece {
  /** Its document's. */
  readonly id: string;
  readonly text: string;
  /** Whether the unit ends with it. */
  readonly isLast: boolean;
  /** Number of its document in the source. */
  readonly document: number;
}

async function* batchesOf(pieces: AsyncIterable<UnitPiece>): AsyncGenerator<UnitPiece[]> {
  let batch: UnitPiece[] = [];
  let characters = 0;
  for await (const piece of pieces) {
    batch.push(piece);
    characters += piece.text.length;
    if (characters < BATCH_CHARACTERS) continue;
    yield batch;
    batch = [];
    characters = 0;
  }
  if (batch.length > 0) yield batch;
}

/** Every unit of a source, in order. */
export async function* unitsOf(
  source: TextSource,
  plan: TokenFilePlan,
  damage: DamageTally,
): AsyncGenerator<UnitPiece> {
  let document = 0;
  let cutter: Cutter | undefined;
  for await (const piece of source.pieces()) {
    if (plan.chosen === undefined || plan.chosen.has(document)) {
      damage.add(piece);
      if (plan.lengths === undefined) yield { ...piece, document };
      else {
        cutter ??= new Cutter(piece.id, plan.lengths[document] ?? 0, plan.split);
        for (const unit of cutter.push(piece)) yield { ...unit, id: piece.id, document };
      }
    }
    if (!piece.isLast) continue;
    cutter = undefined;
    document++;
  }
}

/** Cuts one streamed document as `splitDataset` cuts one in memory, holding only what lies around the next cut. */
class Cutter {
  readonly #places: readonly number[];
  readonly #reach: number;
  readonly #names: ReturnType<typeof wantedParts>;
  #held: string[] = [];
  #heldStart = 0;
  #heldEnd = 0;
  #part = 0;
  #isBlank = true;

  constructor(
    private readonly id: string,
    private readonly length: number,
    split: SplitOptions,
  ) {
    const { places, reach } = cutPlaces(length, split);
    this.#places = places;
    this.#reach = reach;
    this.#names = wantedParts(split);
  }

  *push({ text, isLast }: TextPiece): Generator<{ text: string; isLast: boolean }> {
    this.#held.push(text);
    this.#heldEnd += text.length;
    for (let place = this.#places[this.#part]; place !== undefined; place = this.#places[this.#part]) {
      yield* this.#release(place - this.#reach);
      if (this.#heldEnd < place + this.#reach && !isLast) return;
      const whole = this.#held.join("");
      const cut = cutNear(whole, place - this.#heldStart, this.#reach);
      yield this.#unit(whole.slice(0, cut), true);
      this.#held = [whole.slice(cut)];
      this.#heldStart += cut;
      this.#part++;
    }
    yield* this.#release(Number.POSITIVE_INFINITY, isLast ? 1 : 0);
    if (isLast) yield this.#unit(this.#held.join(""), true);
  }

  // Whole pieces that end before the next cut can begin; pieces end where tokens do.
  *#release(end: number, keep = 0): Generator<{ text: string; isLast: boolean }> {
    while (this.#held.length > keep && this.#heldStart + (this.#held[0]?.length ?? 0) <= end) {
      const text = this.#held.shift() ?? "";
      this.#heldStart += text.length;
      if (text !== "") yield this.#unit(text, false);
    }
  }

  #unit(text: string, isLast: boolean): { text: string; isLast: boolean } {
    this.#isBlank &&= text.trim() === "";
    if (isLast) {
      if (this.#isBlank) throw tooShort(this.#names[this.#part] ?? "train", this.id, this.length);
      this.#isBlank = true;
    }
    return { text, isLast };
  }
}

class TokenWriter {
  tokens = 0;
  units = 0;
  textBytes = 0;
  allBytes = 0;
  readonly #row: Uint16Array | Uint32Array;
  #filled = 0;
  #ends: number[] = [];

  private constructor(
    private readonly tokenFile: FileHandle,
    private readonly unitFile: FileHandle,
    bytesPerToken: 2 | 4,
  ) {
    this.#row = bytesPerToken === 2 ? new Uint16Array(BUFFERED_TOKENS) : new Uint32Array(BUFFERED_TOKENS);
  }

  static async open(folder: string, bytesPerToken: 2 | 4): Promise<TokenWriter> {
    const [tokens, units] = [await open(join(folder, TOKENS), "w"), await open(join(folder, UNITS), "w")];
    return new TokenWriter(tokens, units, bytesPerToken);
  }

  async write(ids: Uint32Array): Promise<void> {
    for (let done = 0; done < ids.length; ) {
      const part = ids.subarray(done, done + this.#row.length - this.#filled);
      this.#row.set(part, this.#filled);
      this.#filled += part.length;
      done += part.length;
      if (this.#filled === this.#row.length) await this.#flushTokens();
    }
    this.tokens += ids.length;
  }

  async endUnit(endOfTextId: number): Promise<void> {
    await this.write(Uint32Array.of(endOfTextId));
    this.units++;
    this.#ends.push(this.tokens, this.textBytes);
    this.allBytes += this.textBytes;
    this.textBytes = 0;
    if (this.#ends.length >= BUFFERED_TOKENS / 8) await this.#flushUnits();
  }

  async finish(): Promise<void> {
    await this.#flushTokens();
    await this.#flushUnits();
  }

  async close(): Promise<void> {
    await this.tokenFile.close();
    await this.unitFile.close();
  }

  async #flushTokens(): Promise<void> {
    const { buffer, BYTES_PER_ELEMENT } = this.#row;
    await this.tokenFile.writeFile(new Uint8Array(buffer, 0, this.#filled * BYTES_PER_ELEMENT));
    this.#filled = 0;
  }

  async #flushUnits(): Promise<void> {
    await this.unitFile.writeFile(new Uint8Array(Float64Array.from(this.#ends).buffer));
    this.#ends = [];
  }
}

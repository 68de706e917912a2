/**
 * Turns text into token ids and back. In: a model folder with a byte-level BPE `tokenizer.json`. Out: a Tokenizer.
 * `@huggingface/tokenizers`, the tokenizer inside `@xenova/transformers`, merges the bytes of a word; this file cuts the words
 * as Python's `tokenizers` does and remembers each word's ids, which makes long texts fast. A special token that stands in a
 * text is encoded as that token.
 */
import * as huggingFace from "@huggingface/tokenizers";
import { problem } from "../message.js";
import { characterBytes, toByteCharacters, wordPattern } from "./byte-level.js";
import type { PreTokenizer } from "./pre-tokenizer.js";
import { readTokenizer, type TokenizerParts } from "./tokenizer-file.js";

// Its type files import each other without file endings, which Node's module resolution cannot follow: this is what we use.
const { BPE } = huggingFace as unknown as { BPE: new (config: BpeConfig) => Bpe };
interface Bpe {
  encode(words: readonly string[]): string[];
}
interface BpeConfig {
  readonly type: "BPE";
  readonly vocab: TokenizerParts["vocabulary"];
  readonly merges: TokenizerParts["merges"];
  readonly ignore_merges: boolean;
}

/** A loaded vocabulary. */
export interface Tokenizer {
  /** The folder it was loaded from. */
  readonly folder: string;
  /** Tokens in all, added ones included: ids run from 0 to vocabularySize - 1. */
  readonly vocabularySize: number;
  readonly endOfTextId: number;
  /** SHA-256 of the `tokenizer.json` file, in hexadecimal. */
  readonly sha256: string;
  /** Text to ids; nothing is added at either end. A lone surrogate counts as U+FFFD. */
  encode(text: string): Uint32Array;
  /** UTF-8 bytes of a token, which may be part of a character. Throws RangeError for an unknown id. */
  bytesOf(id: number): Uint8Array;
  /** Ids to text, special tokens included; bytes that are no UTF-8 become U+FFFD. Throws RangeError for an unknown id. */
  decode(ids: ArrayLike<number>): string;
}

/**
 * Loads the tokenizer of a model folder.
 *
 * @param folder Holds `tokenizer.json`; `tokenizer_config.json` names the end-of-text token (default `<|endoftext|>`).
 * @throws {Error} When the file is missing.
 * @throws {SyntaxError} When it is not JSON.
 * @throws {TypeError} When it is not GPT-2's kind of tokenizer, or has no end-of-text token.
 * @example
 * const tokenizer = await loadTokenizer("models/fledge-base");
 * tokenizer.decode(tokenizer.encode("Fellow citizens")); // "Fellow citizens"
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  return new ByteLevelTokenizer(folder, await readTokenizer(folder));
}

class ByteLevelTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly endOfTextId: number;
  readonly sha256: string;
  readonly #bpe: Bpe;
  readonly #preTokenizer: PreTokenizer;
  readonly #added: RegExp | undefined;
  readonly #idOf: ReadonlyMap<string, number>;
  readonly #bytesOf: readonly (Uint8Array | undefined)[];
  readonly #idsOfWord = new Map<string, readonly number[]>();

  constructor(
    readonly folder: string,
    { vocabulary, merges, ignoreMerges, preTokenizer, addedTokens, endOfTextId, sha256 }: TokenizerParts,
  ) {
    this.#bpe = new BPE({ type: "BPE", vocab: vocabulary, merges, ignore_merges: ignoreMerges });
    this.#preTokenizer = preTokenizer;
    // The longest first, as where one added token begins another.
    const added = addedTokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
    this.#added = added.length > 0 ? new RegExp(`(${added.map(escapePattern).join("|")})`, "u") : undefined;
    const bytesOf: Uint8Array[] = [];
    for (const [token, id] of Object.entries(vocabulary)) {
      bytesOf[id] = Uint8Array.from(token, (character) => characterBytes.get(character) ?? 0);
    }
    for (const { content, id } of addedTokens) bytesOf[id] = Buffer.from(content, "utf8");
    this.#bytesOf = bytesOf;
    this.#idOf = new Map([
      ...Object.entries(vocabulary),
      ...addedTokens.map(({ content, id }) => [content, id] as const),
    ]);
    this.vocabularySize = bytesOf.length;
    this.endOfTextId = endOfTextId;
    this.sha256 = sha256;
  }

  encode(text: string): Uint32Array {
    const ids = new GrowingIds(Math.ceil(text.length / 3));
    // Split by a pattern with one group, odd parts are the added tokens themselves.
    const parts = this.#added ? text.split(this.#added) : [text];
    parts.forEach((part, i) => {
      if (i % 2 === 1) ids.push(this.#idOf.get(part) ?? 0);
      else this.#encodePlain(part, ids);
    });
    return ids.toArray();
  }

  bytesOf(id: number): Uint8Array {
    const bytes = this.#bytesOf[id];
    if (bytes) return bytes;
    throw new RangeError(
      problem({
        cannot: "decode tokens",
        found: `id ${id}`,
        expected: `integers from 0 to ${this.vocabularySize - 1}`,
        fix: "decode with the tokenizer that encoded the text",
      }),
    );
  }

  decode(ids: ArrayLike<number>): string {
    const parts = Array.from(ids, (id) => this.bytesOf(id));
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  }

  #encodePlain(text: string, ids: GrowingIds): void {
    const { normalize, cutters } = this.#preTokenizer;
    const [cutter, ...finer] = cutters as [RegExp, ...RegExp[]];
    for (const piece of cut(normalize ? text.normalize(normalize) : text, cutter)) {
      for (const word of finer.reduce<string[]>((pieces, next) => pieces.flatMap((part) => cut(part, next)), [piece])) {
        ids.pushAll(this.#idsOfWord.get(word) ?? this.#encodeWord(word));
      }
    }
  }

  #encodeWord(word: string): readonly number[] {
    const ids = this.#bpe.encode([toByteCharacters(word)]).map((token) => this.#idOf.get(token) ?? 0);
    if (word.length <= longestCachedWord && this.#idsOfWord.size < mostCachedWords) {
      // A copy: a slice of a text would keep the whole text in memory.
      this.#idsOfWord.set(Buffer.from(word, "utf16le").toString("utf16le"), ids);
    }
    return ids;
  }
}

// About 100 MB at the worst; the words of 10 MB of English fill a tenth.
const mostCachedWords = 500_000;
const longestCachedWord = 64;

class GrowingIds {
  #ids: Uint32Array;
  #length = 0;

  constructor(capacity: number) {
    this.#ids = new Uint32Array(Math.max(16, capacity));
  }

  push(id: number): void {
    if (this.#length === this.#ids.length) {
      const larger = new Uint32Array(this.#ids.length * 2);
      larger.set(this.#ids);
      this.#ids = larger;
    }
    this.#ids[this.#length++] = id;
  }

  pushAll(ids: readonly number[]): void {
    for (const id of ids) this.push(id);
  }

  toArray(): Uint32Array {
    return this.#ids.slice(0, this.#length);
  }
}

// Matches and what lies between them, in order.
function cut(text: string, cutter: RegExp): string[] {
  if (cutter === wordPattern) return text.match(cutter) ?? []; // nothing lies between
  const pieces: string[] = [];
  let end = 0;
  for (const { 0: match, index } of text.matchAll(cutter)) {
    if (index > end) pieces.push(text.slice(end, index));
    if (match !== "") pieces.push(match);
    end = index + match.length;
  }
  if (end < text.length) pieces.push(text.slice(end));
  return pieces;
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

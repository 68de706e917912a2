/**
 * Turns text into token ids and back. In: a folder with a byte-level BPE `tokenizer.json` (the GPT-2 family's form). Out: a
 * Tokenizer. `@huggingface/tokenizers`, the tokenizer inside `@xenova/transformers`, reads the file and merges bytes; this
 * file cuts the words and remembers each word's ids, which makes long texts fast. Special tokens found in a text are encoded as such.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Tokenizer as HuggingFaceTokenizer } from "@huggingface/tokenizers";
import { problem } from "../message.js";
import { characterBytes, toByteCharacters, wordPattern } from "./byte-level.js";

/** A loaded vocabulary. */
export interface Tokenizer {
  /** Tokens in all, added ones included: ids run from 0 to vocabularySize - 1. */
  readonly vocabularySize: number;
  readonly endOfTextId: number;
  /** SHA-256 of the `tokenizer.json` file, in hexadecimal. */
  readonly sha256: string;
  /** Text to ids; nothing is added at either end. A lone surrogate counts as U+FFFD. */
  encode(text: string): Uint32Array;
  /** Ids to text, special tokens included; bytes that are no UTF-8 become U+FFFD. Throws RangeError for an unknown id. */
  decode(ids: ArrayLike<number>): string;
}

// The parts of tokenizer.json that decide whether this file can stand for it.
interface TokenizerJson {
  readonly model?: {
    readonly type?: string;
    readonly vocab?: Record<string, number>;
    readonly merges?: readonly unknown[];
  };
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: {
    readonly type?: string;
    readonly add_prefix_space?: boolean;
    readonly use_regex?: boolean;
  } | null;
  readonly added_tokens?: readonly AddedToken[];
}

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
  readonly single_word?: boolean;
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
  const path = join(folder, "tokenizer.json");
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      problem({
        cannot: `load a tokenizer from "${folder}"`,
        found: error.code === "ENOENT" ? "no tokenizer.json there" : `tokenizer.json cannot be read (${error.code})`,
        expected: "a model folder with a readable tokenizer.json",
        fix: `give the folder that holds config.json and tokenizer.json`,
      }),
      { cause: error },
    );
  });
  const json = parse(bytes.toString("utf8"), path);
  const config = await readConfig(folder);
  refuseOtherKinds(json, path);

  const addedTokens = json.added_tokens ?? [];
  const vocabulary = new Map(Object.entries(json.model?.vocab ?? {}));
  for (const { content, id } of addedTokens) vocabulary.set(content, id);
  const endOfText = nameOf(config.eos_token) ?? "<|endoftext|>";
  const endOfTextId = vocabulary.get(endOfText);
  if (endOfTextId === undefined) {
    throw new TypeError(
      problem({
        cannot: `load tokenizer "${path}"`,
        found: `no token ${endOfText}`,
        expected: "an end-of-text token, which parts the documents",
        fix: "name it as eos_token in tokenizer_config.json",
      }),
    );
  }
  return new ByteLevelTokenizer(
    json,
    vocabulary,
    addedTokens,
    endOfTextId,
    createHash("sha256").update(bytes).digest("hex"),
  );
}

class ByteLevelTokenizer implements Tokenizer {
  readonly vocabularySize: number;
  readonly endOfTextId: number;
  readonly sha256: string;
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #bytesOf: readonly (Uint8Array | undefined)[];
  readonly #added: RegExp | undefined;
  readonly #merge: (word: string) => string[];
  readonly #idsOf = new Map<string, readonly number[]>();

  constructor(
    json: TokenizerJson,
    vocabulary: ReadonlyMap<string, number>,
    addedTokens: readonly AddedToken[],
    endOfTextId: number,
    sha256: string,
  ) {
    const { model } = new HuggingFaceTokenizer(json, {});
    this.#merge = (word) => model?.encode([word]) ?? [];
    this.#vocabulary = vocabulary;
    this.#bytesOf = byteTable(vocabulary, addedTokens);
    // The longest first, as where one added token begins another.
    const contents = addedTokens.map(({ content }) => content).sort((a, b) => b.length - a.length);
    this.#added = contents.length > 0 ? new RegExp(`(${contents.map(escapePattern).join("|")})`, "u") : undefined;
    this.vocabularySize = this.#bytesOf.length;
    this.endOfTextId = endOfTextId;
    this.sha256 = sha256;
  }

  encode(text: string): Uint32Array {
    const ids = new GrowingIds(Math.ceil(text.length / 3));
    // Split by a pattern with one group, odd parts are the added tokens themselves.
    const parts = this.#added ? text.split(this.#added) : [text];
    parts.forEach((part, i) => {
      if (i % 2 === 1) ids.push(this.#vocabulary.get(part) ?? 0);
      else
        for (const word of part.match(wordPattern) ?? []) ids.pushAll(this.#idsOf.get(word) ?? this.#encodeWord(word));
    });
    return ids.toArray();
  }

  decode(ids: ArrayLike<number>): string {
    const parts = Array.from(ids, (id) => {
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
    });
    return new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.concat(parts));
  }

  #encodeWord(word: string): readonly number[] {
    const ids = this.#merge(toByteCharacters(word)).map((token) => this.#vocabulary.get(token) ?? 0);
    if (word.length <= longestCachedWord && this.#idsOf.size < mostCachedWords) {
      // A copy: a slice of a text would keep the whole text in memory.
      this.#idsOf.set(Buffer.from(word, "utf16le").toString("utf16le"), ids);
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

function byteTable(
  vocabulary: ReadonlyMap<string, number>,
  addedTokens: readonly AddedToken[],
): (Uint8Array | undefined)[] {
  const added = new Set(addedTokens.map(({ content }) => content));
  const size = Math.max(...vocabulary.values()) + 1;
  const table: (Uint8Array | undefined)[] = new Array(size).fill(undefined);
  for (const [token, id] of vocabulary) {
    table[id] = added.has(token)
      ? Buffer.from(token, "utf8")
      : Uint8Array.from(token, (character) => characterBytes.get(character) ?? 0);
  }
  return table;
}

function parse(text: string, path: string): TokenizerJson {
  try {
    return JSON.parse(text) as TokenizerJson;
  } catch (error) {
    throw new SyntaxError(
      problem({
        cannot: `load tokenizer "${path}"`,
        found: (error as Error).message,
        expected: "JSON",
        fix: "copy the file again from its model",
      }),
      { cause: error },
    );
  }
}

async function readConfig(folder: string): Promise<{ readonly eos_token?: unknown }> {
  const path = join(folder, "tokenizer_config.json");
  const text = await readFile(path, "utf8").catch(() => "{}");
  return parse(text, path) as { eos_token?: unknown };
}

// Older files write a special token as an object with its content.
function nameOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

function refuseOtherKinds(json: TokenizerJson, path: string): void {
  const { model, normalizer, pre_tokenizer: pre, added_tokens: added = [] } = json;
  const found =
    model?.type !== undefined && model.type !== "BPE"
      ? `model type ${model.type}`
      : !model?.vocab || !model.merges
        ? "no vocabulary with merges"
        : normalizer
          ? "a normalizer"
          : pre?.type !== "ByteLevel" || pre.use_regex === false
            ? `pre-tokenizer ${pre?.type ?? "none"}`
            : pre.add_prefix_space
              ? "add_prefix_space true"
              : added.some((token) => token.lstrip || token.rstrip || token.single_word)
                ? "added tokens that strip space or match single words"
                : undefined;
  if (found === undefined) return;
  throw new TypeError(
    problem({
      cannot: `load tokenizer "${path}"`,
      found,
      expected: "GPT-2's kind: byte-level BPE, pre-tokenizer ByteLevel without prefix space",
      fix: "use a model of the GPT-2 family",
    }),
  );
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/**
 * Learns a byte-level BPE vocabulary from text. In: texts and a size. Out: the content of a Hugging Face `tokenizer.json`,
 * which Python's `tokenizers` and transformers.js read as they stand. It reads no files and encodes nothing.
 * Sources: Sennrich et al. 2016 (byte-pair encoding), Radford et al. 2019 (bytes as alphabet). Ties between pairs go to the
 * lower token ids, as in Hugging Face's trainer, so that the same text always gives the same vocabulary.
 */
import { problem } from "../message.js";
import { byteCharacters, toByteCharacters, wordPattern } from "./byte-level.js";
import type { TokenizerFile } from "./tokenizer-file.js";

/**
 * Trains a byte-level BPE tokenizer.
 *
 * @param texts Texts to learn from; read once, never kept.
 * @param options `vocabularySize`: tokens in all, 256 bytes, the merges, and end-of-text as the last id, at least 257;
 *   `endOfText`: the end-of-text token, default `<|endoftext|>`
 * @returns The content of a `tokenizer.json`; equal texts give equal content.
 * @throws {RangeError} When the size is out of range or the texts hold too few repeated pairs to reach it.
 * @example
 * const file = trainTokenizer(["low lower lowest"], { vocabularySize: 259 });
 * file.model.merges; // ["l o", "lo w"]
 */
export function trainTokenizer(
  texts: Iterable<string>,
  options: { readonly vocabularySize: number; readonly endOfText?: string },
): TokenizerFile {
  const { vocabularySize, endOfText = "<|endoftext|>" } = options;
  if (!Number.isInteger(vocabularySize) || vocabularySize < 257 || vocabularySize > 1_000_000) {
    throw new RangeError(
      problem({
        cannot: "train a tokenizer",
        found: `vocabularySize ${vocabularySize}`,
        expected: "an integer from 257 (256 bytes and end-of-text) to 1,000,000",
        fix: "set vocabularySize: 4096",
      }),
    );
  }
  const tokens = alphabetInIdOrder();
  const merges = learnMerges(countWords(texts), tokens, vocabularySize - 1 - tokens.length);
  if (tokens.length < vocabularySize - 1) {
    throw new RangeError(
      problem({
        cannot: `train a tokenizer of ${vocabularySize} tokens`,
        found: `only ${tokens.length + 1} can be learned from this text`,
        expected: "more text, in which more pairs occur twice",
        fix: `set vocabularySize: ${tokens.length + 1} or give more text`,
      }),
    );
  }
  tokens.push(endOfText);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: [
      {
        id: vocabularySize - 1,
        content: endOfText,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: "",
      end_of_word_suffix: "",
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

// GPT-2's order: by code point of the character that stands for the byte.
function alphabetInIdOrder(): string[] {
  return [...byteCharacters].sort();
}

function countWords(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of text.match(wordPattern) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

// A pair of ids as one Map key; exact below 2^53 because ids stay below 2^20.
const pairBase = 2 ** 20;

/** Appends each learned token to `tokens` and returns the merges, most frequent pair first. */
function learnMerges(wordCounts: ReadonlyMap<string, number>, tokens: string[], limit: number): string[] {
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words: number[][] = [];
  const counts: number[] = [];
  for (const [word, count] of wordCounts) {
    words.push(Array.from(toByteCharacters(word), (character) => idOf.get(character) ?? 0));
    counts.push(count);
  }

  const pairCounts = new Map<number, number>();
  const pairWords = new Map<number, Set<number>>();
  const note = (key: number, word: number, change: number) => {
    pairCounts.set(key, (pairCounts.get(key) ?? 0) + change);
    if (change < 0) return;
    const where = pairWords.get(key);
    if (where) where.add(word);
    else pairWords.set(key, new Set([word]));
  };
  words.forEach((ids, word) => {
    for (let i = 0; i + 1 < ids.length; i++) note(pairKey(ids, i), word, counts[word] ?? 0);
  });

  const queue = new PairQueue();
  for (const [key, count] of pairCounts) queue.push(key, count);
  const merges: string[] = [];
  while (merges.length < limit) {
    const top = queue.pop();
    if (!top || top.count < 2) break;
    const current = pairCounts.get(top.key) ?? 0;
    if (current !== top.count) {
      if (current > 0) queue.push(top.key, current);
      continue;
    }
    const left = Math.floor(top.key / pairBase);
    const right = top.key % pairBase;
    const merged = tokens.length;
    tokens.push(`${tokens[left]}${tokens[right]}`);
    merges.push(`${tokens[left]} ${tokens[right]}`);

    const fresh = new Set<number>();
    for (const word of pairWords.get(top.key) ?? []) {
      const count = counts[word] ?? 0;
      mergeWord(words[word] ?? [], left, right, merged, (key, change) => {
        note(key, word, change * count);
        if (change > 0) fresh.add(key);
      });
    }
    pairCounts.delete(top.key);
    pairWords.delete(top.key);
    for (const key of fresh) {
      const count = pairCounts.get(key) ?? 0;
      if (count > 0) queue.push(key, count);
    }
  }
  return merges;
}

function pairKey(ids: readonly number[], i: number): number {
  return (ids[i] ?? 0) * pairBase + (ids[i + 1] ?? 0);
}

// Replaces each `left right` by `merged` from left to right, telling which neighbouring pairs went and came.
function mergeWord(
  ids: number[],
  left: number,
  right: number,
  merged: number,
  onChange: (key: number, change: 1 | -1) => void,
): void {
  for (let i = 0; i + 1 < ids.length; i++) {
    if (ids[i] !== left || ids[i + 1] !== right) continue;
    if (i > 0) onChange(pairKey(ids, i - 1), -1);
    if (i + 2 < ids.length) onChange(pairKey(ids, i + 1), -1);
    ids.splice(i, 2, merged);
    if (i > 0) onChange(pairKey(ids, i - 1), 1);
    if (i + 1 < ids.length) onChange(pairKey(ids, i), 1);
  }
}

/** Binary heap: the highest count first, the lowest pair of ids among equals. */
class PairQueue {
  readonly #keys: number[] = [];
  readonly #counts: number[] = [];

  push(key: number, count: number): void {
    let i = this.#keys.length;
    this.#keys.push(key);
    this.#counts.push(count);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) break;
      this.#swap(i, parent);
      i = parent;
    }
  }

  pop(): { key: number; count: number } | undefined {
    const last = this.#keys.length - 1;
    if (last < 0) return undefined;
    this.#swap(0, last);
    const key = this.#keys.pop() ?? 0;
    const count = this.#counts.pop() ?? 0;
    for (let i = 0; ; ) {
      const child = 2 * i + 2 < last && this.#before(2 * i + 2, 2 * i + 1) ? 2 * i + 2 : 2 * i + 1;
      if (child >= last || !this.#before(child, i)) break;
      this.#swap(i, child);
      i = child;
    }
    return { key, count };
  }

  #before(i: number, j: number): boolean {
    const difference = (this.#counts[i] ?? 0) - (this.#counts[j] ?? 0);
    return difference > 0 || (difference === 0 && (this.#keys[i] ?? 0) < (this.#keys[j] ?? 0));
  }

  #swap(i: number, j: number): void {
    const key = this.#keys[i] ?? 0;
    const count = this.#counts[i] ?? 0;
    this.#keys[i] = this.#keys[j] ?? 0;
    this.#counts[i] = this.#counts[j] ?? 0;
    this.#keys[j] = key;
    this.#counts[j] = count;
  }
}

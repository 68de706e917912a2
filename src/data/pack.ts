/**
 * Joins documents into one row of tokens and cuts it into full blocks. In: documents, a tokenizer, a block size T. Out:
 * PackedBlocks of T+1 tokens each: T inputs and, one place on, T targets. End-of-text follows every document and is learned
 * like any token; nothing is padded. Only the tokens after the last full block are dropped, and counted. Whether attention
 * may cross from one document of a block to the next is the packer's choice, and travels with the blocks.
 */
import { problem } from "../message.js";
import type { Document } from "./dataset.js";
import type { Tokenizer } from "./tokenizer.js";

/** Documents as blocks of equal length, in memory or on disk. */
export interface PackedBlocks {
  /** T: inputs of a block. */
  readonly blockSize: number;
  readonly count: number;
  /** Tokens after the last full block, which are in no block. */
  readonly droppedTokens: number;
  /** UTF-8 bytes of the documents' text. */
  readonly textBytes: number;
  /** Tokens of the documents with an end-of-text each: `count * blockSize + 1 + droppedTokens`. */
  readonly sourceTokens: number;
  /** Id of the token that ends a document, where attention stays inside each document; absent where it crosses them. */
  readonly documentEnd?: number;
  /** Block `i`, T+1 of the tokens: `i*T .. i*T+T`; its last token is the first of the next block. */
  block(i: number): Uint32Array;
  /** Ids of the documents that block `i` has tokens of, in order. */
  documentsOf(i: number): string[];
}

/** Blocks whose tokens are in memory. */
export interface PackedTokens extends PackedBlocks {
  /** The tokens of all blocks: `count * blockSize + 1` of them; each block is a view of them. */
  readonly tokens: Uint32Array;
}

/** One row of tokens to cut into blocks, wherever it lies. */
export interface TokenRow {
  readonly length: number;
  readonly documents: number;
  readonly textBytes: number;
  readonly endOfTextId: number;
  /** Tokens from `start` to before `end`. */
  read(start: number, end: number): Uint32Array;
  /** Ids of the documents that have tokens from `start` to before `end`. */
  documentsWithin(start: number, end: number): string[];
}

/** How blocks are made. */
export interface PackOptions {
  /**
   * Let no token attend to another document of its block, and count its positions from the start of its own; default
   * false, as GPT-2 was trained.
   */
  readonly separateDocuments?: boolean;
}

/**
 * Packs documents into blocks, encoding each once.
 *
 * @param blockSize T, tokens that a block feeds the model; at least 1, at most the model's positions.
 * @throws {RangeError} When blockSize is no positive integer, or the text is shorter than one block.
 * @example
 * const blocks = packDocuments(split.train.documents, tokenizer, 512);
 * blocks.block(0).length; // 513
 */
export function packDocuments(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  blockSize: number,
  options: PackOptions = {},
): PackedTokens {
  const encoded = documents.map(({ text }) => tokenizer.encode(text));
  const { endOfTextId } = tokenizer;
  const row = new Uint32Array(encoded.reduce((sum, ids) => sum + ids.length + 1, 0));
  const ends = new Float64Array(documents.length); // where each document's tokens end, end-of-text included
  let place = 0;
  encoded.forEach((ids, i) => {
    row.set(ids, place);
    row[place + ids.length] = endOfTextId;
    place += ids.length + 1;
    ends[i] = place;
  });
  const blocks = packRow(
    {
      length: row.length,
      documents: documents.length,
      textBytes: documents.reduce((sum, { text }) => sum + Buffer.byteLength(text, "utf8"), 0),
      endOfTextId,
      read: (start, end) => row.subarray(start, end),
      documentsWithin: (start, end) => {
        const first = ends.findIndex((place) => place > start);
        const last = ends.findIndex((place) => place >= end);
        return documents.slice(first, last + 1).map(({ id }) => id);
      },
    },
    blockSize,
    options,
  );
  return { ...blocks, tokens: row.subarray(0, blocks.count * blockSize + 1) };
}

/**
 * Cuts a row of tokens into blocks: what {@link packDocuments} does once documents are tokens.
 *
 * @throws as {@link packDocuments}
 */
export function packRow(
  row: TokenRow,
  blockSize: number,
  { separateDocuments = false }: PackOptions = {},
): PackedBlocks {
  if (!Number.isInteger(blockSize) || blockSize < 1) {
    throw new RangeError(
      problem({
        cannot: "pack text into blocks",
        found: `blockSize ${blockSize}`,
        expected: "an integer ≥ 1",
        fix: "set blockSize: 512",
      }),
    );
  }
  const { length: sourceTokens, documents, textBytes, endOfTextId } = row;
  const count = Math.max(0, Math.floor((sourceTokens - 1) / blockSize));
  if (count === 0) {
    throw new RangeError(
      problem({
        cannot: "pack text into blocks",
        found: `${sourceTokens.toLocaleString("en")} tokens in ${documents.toLocaleString("en")} ${documents === 1 ? "document" : "documents"}`,
        expected: `at least ${(blockSize + 1).toLocaleString("en")} for one block of ${blockSize.toLocaleString("en")}`,
        fix: sourceTokens > 1 ? `set blockSize: ${sourceTokens - 1} or less, or give more text` : "give some text",
      }),
    );
  }
  return {
    blockSize,
    count,
    droppedTokens: sourceTokens - (count * blockSize + 1),
    textBytes,
    sourceTokens,
    ...(separateDocuments && { documentEnd: endOfTextId }),
    block: (i) => {
      if (Number.isInteger(i) && i >= 0 && i < count) return row.read(i * blockSize, (i + 1) * blockSize + 1);
      throw new RangeError(
        problem({
          cannot: "read a block",
          found: `index ${i}`,
          expected: `an integer from 0 to ${count - 1}`,
          fix: "stay below blocks.count",
        }),
      );
    },
    documentsOf: (i) => row.documentsWithin(i * blockSize, (i + 1) * blockSize + 1),
  };
}

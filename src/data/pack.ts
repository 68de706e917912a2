/**
 * Joins documents into one row of tokens and cuts it into full blocks. In: documents, a tokenizer, a block size T. Out:
 * PackedBlocks of T+1 tokens each: T inputs and, one place on, T targets. End-of-text follows every document and is learned
 * like any token; nothing is padded. Only the tokens after the last full block are dropped, and counted. Whether attention
 * may cross from one document of a block to the next is the packer's choice, and travels with the blocks.
 */
import { problem } from "../message.js";
import type { Document } from "./dataset.js";
import type { Tokenizer } from "./tokenizer.js";

/** Documents as blocks of equal length. */
export interface PackedBlocks {
  /** The tokens of all blocks: `count * blockSize + 1` of them. */
  readonly tokens: Uint32Array;
  /** T: inputs of a block. */
  readonly blockSize: number;
  readonly count: number;
  /** Tokens after the last full block, which are in no block. */
  readonly droppedTokens: number;
  /** UTF-8 bytes of the documents' text. */
  readonly textBytes: number;
  /** Tokens of the documents with an end-of-text each: `tokens.length + droppedTokens`. */
  readonly sourceTokens: number;
  /** Id of the token that ends a document, where attention stays inside each document; absent where it crosses them. */
  readonly documentEnd?: number;
  /** Block `i` [T+1], a view: `tokens[i*T .. i*T+T]`; its last token is the first of the next block. */
  block(i: number): Uint32Array;
  /** Ids of the documents that block `i` has tokens of, in order. */
  documentsOf(i: number): string[];
}

/**
 * Packs documents into blocks, encoding each once.
 *
 * @param blockSize T, tokens that a block feeds the model; at least 1, at most the model's positions.
 * @param options.separateDocuments Let no token attend to another document of its block, and count its positions from the
 *   start of its own; default false, as GPT-2 was trained.
 * @throws {RangeError} When blockSize is no positive integer, or the text is shorter than one block.
 * @example
 * const blocks = packDocuments(split.train.documents, tokenizer, 512);
 * blocks.block(0).length; // 513
 */
export function packDocuments(
  documents: readonly Document[],
  tokenizer: Tokenizer,
  blockSize: number,
  { separateDocuments = false }: { readonly separateDocuments?: boolean } = {},
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
  const encoded = documents.map(({ text }) => tokenizer.encode(text));
  const textBytes = documents.reduce((sum, { text }) => sum + Buffer.byteLength(text, "utf8"), 0);
  const sourceTokens = encoded.reduce((sum, ids) => sum + ids.length + 1, 0);
  const count = Math.max(0, Math.floor((sourceTokens - 1) / blockSize));
  if (count === 0) {
    throw new RangeError(
      problem({
        cannot: "pack text into blocks",
        found: `${sourceTokens.toLocaleString("en")} tokens in ${documents.length.toLocaleString("en")} ${documents.length === 1 ? "document" : "documents"}`,
        expected: `at least ${(blockSize + 1).toLocaleString("en")} for one block of ${blockSize.toLocaleString("en")}`,
        fix: sourceTokens > 1 ? `set blockSize: ${sourceTokens - 1} or less, or give more text` : "give some text",
      }),
    );
  }
  const row = new Uint32Array(sourceTokens);
  const ends = new Float64Array(documents.length); // where each document's tokens end, end-of-text included
  let place = 0;
  encoded.forEach((ids, i) => {
    row.set(ids, place);
    row[place + ids.length] = tokenizer.endOfTextId;
    place += ids.length + 1;
    ends[i] = place;
  });
  const tokens = row.subarray(0, count * blockSize + 1);
  return {
    tokens,
    blockSize,
    count,
    droppedTokens: sourceTokens - tokens.length,
    textBytes,
    sourceTokens,
    ...(separateDocuments && { documentEnd: tokenizer.endOfTextId }),
    block: (i) => {
      if (Number.isInteger(i) && i >= 0 && i < count) return tokens.subarray(i * blockSize, (i + 1) * blockSize + 1);
      throw new RangeError(
        problem({
          cannot: "read a block",
          found: `index ${i}`,
          expected: `an integer from 0 to ${count - 1}`,
          fix: "stay below blocks.count",
        }),
      );
    },
    documentsOf: (i) => {
      const first = ends.findIndex((end) => end > i * blockSize);
      const last = ends.findIndex((end) => end > (i + 1) * blockSize);
      return documents.slice(first, last + 1).map(({ id }) => id);
    },
  };
}

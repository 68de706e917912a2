/**
 * What a block size does to documents: what packing keeps, and what cutting each document at the block size and filling it up
 * (the usual recipe) would throw away. In: tokens of each document, a block size. Out: numbers. It packs nothing (pack.ts).
 */

/** A block size in numbers. */
export interface PackingReport {
  readonly blockSize: number;
  readonly documents: number;
  /** Tokens of the documents with an end-of-text each. */
  readonly tokens: number;
  readonly blocks: number;
  /** Tokens after the last full block: the only ones that are in none. */
  readonly droppedTokens: number;
  /** Share of the tokens that are a target, and so carry loss; the very first has nothing before it. */
  readonly lossShare: number;
  /** End-of-text tokens that are learned. */
  readonly endOfTexts: number;
  /** Documents longer than a block. */
  readonly longDocuments: number;
  /** Tokens that would be lost if each document were cut at the block size. */
  readonly truncatedTokens: number;
  /** Positions that would be filled up if each document had a block of its own, as a share of all positions. */
  readonly paddingShare: number;
}

/**
 * Reports on a block size.
 *
 * @param documentTokens tokens of each document, without end-of-text
 * @param blockSize T, an integer ≥ 1
 * @example
 * reportPacking([600, 30], 512).truncatedTokens; // 89: 600 and an end-of-text, less 512
 */
export function reportPacking(documentTokens: readonly number[], blockSize: number): PackingReport {
  let tokens = 0;
  let longDocuments = 0;
  let truncatedTokens = 0;
  const ends: number[] = [];
  for (const length of documentTokens) {
    tokens += length + 1;
    ends.push(tokens - 1);
    if (length + 1 > blockSize) longDocuments++;
    truncatedTokens += Math.max(0, length + 1 - blockSize);
  }
  const blocks = Math.max(0, Math.floor((tokens - 1) / blockSize));
  const kept = blocks === 0 ? 0 : blocks * blockSize + 1;
  const positions = documentTokens.length * blockSize;
  return {
    blockSize,
    documents: documentTokens.length,
    tokens,
    blocks,
    droppedTokens: tokens - kept,
    lossShare: tokens === 0 ? 0 : (blocks * blockSize) / tokens,
    endOfTexts: ends.filter((place) => place > 0 && place < kept).length,
    longDocuments,
    truncatedTokens,
    paddingShare: positions === 0 ? 0 : (positions - (tokens - truncatedTokens)) / positions,
  };
}

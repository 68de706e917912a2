/**
 * The two conventions every GPT-2 tokenizer shares: how text is cut into words, and how bytes are written as characters.
 * In: text or bytes. Out: words or printable characters. Knows no vocabulary.
 * Sources: Radford et al. 2019 (GPT-2), whose encoder defines both; Hugging Face `tokenizers`, pre-tokenizer ByteLevel.
 */

/**
 * Cuts text into words: contractions, letters, digits, other signs, each with at most one space before it, then white space.
 * Joined again, the words are the text. White space is Unicode's White_Space property, as in Python's `tokenizers`;
 * JavaScript's own `\s` would add U+FEFF and miss U+0085.
 */
export const wordPattern =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** The character that stands for each byte: printable Latin-1 for itself, the other 68 from U+0100 on. */
export const byteCharacters: readonly string[] = alphabet();

/** The byte each of those characters stands for. */
export const characterBytes: ReadonlyMap<string, number> = new Map(
  byteCharacters.map((character, byte) => [character, byte]),
);

/**
 * Writes a text's UTF-8 bytes in the byte alphabet. A lone surrogate, which UTF-8 cannot hold, counts as U+FFFD.
 *
 * @example
 * toByteCharacters(" é"); // "ĠÃ©"
 */
export function toByteCharacters(text: string): string {
  let characters = "";
  for (const byte of Buffer.from(text, "utf8")) characters += byteCharacters[byte];
  return characters;
}

function alphabet(): string[] {
  const isPrintable = (byte: number) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(isPrintable(byte) ? byte : next++));
}

/**
 * What a text is written in, and whether it came through whole. In: text. Out: scripts, a guess at the language, counts of
 * damage. It corrects nothing. `franc-min` guesses the language by its trigrams (Cavnar & Trenkle 1994); 82 languages.
 */

/** Scripts that are told apart; letters of any other count as `other`. */
const scripts = [
  "Latin",
  "Cyrillic",
  "Greek",
  "Han",
  "Hiragana",
  "Katakana",
  "Hangul",
  "Arabic",
  "Hebrew",
  "Devanagari",
  "Bengali",
  "Tamil",
  "Thai",
  "Georgian",
  "Armenian",
  "Ethiopic",
] as const;

const patterns = scripts.map((script) => [script, new RegExp(`\\p{Script=${script}}`, "gu")] as const);

/**
 * Counts letters by script.
 *
 * @returns letters of each script that occurs, the most first; digits, signs and space are of none
 * @example
 * countScripts("Aσ世"); // Map { "Latin" => 1, "Greek" => 1, "Han" => 1 }
 */
export function countScripts(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  // One pass takes out what most texts are made of; the sixteen others read the rest.
  let plain = 0;
  for (const [letters] of text.matchAll(/[A-Za-z]+/g)) plain += letters.length;
  const rest = text.replace(/\p{ASCII}+/gu, "");
  let known = 0;
  for (const [script, pattern] of patterns) {
    const count = countMatches(rest, pattern) + (script === "Latin" ? plain : 0);
    if (count > 0) counts.set(script, count);
    known += count;
  }
  const other = plain + countMatches(rest, /\p{L}/gu) - known;
  if (other > 0) counts.set("other", other);
  return new Map([...counts].sort((a, b) => b[1] - a[1]));
}

// The trigrams of a longer text change the guess no more.
const languageSample = 2_000;

/**
 * Guesses the language of texts.
 *
 * @returns a function from a text to its ISO 639-3 code, `und` where the text is too short or like none that is known
 * @example
 * (await languageGuesser())("Four score and seven years ago our fathers brought forth"); // "eng"
 */
export async function languageGuesser(): Promise<(text: string) => string> {
  const { franc } = await import("franc-min");
  return (text) => franc(text.slice(0, languageSample), { minLength: 40 });
}

/** Signs that a text was damaged on its way. */
export interface Damage {
  /** U+FFFD: bytes that could not be read. */
  readonly replacements: number;
  /** Pairs such as Ã© or â€™: UTF-8 that was read as Latin-1 or Windows-1252. */
  readonly mojibake: number;
  /** Control characters other than tab and line ends. */
  readonly controls: number;
  /** Halves of surrogate pairs. */
  readonly loneSurrogates: number;
}

/** Counts signs of damage. */
export function countDamage(text: string): Damage {
  return {
    replacements: countMatches(text, /\uFFFD/g),
    mojibake: countMatches(text, /[ÂÃ][\u0080-\u00BF]|â€[\u0098-\u009D™œž¦“”˜\u0090-\u009F]|ðŸ|ï»¿/g),
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is counted
    controls: countMatches(text, /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F]/g),
    loneSurrogates: countMatches(text, /\p{Surrogate}/gu),
  };
}

function countMatches(text: string, pattern: RegExp): number {
  let count = 0;
  for (const _ of text.matchAll(pattern)) count++;
  return count;
}

/**
 * The one form of every error message: what could not be done, what was found, what was expected, and the exact fix.
 * In: four plain phrases. Out: one sentence pair. It throws nothing itself; callers choose the error class
 * (TypeError for type or shape, RangeError for value, SyntaxError for a file that cannot be parsed, Error otherwise).
 */

/** The phrases of an error message, each without a final full stop. */
export interface Problem {
  /** What could not be done, as it reads after "Cannot": `load model "gpt3"`. */
  readonly cannot: string;
  /** What was found: `no folder of that name`. */
  readonly found: string;
  /** What was expected, as it reads after "expected": `one of distilgpt2, gpt2`. */
  readonly expected: string;
  /** The exact call, option or command that mends it: `use modelName: "distilgpt2"`. */
  readonly fix: string;
}

/**
 * Words a problem for the person who has to mend it.
 *
 * @returns `Cannot <cannot>: <found>, expected <expected>. Fix: <fix>.`
 * @example
 * problem({ cannot: "use batchSize", found: "0", expected: "an integer ≥ 1", fix: "set batchSize: 4" });
 * // "Cannot use batchSize: 0, expected an integer ≥ 1. Fix: set batchSize: 4."
 */
export function problem({ cannot, found, expected, fix }: Problem): string {
  return `Cannot ${cannot}: ${found}, expected ${expected}. Fix: ${fix}.`;
}

/** Finds the known name closest to a misspelt one (Levenshtein distance), or undefined when none is near. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.max(2, Math.floor(name.length / 3));
  const ranked = known
    .map((candidate) => ({ candidate, distance: levenshtein(name.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best && best.distance <= limit ? best.candidate : undefined;
}

// Levenshtein, V. (1966), one row of the table at a time.
function levenshtein(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

// @ts-check
/**
 * The form of every set-up error, before anything is compiled. In: four plain phrases. Out: an Error whose message is one
 * sentence pair. The words are those of src/message.ts, repeated here because the bootstrap runs before TypeScript does;
 * a test holds the two together.
 */

/** An error that the person at the keyboard can mend: shown as its message alone, without a stack. */
export class SetupError extends Error {
  /** @param {{ cannot: string, found: string, expected: string, fix: string }} problem */
  constructor({ cannot, found, expected, fix }) {
    super(`Cannot ${cannot}: ${found}, expected ${expected}. Fix: ${fix}.`);
    this.name = "SetupError";
  }
}

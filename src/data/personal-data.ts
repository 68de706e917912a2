/**
 * Looks for what should not be learned by heart: addresses, numbers and keys of people and machines. In: text. Out: finds, each
 * masked, so that a report does not spread what it warns of. Patterns catch the usual forms, not every one, and the false
 * find is left to the reader. Sources: the vendors' own documented key prefixes; ISO/IEC 7812-1 (Luhn's check digit).
 */

/** Kinds of personal data that are looked for. */
export const personalDataKinds = ["e-mail", "phone", "key", "card"] as const;
export type PersonalDataKind = (typeof personalDataKinds)[number];

/** One find. */
export interface PersonalData {
  readonly kind: PersonalDataKind;
  /** The first two characters and the length: `ja… (16)`. */
  readonly masked: string;
  /** Where it begins in the text, in UTF-16 units. */
  readonly index: number;
}

const keyForms = [
  "sk-[A-Za-z0-9_-]{20,}", // OpenAI and others
  "hf_[A-Za-z0-9]{30,}", // Hugging Face
  "gh[pousr]_[A-Za-z0-9]{36,}", // GitHub
  "(?:AKIA|ASIA)[A-Z0-9]{16}", // Amazon
  "AIza[A-Za-z0-9_-]{35}", // Google
  "xox[abprs]-[A-Za-z0-9-]{10,}", // Slack
  "eyJ[A-Za-z0-9_-]{10,}\\.eyJ[A-Za-z0-9_-]{10,}\\.[A-Za-z0-9_-]{10,}", // JSON Web Token
  "-----BEGIN [A-Z ]*PRIVATE KEY-----",
];

const patterns: Readonly<Record<PersonalDataKind, RegExp>> = {
  "e-mail": /(?<![\w.+-])[\w.+-]{1,64}@(?:[\w-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])/g,
  // With a country code, or in groups: a bare run of digits is more often a year or an amount.
  phone:
    /(?<![\w.+/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d(?:[ .-]?\d){6,12}|\(?\d{3}\)[ .-]?\d{3}[ .-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?![\w/-])/g,
  key: new RegExp(`(?<![A-Za-z0-9_])(?:${keyForms.join("|")})`, "g"),
  card: /(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])/g,
};

/**
 * Finds personal data.
 *
 * @returns the finds of all kinds, in the order of `personalDataKinds` and then of the text
 * @example
 * findPersonalData("write to ada@example.org"); // [{ kind: "e-mail", masked: "ad… (15)", index: 9 }]
 */
export function findPersonalData(text: string): PersonalData[] {
  return personalDataKinds.flatMap((kind) =>
    [...text.matchAll(patterns[kind])]
      .filter(([found]) => kind !== "card" || hasCheckDigit(found))
      .map(({ 0: found, index }) => ({ kind, masked: `${found.slice(0, 2)}… (${found.length})`, index })),
  );
}

// Luhn 1954: every second digit from the right doubled, digits of the products added up, divisible by ten.
function hasCheckDigit(number: string): boolean {
  const digits = [...number].filter((character) => character >= "0" && character <= "9").map(Number);
  if (new Set(digits).size < 2) return false;
  const sum = digits.reverse().reduce((total, digit, place) => {
    const value = place % 2 === 1 ? digit * 2 : digit;
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

/**
 * What a knob is, and the kinds there are: whole numbers, numbers, switches, choices, texts, lists of texts. In: default,
 * range, unit, reason. Out: a knob that can tell a good value from a bad one and read one from a command line. The table
 * of all knobs is knobs.ts; nothing here knows any of them.
 */

/** One setting of a training run. */
export interface Knob<Value = unknown> {
  /** What it does, one sentence without a full stop. */
  readonly about: string;
  readonly default: Value;
  /** Why this default, or what the knob trades; one phrase without a full stop. */
  readonly reason: string;
  /** What its numbers count: `steps`, `tokens`. */
  readonly unit?: string;
  /** What it takes, as it reads after "expected": `an integer ≥ 1`. */
  readonly range: string;
  /** Its TypeScript type. */
  readonly type: string;
  /** Whether a value of the right type is in range. */
  accepts(value: unknown): boolean;
  /**
   * Reads a value that came as text; what cannot be read comes back as it is, for `accepts` to refuse.
   *
   * @param texts the value as given, more than one when the option was repeated
   */
  parse(texts: readonly string[]): unknown;
}

/** What every knob is given. */
interface About<Value> {
  readonly about: string;
  readonly default: Value;
  readonly reason: string;
  readonly unit?: string;
}

/** A whole number from `least` on. */
export function integer(knob: About<number>, least: number): Knob<number> {
  const accepts = (value: unknown) => typeof value === "number" && Number.isSafeInteger(value) && value >= least;
  return { ...knob, range: `an integer ≥ ${least}`, type: "number", accepts, parse: parseNumber };
}

/**
 * A number.
 *
 * @param range as it reads after "a number": `above 0 and at most 1`
 */
export function number(knob: About<number>, range: string, inRange: (value: number) => boolean): Knob<number> {
  const accepts = (value: unknown) => typeof value === "number" && Number.isFinite(value) && inRange(value);
  return { ...knob, range: `a number ${range}`, type: "number", accepts, parse: parseNumber };
}

/** On or off. */
export function truth(knob: About<boolean>): Knob<boolean> {
  const accepts = (value: unknown) => typeof value === "boolean";
  return { ...knob, range: "true or false", type: "boolean", accepts, parse: parseBoolean };
}

/** On, off, or what suits the machine. */
export function truthOrAuto(knob: About<boolean | "auto">): Knob<boolean | "auto"> {
  const accepts = (value: unknown) => typeof value === "boolean" || value === "auto";
  return { ...knob, range: 'true, false or "auto"', type: 'boolean | "auto"', accepts, parse: parseBoolean };
}

/** One of some words. */
export function choice<const Word extends string>(knob: About<NoInfer<Word>>, words: readonly Word[]): Knob<Word> {
  const quoted = words.map((word) => JSON.stringify(word));
  const accepts = (value: unknown) => typeof value === "string" && words.some((word) => word === value);
  return { ...knob, range: quoted.join(" or "), type: quoted.join(" | "), accepts, parse: last };
}

/** A text that is not empty. */
export function text(knob: About<string>): Knob<string> {
  const accepts = (value: unknown) => typeof value === "string" && value !== "";
  return { ...knob, range: "a text that is not empty", type: "string", accepts, parse: last };
}

/**
 * A list of texts, each not empty; the list may be.
 *
 * @param words what each may be; default: any text
 */
export function texts(knob: About<readonly string[]>, words?: readonly string[]): Knob<readonly string[]> {
  const good = (value: unknown) => typeof value === "string" && value !== "" && (!words || words.includes(value));
  const range = words ? `a list of ${words.map((word) => JSON.stringify(word)).join(", ")}` : "a list of texts";
  const accepts = (value: unknown) => Array.isArray(value) && value.every(good);
  return { ...knob, range, type: "readonly string[]", accepts, parse: parseList };
}

function last(values: readonly string[]): string {
  return values.at(-1) ?? "";
}

function parseNumber(values: readonly string[]): unknown {
  const word = last(values).trim();
  const value = Number(word);
  return word === "" || Number.isNaN(value) ? last(values) : value;
}

function parseBoolean(values: readonly string[]): unknown {
  const word = last(values);
  return word === "true" || word === "1" ? true : word === "false" || word === "0" ? false : word;
}

// One entry each time the option is given, or all of them as JSON: a prompt may hold commas.
function parseList(values: readonly string[]): unknown {
  const [only] = values;
  if (values.length !== 1 || only === undefined || !only.trimStart().startsWith("[")) return values;
  try {
    return JSON.parse(only);
  } catch {
    return values;
  }
}

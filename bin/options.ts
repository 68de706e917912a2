/**
 * The words behind a command that are not knobs. In: the command line, the names of the command's own options. Out: their
 * values, the word that stands alone (a folder), and the rest, which src/config/sources.ts reads as knobs.
 */
import { problem } from "../src/message.js";

/** A command line taken apart. */
export interface OwnOptions<Name extends string> {
  /** Values of the options that take one; "" for a switch that was given. */
  readonly own: Partial<Readonly<Record<Name, string>>>;
  /** The first word, when it is no option. */
  readonly subject?: string;
  /** Everything else, in order. */
  readonly rest: readonly string[];
}

/**
 * Takes a command's own options out of a command line.
 *
 * @param known `value`: the option takes a value; `switch`: it takes none
 * @throws RangeError for an option without its value
 * @example
 * ownOptions(["run", "--config", "a.json", "--seed", "7"], { "--config": "value" }).rest; // ["--seed", "7"]
 */
export function ownOptions<Name extends string>(
  words: readonly string[],
  known: Readonly<Record<Name, "value" | "switch">>,
): OwnOptions<Name> {
  const own: Partial<Record<Name, string>> = {};
  const [first] = words;
  const subject = first !== undefined && !first.startsWith("-") ? first : undefined;
  const rest: string[] = [];
  const given = [...(subject === undefined ? words : words.slice(1))];
  while (given.length > 0) {
    const word = given.shift() as string;
    const [option, ...value] = word.split("=") as [Name, ...string[]];
    if (!Object.hasOwn(known, option)) rest.push(word);
    else if (known[option] === "switch") own[option] = "";
    else {
      const text = value.length > 0 ? value.join("=") : given.shift();
      if (text === undefined || text === "") throw withoutValue(option);
      own[option] = text;
    }
  }
  return { own, ...(subject !== undefined && { subject }), rest };
}

function withoutValue(option: string): RangeError {
  const found = "no value behind it";
  return new RangeError(problem({ cannot: `use ${option}`, found, expected: "one", fix: `write ${option} VALUE` }));
}

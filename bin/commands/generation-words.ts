/**
 * The words that generate, chat and serve share: how a text is drawn. In: a command line. Out: the model's name and options, or an
 * error that names the word. It opens no model.
 */
import { parseArgs } from "node:util";
import type { GenerateOptions } from "../../src/generate/options.js";
import { nearest, problem } from "../../src/message.js";

/** Options that take a number, by their name on the command line. */
const NUMBERS = {
  "max-new-tokens": "maxNewTokens",
  temperature: "temperature",
  "top-k": "topK",
  "top-p": "topP",
  "min-p": "minP",
  "repetition-penalty": "repetitionPenalty",
  "frequency-penalty": "frequencyPenalty",
  "presence-penalty": "presencePenalty",
  "no-repeat-ngram": "noRepeatNgram",
  beams: "beams",
  "length-penalty": "lengthPenalty",
  seed: "seed",
} as const satisfies Record<string, keyof GenerateOptions>;

/** Their help. */
export const samplingHelp = `  --max-new-tokens N       tokens to add at most
  --temperature X          0 the likeliest token, 1 the model's own odds, more is wilder (0.8)
  --top-k N                only the N likeliest tokens; 0 all (0)
  --top-p X                only the likeliest that together reach X (0.95)
  --min-p X                only those at least X times as likely as the likeliest (0)
  --repetition-penalty X   above 1 avoids what is already there (1)
  --frequency-penalty X    makes a token rarer with each time that it was written (0)
  --presence-penalty X     makes a token rarer once it was written (0)
  --no-repeat-ngram N      no run of N tokens twice; 0 allows it (0)
  --seed N                 same seed, same text (42)
  --stop TEXT              end before this text; may be given several times
`;

/** A command line, read. */
export interface Words {
  readonly positionals: readonly string[];
  readonly sampling: GenerateOptions;
  /** Values of the command's own options. */
  readonly own: Readonly<Record<string, string | undefined>>;
  /** Own options without a value that were given. */
  readonly flags: ReadonlySet<string>;
}

/**
 * Reads a command line.
 *
 * @param command for the messages
 * @param words after the command
 * @param own names of the command's own options that take a value
 * @param flags names of those that take none
 * @throws RangeError for an unknown option or a value that is no number
 */
export function readWords(
  command: string,
  words: readonly string[],
  own: readonly string[] = [],
  flags: readonly string[] = [],
): Words {
  const names = [...Object.keys(NUMBERS), "stop", ...own];
  const text = { type: "string" } as const;
  const options = {
    ...Object.fromEntries(names.map((name) => [name, text])),
    ...Object.fromEntries(flags.map((name) => [name, { type: "boolean" } as const])),
    stop: { ...text, multiple: true },
  };
  const { values, positionals, tokens } = parseArgs({
    args: [...words],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    if (!(token.name in options)) {
      const near = nearest(token.name, [...names, ...flags]);
      const fix = near ? `use --${near}` : `run \`fledge help ${command}\``;
      const expected = "an option of this command";
      throw new RangeError(problem({ cannot: `run "${command}"`, found: token.rawName, expected, fix }));
    }
    if (!flags.includes(token.name) && token.value === undefined) {
      const fix = `write --${token.name}=…`;
      throw new RangeError(
        problem({ cannot: `run "${command}"`, found: `--${token.name} without a value`, expected: "a value", fix }),
      );
    }
  }
  const given = values as Readonly<Record<string, string | boolean | string[] | undefined>>;
  const sampling: Record<string, unknown> = {};
  for (const [name, option] of Object.entries(NUMBERS)) {
    const value = given[name];
    if (typeof value === "string") sampling[option] = numberOf(command, name, value);
  }
  if (given.stop) sampling.stop = given.stop;
  return {
    positionals,
    sampling: sampling as GenerateOptions,
    own: Object.fromEntries(own.map((name) => [name, given[name] as string | undefined])),
    flags: new Set(flags.filter((name) => given[name] === true)),
  };
}

/** A number from the command line. */
export function numberOf(command: string, name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isFinite(value)) return value;
  const fix = `run \`fledge help ${command}\``;
  throw new RangeError(problem({ cannot: `use --${name}`, found: JSON.stringify(text), expected: "a number", fix }));
}

/** Drawing for people who did not say how: a little safer than the model's own odds. Beams draw nothing. */
export function withDefaults(sampling: GenerateOptions, maxNewTokens: number): GenerateOptions {
  const drawing = (sampling.beams ?? 1) > 1 ? {} : { temperature: 0.8, topP: 0.95 };
  return { maxNewTokens, ...drawing, ...sampling };
}

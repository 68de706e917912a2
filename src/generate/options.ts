/**
 * Every option of a generation, with its default and check. In: what the caller asked for. Out: the same, complete, or an
 * error that names the option. It generates nothing.
 */
import { problem } from "../message.js";
import { checkSamplingOptions, type SamplingOptions } from "./sampler.js";

/** How a text is continued; the sampling options say how each token is drawn. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens to add at most, ≥ 1; an end-of-text ends it sooner. Default 60. */
  readonly maxNewTokens?: number;
  /** Same seed, same text. Default 42. */
  readonly seed?: number;
  /** The text ends before the first of these. Default none. */
  readonly stop?: string | readonly string[];
  /** Above 1: the likeliest text among that many kept side by side, instead of drawing. Default 1. */
  readonly beams?: number;
  /** With beams: a text's score is divided by its length to this power, so more favours longer ones. Default 1. */
  readonly lengthPenalty?: number;
  /** Tokens with their probabilities, and so many of the likeliest others, 0 … 20. Default: no probabilities. */
  readonly alternatives?: number;
  /** Aborts the generation before its next token; the iterator then throws the signal's reason. */
  readonly signal?: AbortSignal;
}

/** {@link GenerateOptions} with nothing left out. */
export interface ResolvedOptions {
  readonly sampling: SamplingOptions;
  readonly maxNewTokens: number;
  readonly seed: number;
  readonly stops: readonly string[];
  readonly beams: number;
  readonly lengthPenalty: number;
  readonly alternatives: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Completes and checks the options, so that a long generation fails at its start.
 *
 * @throws RangeError for an option out of range, and for one that beams cannot follow
 */
export function resolveOptions(options: GenerateOptions): ResolvedOptions {
  const { maxNewTokens = 60, seed = 42, stop = [], beams = 1, lengthPenalty = 1, alternatives, signal } = options;
  const { temperature, topK, topP, minP, repetitionPenalty, frequencyPenalty, presencePenalty, noRepeatNgram } =
    options;
  const drawing = { temperature, topK, topP, minP };
  const sampling = defined({ ...drawing, repetitionPenalty, frequencyPenalty, presencePenalty, noRepeatNgram });
  checkSamplingOptions(sampling);
  if (!isCount(maxNewTokens, 1)) throw refuse(`maxNewTokens ${maxNewTokens}`, "an integer ≥ 1", "set maxNewTokens: 60");
  if (!Number.isSafeInteger(seed)) throw refuse(`seed ${seed}`, "an integer", "set seed: 42");
  const stops = typeof stop === "string" ? [stop] : stop;
  if (stops.some((text) => text === "")) {
    throw refuse("an empty stop string", "strings of at least one character", "leave stop out, or give it a text");
  }
  if (!isCount(beams, 1) || beams > 64) throw refuse(`beams ${beams}`, "an integer from 1 to 64", "set beams: 4");
  if (!Number.isFinite(lengthPenalty))
    throw refuse(`lengthPenalty ${lengthPenalty}`, "a number", "set lengthPenalty: 1");
  if (alternatives !== undefined && !(isCount(alternatives, 0) && alternatives <= 20)) {
    throw refuse(`alternatives ${alternatives}`, "an integer from 0 to 20", "set alternatives: 5");
  }
  const drawn = Object.keys(defined(drawing)).filter((name) => name !== "temperature" || temperature !== 0);
  if (beams > 1 && drawn.length > 0) {
    throw refuse(
      `beams ${beams} with ${drawn.join(", ")}`,
      "one or the other: a beam search draws nothing",
      `leave ${drawn.join(", ")} out, or set beams: 1`,
    );
  }
  return { sampling, maxNewTokens, seed, stops, beams, lengthPenalty, alternatives, signal };
}

function defined(options: Record<string, number | undefined>): SamplingOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function isCount(value: number, least: number): boolean {
  return Number.isSafeInteger(value) && value >= least;
}

function refuse(found: string, expected: string, fix: string): RangeError {
  return new RangeError(problem({ cannot: "generate text", found, expected, fix }));
}

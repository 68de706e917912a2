/**
 * Choosing the next token. In: logits over the vocabulary, the tokens so far, and how adventurous to be. Out: one token id.
 * Pure functions: random numbers come from the caller. They run no model. Order of steps as in transformers' generate():
 * repetition penalty (Keskar et al. 2019), repeated n-grams, temperature, top-k, top-p (Holtzman et al. 2020), min-p
 * (Nguyen et al. 2024). OpenAI's two penalties follow the first; formula: the API's guide on text generation.
 */
import { problem } from "../message.js";

/** How the next token is chosen. */
export interface SamplingOptions {
  /** Divides the logits: 0 takes the likeliest token, 1 the model's own odds, above 1 flattens them. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens, and those as likely as the last of them; 0 means all. Default 0. */
  readonly topK?: number;
  /** Only the likeliest tokens that together reach this probability, in (0, 1]; 1 means all. Default 1. */
  readonly topP?: number;
  /** Only tokens at least this share as likely as the likeliest, in [0, 1]; 0 means all. Default 0. */
  readonly minP?: number;
  /** Makes tokens that stand in the text less likely: a positive logit is divided by it, a negative one multiplied. Default 1. */
  readonly repetitionPenalty?: number;
  /** Taken from a token's logit for each time that it was written after the prompt; below 0 it invites. Default 0. */
  readonly frequencyPenalty?: number;
  /** Taken once from the logit of each token that was written after the prompt; below 0 it invites. Default 0. */
  readonly presencePenalty?: number;
  /** No run of this many tokens comes twice, the prompt included; 0 allows all. Default 0. */
  readonly noRepeatNgram?: number;
}

/**
 * Draws the next token.
 *
 * @param logits [V], finite or -Infinity for a token that must not come.
 * @param options see {@link SamplingOptions}.
 * @param random gives numbers in [0, 1); called once, and not at all when only one token is left.
 * @param tokens the text so far, prompt included; only the repetition options look at it.
 * @param promptLength how many of the tokens are the prompt, which the penalties of frequency and presence do not count.
 * @returns a token id; of equal logits the lowest id is the likelier when one must go first.
 * @throws RangeError for an option out of range, or logits that are NaN, +Infinity or all -Infinity.
 * @example
 * sampleToken(new Float32Array([0, 5, 1]), { temperature: 0 }, () => 0); // 1
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  random: () => number,
  tokens: readonly number[] = [],
  promptLength = 0,
): number {
  const { ids, probabilities } = tokenProbabilities(logits, options, tokens, promptLength);
  const first = ids[0] ?? 0;
  if (ids.length === 1) return first;
  const target = random();
  let cumulative = 0;
  for (let i = 0; i < ids.length; i++) {
    cumulative += probabilities[i] ?? 0;
    if (target < cumulative) return ids[i] ?? first;
  }
  // Rounding can leave the sum just below 1.
  return ids[probabilities.findLastIndex((probability) => probability > 0)] ?? first;
}

/** The tokens that can come next and their probabilities, which add up to 1. */
export interface TokenProbabilities {
  readonly ids: Uint32Array;
  readonly probabilities: Float64Array;
}

/**
 * The odds from which {@link sampleToken} draws.
 *
 * @returns ids that are left and their probabilities; by falling logit when topP < 1, else by id.
 * @throws as {@link sampleToken} does.
 */
export function tokenProbabilities(
  logits: Float32Array,
  options: SamplingOptions,
  tokens: readonly number[] = [],
  promptLength = 0,
): TokenProbabilities {
  checkSamplingOptions(options);
  const { temperature = 1, topK = 0, topP = 1, minP = 0 } = options;
  const scores = withoutRepetition(logits, tokens, options, promptLength);
  const best = argmax(scores);
  if (temperature === 0) return { ids: Uint32Array.of(best), probabilities: Float64Array.of(1) };
  const max = scores[best] ?? 0;

  // Plain loops: at 50,257 tokens, from() with a function costs ten times as much.
  let ids = new Uint32Array(scores.length);
  for (let id = 0; id < ids.length; id++) ids[id] = id;
  if (topK > 0 && topK < scores.length) {
    ids = atLeast(kthLargest(scores, topK), scores, ids);
  }
  if (topP < 1) ids = nucleus(scores, ids, temperature, topP, max);
  if (minP > 0) {
    ids = atLeast(max + temperature * Math.log(minP), scores, ids);
  }
  return { ids, probabilities: softmax(scores, ids, temperature, max) };
}

/**
 * Logits after the penalties and the ban on repeated n-grams.
 *
 * @param logits [V]; not changed.
 * @param tokens the text so far.
 * @param promptLength how many of them are the prompt.
 * @returns [V]; the same array when none of the options is on.
 */
export function withoutRepetition(
  logits: Float32Array,
  tokens: readonly number[],
  { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, noRepeatNgram = 0 }: SamplingOptions,
  promptLength = 0,
): Float32Array {
  const isOff = repetitionPenalty === 1 && frequencyPenalty === 0 && presencePenalty === 0 && noRepeatNgram === 0;
  if (tokens.length === 0 || isOff) return logits;
  const scores = logits.slice();
  if (repetitionPenalty !== 1) {
    for (const id of new Set(tokens)) {
      const score = scores[id] ?? 0;
      if (id < scores.length) scores[id] = score < 0 ? score * repetitionPenalty : score / repetitionPenalty;
    }
  }
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    const counts = new Map<number, number>();
    for (const id of tokens.slice(promptLength)) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) {
      if (id < scores.length) scores[id] = (scores[id] ?? 0) - count * frequencyPenalty - presencePenalty;
    }
  }
  if (noRepeatNgram > 0) {
    const lead = noRepeatNgram - 1;
    const last = tokens.length - lead;
    for (let begin = 0; begin < last; begin++) {
      let same = true;
      for (let i = 0; i < lead && same; i++) same = tokens[begin + i] === tokens[last + i];
      const banned = tokens[begin + lead];
      if (same && banned !== undefined && banned < scores.length) scores[banned] = -Infinity;
    }
  }
  return scores;
}

/** Refuses sampling options that are out of range, so that a long generation fails at its start. */
export function checkSamplingOptions(options: SamplingOptions): void {
  const { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, noRepeatNgram = 0 } = options;
  const { frequencyPenalty = 0, presencePenalty = 0 } = options;
  const refuse = (name: string, value: number, expected: string, fix: string): RangeError =>
    new RangeError(problem({ cannot: `use ${name}`, found: String(value), expected, fix: `set ${name}: ${fix}` }));
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw refuse("temperature", temperature, "a number of 0 or more", "0.8, or 0 for the likeliest token");
  }
  if (!isCount(topK)) throw refuse("topK", topK, "an integer of 0 or more", "40, or 0 for all");
  if (!(topP > 0 && topP <= 1)) throw refuse("topP", topP, "a number above 0 and at most 1", "0.95, or 1 for all");
  if (!(minP >= 0 && minP <= 1)) throw refuse("minP", minP, "a number from 0 to 1", "0.05, or 0 for all");
  if (!(repetitionPenalty > 0 && repetitionPenalty < Infinity)) {
    throw refuse("repetitionPenalty", repetitionPenalty, "a number above 0", "1.2, or 1 for none");
  }
  for (const [name, value] of Object.entries({ frequencyPenalty, presencePenalty })) {
    if (!Number.isFinite(value)) throw refuse(name, value, "a number", "0.5, or 0 for none");
  }
  if (!isCount(noRepeatNgram)) {
    throw refuse("noRepeatNgram", noRepeatNgram, "an integer of 0 or more", "3, or 0 to allow all");
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

// The lowest id of the largest logit, as torch.argmax; looks at every logit on the way.
function argmax(logits: Float32Array): number {
  let best = 0;
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id] ?? Number.NaN;
    if (Number.isNaN(logit) || logit === Infinity) throw unusable(`logit ${logit} for token ${id}`);
    if (logit > (logits[best] ?? 0)) best = id;
  }
  if (logits.length === 0) throw unusable("no logits");
  if (logits[best] === -Infinity) throw unusable("-Infinity for every token");
  return best;
}

function unusable(found: string): RangeError {
  const fix = "load the model again, or go back to an earlier checkpoint: its weights may have diverged";
  return new RangeError(problem({ cannot: "choose the next token", found, expected: "finite logits", fix }));
}

// Those of the ids whose scores reach the floor; overwrites the array.
function atLeast(floor: number, scores: Float32Array, ids: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  let count = 0;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    if ((scores[id] as number) >= floor) ids[count++] = id;
  }
  return ids.subarray(0, count);
}

// Keeps the k best so far in order. Few logits come among them, so most cost one comparison.
function kthLargest(values: Float32Array, k: number): number {
  const best = values.slice(0, k).sort();
  for (let i = k; i < values.length; i++) {
    const value = values[i] as number;
    if (value <= (best[0] as number)) continue;
    let [low, high] = [1, k];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((best[middle] as number) < value) low = middle + 1;
      else high = middle;
    }
    best.copyWithin(0, 1, low);
    best[low - 1] = value;
  }
  return best[0] as number;
}

// The fewest of the likeliest ids that reach the probability. Only what lies within some depth of the best is sorted.
function nucleus(scores: Float32Array, ids: Uint32Array<ArrayBuffer>, temperature: number, topP: number, max: number) {
  const probabilities = softmax(scores, ids, temperature, max);
  const places = new Uint32Array(ids.length);
  let count = 0;
  for (const depth of [4, 8, 16, Infinity]) {
    const floor = max - depth * temperature;
    let mass = 0;
    count = 0;
    for (let i = 0; i < ids.length; i++) {
      if ((scores[ids[i] as number] as number) < floor) continue;
      places[count++] = i;
      mass += probabilities[i] as number;
    }
    // A margin, so that rounding cannot end the walk below before it reaches topP.
    if (mass >= topP + 1e-9) break;
  }
  const score = (place: number) => scores[ids[place] as number] as number;
  const sorted = places.subarray(0, count).sort((a, b) => score(b) - score(a) || a - b);
  let cumulative = 0;
  const last = sorted.findIndex((place) => {
    cumulative += probabilities[place] as number;
    return cumulative >= topP;
  });
  return (last >= 0 ? sorted.slice(0, last + 1) : sorted).map((place) => ids[place] as number);
}

// exp((x - max) / temperature) never overflows.
function softmax(logits: Float32Array, ids: Uint32Array, temperature: number, max: number): Float64Array {
  const odds = new Float64Array(ids.length);
  let total = 0;
  for (let i = 0; i < odds.length; i++) {
    const odd = Math.exp(((logits[ids[i] ?? 0] ?? 0) - max) / temperature);
    odds[i] = odd;
    total += odd;
  }
  for (let i = 0; i < odds.length; i++) odds[i] = (odds[i] ?? 0) / total;
  return odds;
}

/**
 * Choosing the next token. In: logits over the vocabulary and how adventurous to be. Out: one token id. A pure function:
 * random numbers come from the caller. It runs no model. Order of steps as in transformers' generate(): temperature, then
 * top-k, then top-p (nucleus sampling, Holtzman et al. 2020).
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
}

/**
 * Draws the next token.
 *
 * @param logits [V], finite or -Infinity for a token that must not come.
 * @param options see {@link SamplingOptions}.
 * @param random gives numbers in [0, 1); called once, and not at all when temperature is 0.
 * @returns a token id; of equal logits the lowest id is the likelier when one must go first.
 * @throws RangeError for an option out of range, or logits that are NaN, +Infinity or all -Infinity.
 * @example
 * sampleToken(new Float32Array([0, 5, 1]), { temperature: 0 }, () => 0); // 1
 */
export function sampleToken(logits: Float32Array, options: SamplingOptions, random: () => number): number {
  const { ids, probabilities } = tokenProbabilities(logits, options);
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
export function tokenProbabilities(logits: Float32Array, options: SamplingOptions): TokenProbabilities {
  checkSamplingOptions(options);
  const { temperature = 1, topK = 0, topP = 1 } = options;
  const best = argmax(logits);
  if (temperature === 0) return { ids: Uint32Array.of(best), probabilities: Float64Array.of(1) };

  // Plain loops: at 50,257 tokens, from() with a function costs ten times as much.
  let ids = new Uint32Array(logits.length);
  for (let id = 0; id < ids.length; id++) ids[id] = id;
  if (topK > 0 && topK < logits.length) {
    const threshold = logits.slice().sort()[logits.length - topK] ?? -Infinity;
    ids = ids.filter((id) => (logits[id] ?? -Infinity) >= threshold);
  }
  if (topP < 1) ids.sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0) || a - b);
  let probabilities = softmax(logits, ids, temperature, logits[best] ?? 0);
  if (topP < 1) {
    let cumulative = 0;
    const last = probabilities.findIndex((probability) => {
      cumulative += probability;
      return cumulative >= topP;
    });
    if (last >= 0) ids = ids.slice(0, last + 1);
    probabilities = softmax(logits, ids, temperature, logits[best] ?? 0);
  }
  return { ids, probabilities };
}

/** Refuses sampling options that are out of range, so that a long generation fails at its start. */
export function checkSamplingOptions({ temperature = 1, topK = 0, topP = 1 }: SamplingOptions): void {
  const refuse = (name: string, value: number, expected: string, fix: string): RangeError =>
    new RangeError(problem({ cannot: `use ${name}`, found: String(value), expected, fix: `set ${name}: ${fix}` }));
  if (!(temperature >= 0 && temperature < Infinity)) {
    throw refuse("temperature", temperature, "a number of 0 or more", "0.8, or 0 for the likeliest token");
  }
  if (!Number.isSafeInteger(topK) || topK < 0)
    throw refuse("topK", topK, "an integer of 0 or more", "40, or 0 for all");
  if (!(topP > 0 && topP <= 1)) throw refuse("topP", topP, "a number above 0 and at most 1", "0.95, or 1 for all");
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

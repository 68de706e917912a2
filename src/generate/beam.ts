/**
 * Beam search: the likeliest text among several that are kept side by side. In: a prompt as token ids. Out: the tokens of the
 * best text. It draws nothing. The rules are those of transformers' generate() with `early_stopping=False`: twice as many
 * candidates as beams, finished texts scored by log probability / length^penalty, an end when no beam can beat the worst of them.
 */
import { problem } from "../message.js";
import type { Decoder } from "./decoder.js";
import { likeliest, logProbabilities } from "./log-probabilities.js";
import type { ResolvedOptions } from "./options.js";
import { withoutRepetition } from "./sampler.js";

/** What the search needs beside the options. */
export interface BeamOptions
  extends Pick<ResolvedOptions, "beams" | "lengthPenalty" | "maxNewTokens" | "sampling" | "signal"> {
  readonly endOfTextId: number;
  readonly positions: number;
}

/** The best text. */
export interface FoundText {
  /** What was added, without the end-of-text token. */
  readonly tokens: readonly number[];
  /** Sum of log probabilities / length^penalty. */
  readonly score: number;
  readonly finishReason: "stop" | "length";
}

// What transformers gives to a beam that must not be chosen.
const excluded = -1e9;

interface Beam {
  readonly tokens: readonly number[];
  readonly score: number;
}

/**
 * Searches for the likeliest continuation.
 *
 * @param prompt at least one id
 * @throws RangeError when prompt and new tokens exceed the model's positions
 */
export async function searchBeams(
  decoder: Decoder,
  prompt: readonly number[],
  options: BeamOptions,
): Promise<FoundText> {
  const { beams, lengthPenalty, maxNewTokens, endOfTextId, positions } = options;
  if (prompt.length + maxNewTokens > positions) {
    throw new RangeError(
      problem({
        cannot: "search beams",
        found: `${prompt.length} prompt tokens and maxNewTokens ${maxNewTokens}`,
        expected: `at most the model's ${positions} positions in all`,
        fix: `shorten the prompt, or set maxNewTokens: ${Math.max(1, positions - prompt.length)}`,
      }),
    );
  }
  const cache = await decoder.open(Array(beams).fill(prompt.length), maxNewTokens);
  try {
    let logits = await cache.prefill(Array(beams).fill(prompt));
    // All beams are alike at first: only one counts.
    let running: Beam[] = Array.from({ length: beams }, (_, beam) => ({
      tokens: [],
      score: beam === 0 ? 0 : excluded,
    }));
    let finished: Beam[] = [];
    for (let length = 1; ; length++) {
      options.signal?.throwIfAborted();
      const { candidates, parents } = extend(running, logits, prompt, options);
      const ends = candidates.map(({ tokens }) => tokens.at(-1) === endOfTextId || length >= maxNewTokens);
      const scored = candidates.map(({ tokens, score }) => ({ tokens, score: score / length ** lengthPenalty }));
      finished = [...finished, ...scored.filter((_, i) => ends[i] && i < beams)]
        .sort((a, b) => b.score - a.score)
        .slice(0, beams);
      const going = candidates.map((_, i) => i).filter((i) => !ends[i]);
      running = going.slice(0, beams).map((i) => candidates[i] as Beam);
      const best = running[0];
      const worst = finished.length === beams ? (finished.at(-1) as Beam).score : excluded;
      if (best === undefined || best.score / length ** lengthPenalty <= worst) return result(finished, endOfTextId);
      await cache.reorder(going.slice(0, beams).map((i) => parents[i] as number));
      logits = await cache.advance(running.map(({ tokens }) => tokens.at(-1) as number));
    }
  } finally {
    cache.release();
  }
}

// The best continuations of all beams, best first, and the beam that each continues.
function extend(running: readonly Beam[], logits: Float32Array, prompt: readonly number[], options: BeamOptions) {
  const V = logits.length / running.length;
  const count = 2 * running.length;
  const all = running.flatMap(({ tokens, score }, parent) => {
    const logs = Float32Array.from(logProbabilities(logits.subarray(parent * V, (parent + 1) * V)));
    const scores = withoutRepetition(logs, [...prompt, ...tokens], options.sampling, prompt.length);
    return likeliest(scores, count).map((id) => ({ parent, id, score: score + (scores[id] ?? -Infinity) }));
  });
  // sort() is stable: of equal scores the lower beam, then the lower id, comes first.
  const best = all.sort((a, b) => b.score - a.score).slice(0, count);
  const candidates = best.map(({ parent, id, score }) => ({
    tokens: [...(running[parent] as Beam).tokens, id],
    score,
  }));
  return { candidates, parents: best.map(({ parent }) => parent) };
}

function result(finished: readonly Beam[], endOfTextId: number): FoundText {
  const { tokens, score } = finished[0] as Beam;
  const ended = tokens.at(-1) === endOfTextId;
  return { tokens: ended ? tokens.slice(0, -1) : tokens, score, finishReason: ended ? "stop" : "length" };
}

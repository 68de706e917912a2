/**
 * The loop that writes: several rows at once, one token a row and step. In: prompts as token ids. Out: pieces of text as they
 * become certain, computed only when they are asked for. Each row is what it would be alone: own random numbers, own end.
 * A row that fills the model's positions goes on from the later half of its text. The engine's part is in decoder.ts.
 */
import { seededRandom } from "../data/random.js";
import type { Tokenizer } from "../data/tokenizer.js";
import { searchBeams } from "./beam.js";
import type { DecodeCache, Decoder } from "./decoder.js";
import { likeliest, logProbabilities } from "./log-probabilities.js";
import type { ResolvedOptions } from "./options.js";
import { sampleToken } from "./sampler.js";
import { TextAssembler } from "./text-assembler.js";

/** A token that was chosen. */
export interface GeneratedToken {
  readonly id: number;
  /** Natural logarithm of the model's own probability, temperature 1 and nothing cut; only when `alternatives` is set. */
  readonly logProbability?: number;
  /** The likeliest tokens at this place, best first. */
  readonly alternatives?: readonly { readonly id: number; readonly logProbability: number }[];
}

/** What a step added to one row. */
export interface GeneratedPiece {
  /** Which prompt it belongs to, from 0. */
  readonly row: number;
  /** Text that is certain now; may be empty while a character or a stop string is incomplete. */
  readonly text: string;
  readonly tokens: readonly GeneratedToken[];
  /** Set on a row's last piece: "stop" for end of text or a stop string, "length" for `maxNewTokens`. */
  readonly finishReason?: "stop" | "length";
}

/** A prompt of a batch. */
export interface PromptRow {
  /** At least one id. */
  readonly tokens: readonly number[];
  readonly seed: number;
}

/** What the loop works with. */
export interface Writer {
  readonly decoder: Decoder;
  readonly tokenizer: Tokenizer;
  /** Most tokens that the model looks at. */
  readonly positions: number;
}

/**
 * Continues the prompts.
 *
 * @param rows at least one prompt
 * @param options from `resolveOptions`
 * @throws the reason of `options.signal` once it is aborted
 */
export async function* generateRows(
  writer: Writer,
  rows: readonly PromptRow[],
  options: ResolvedOptions,
): AsyncGenerator<GeneratedPiece, void, void> {
  options.signal?.throwIfAborted();
  if (options.beams > 1) {
    for (const [row, { tokens }] of rows.entries()) yield* writeBeams(writer, row, tokens, options);
    return;
  }
  const states = rows.map(({ tokens, seed }, row) => new Row(row, tokens, seed, writer, options));
  const cache = await writer.decoder.open(
    states.map((state) => state.context.length),
    options.maxNewTokens,
  );
  try {
    let logits = await cache.prefill(states.map((state) => state.context));
    for (;;) {
      const width = logits.length / states.length;
      for (const state of states) {
        if (state.finished) continue;
        const piece = state.choose(logits.subarray(state.row * width, (state.row + 1) * width));
        yield piece;
        options.signal?.throwIfAborted();
      }
      if (states.every((state) => state.finished)) return;
      logits = await advance(cache, states);
      options.signal?.throwIfAborted();
    }
  } finally {
    cache.release();
  }
}

// One more token of each row; a cache without room is filled anew from what the rows still look at.
async function advance(cache: DecodeCache, states: readonly Row[]): Promise<Float32Array> {
  const shortened = states.filter((state) => state.shorten()).length;
  if (shortened === 0 && cache.room > 0) {
    return cache.advance(states.map((state) => state.context.at(-1) as number));
  }
  return cache.prefill(states.map((state) => state.context));
}

class Row {
  readonly context: number[];
  private readonly tokens: number[];
  private readonly random;
  private readonly text: TextAssembler;
  private readonly promptLength: number;
  private written = 0;
  finished = false;

  constructor(
    readonly row: number,
    prompt: readonly number[],
    seed: number,
    private readonly writer: Writer,
    private readonly options: ResolvedOptions,
  ) {
    this.tokens = [...prompt];
    this.promptLength = prompt.length;
    this.context = prompt.slice(-writer.positions);
    this.random = seededRandom(seed);
    this.text = new TextAssembler(writer.tokenizer, options.stops);
  }

  choose(logits: Float32Array): GeneratedPiece {
    const { sampling, maxNewTokens, alternatives } = this.options;
    const id = sampleToken(logits, sampling, () => this.random.uniform(), this.tokens, this.promptLength);
    this.tokens.push(id);
    this.context.push(id);
    if (id === this.writer.tokenizer.endOfTextId) return this.end("stop", this.text.finish().text, []);
    this.written++;
    const token = alternatives === undefined ? { id } : describe(logits, id, alternatives);
    const { text, stopped } = this.text.push(id);
    if (stopped) return this.end("stop", text, [token]);
    if (this.written < maxNewTokens) return { row: this.row, text, tokens: [token] };
    const rest = this.text.finish();
    return this.end(rest.stopped ? "stop" : "length", text + rest.text, [token]);
  }

  // Whether the context was cut: the model has no position left for the token that was added last.
  shorten(): boolean {
    const { positions } = this.writer;
    // A row that has ended computes on beside the others, as little as it can.
    if (this.finished) this.context.splice(0, this.context.length - 1);
    if (this.context.length <= positions) return false;
    this.context.splice(0, this.context.length - Math.ceil(positions / 2));
    return true;
  }

  private end(finishReason: "stop" | "length", text: string, tokens: readonly GeneratedToken[]): GeneratedPiece {
    this.finished = true;
    return { row: this.row, text, tokens, finishReason };
  }
}

async function* writeBeams(
  { decoder, tokenizer, positions }: Writer,
  row: number,
  prompt: readonly number[],
  options: ResolvedOptions,
): AsyncGenerator<GeneratedPiece, void, void> {
  const found = await searchBeams(decoder, prompt, { ...options, endOfTextId: tokenizer.endOfTextId, positions });
  const text = new TextAssembler(tokenizer, options.stops);
  for (const id of found.tokens) {
    const piece = text.push(id);
    yield { row, text: piece.text, tokens: [{ id }], ...(piece.stopped && { finishReason: "stop" }) };
    if (piece.stopped) return;
  }
  const rest = text.finish();
  yield { row, text: rest.text, tokens: [], finishReason: rest.stopped ? "stop" : found.finishReason };
}

function describe(logits: Float32Array, id: number, count: number): GeneratedToken {
  const logs = logProbabilities(logits);
  const alternatives = likeliest(logits, count).map((id) => ({ id, logProbability: logs[id] ?? -Infinity }));
  return { id, logProbability: logs[id] ?? -Infinity, alternatives };
}

/**
 * A model that writes and that measures texts. In: a model's name or folder. Out: generated text, losses on packed blocks,
 * the probability of every token of a text. The weights stay on the engine. It trains nothing and draws nothing.
 */
import type { PackedBlocks } from "../data/pack.js";
import { loadTokenizer, type Tokenizer } from "../data/tokenizer.js";
import { chooseEngine, type EngineOptions } from "../engine/choose.js";
import type { Engine, VariableInit } from "../engine/engine.js";
import { problem } from "../message.js";
import { type Gpt2Config, parameterCount, weightShapes } from "../model/gpt2-config.js";
import { loadPretrained } from "../model/pretrained.js";
import { compileEvaluation } from "../train/optimizer.js";
import { meanLoss, readableLoss } from "../train/trainer-evaluate.js";
import { Decoder } from "./decoder.js";
import { type GeneratedPiece, generateRows } from "./generate.js";
import { compileMeasure, type MeasureStep, measuredLength } from "./measure.js";
import { type GenerateOptions, resolveOptions } from "./options.js";

/** A loss in three units. */
export interface MeasuredLoss {
  /** Nats per token. */
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  /** Targets that were measured. */
  readonly tokens: number;
}

/** A token of a text that was measured. */
export interface TextToken {
  readonly id: number;
  /** What it adds to the text; a character that takes several tokens is the last one's, the others' is empty. */
  readonly text: string;
  /** What the model gave it, 0 … 1. */
  readonly probability: number;
  /** 1 for the token that the model found likeliest, 2 for the next, … */
  readonly rank: number;
}

// Products with weights as few as these are over before a second thread has woken up.
const oneThreadBytes = 64e6;

/**
 * Opens a model for writing and measuring.
 *
 * @param nameOrFolder `fledge-base`, or a folder such as `./final_model`
 * @throws RangeError, TypeError or SyntaxError as `loadPretrained` does
 * @example
 * const model = await openModel("./final_model");
 * console.log(await model.generate("My fellow citizens", { temperature: 0.8, topK: 40 }));
 * await model.dispose();
 */
export async function openModel(nameOrFolder: string, options: EngineOptions = {}): Promise<TextModel> {
  const { config, weights, folder } = await loadPretrained(nameOrFolder);
  const tokenizer = await loadTokenizer(folder);
  const bytes = parameterCount(config) * Float32Array.BYTES_PER_ELEMENT;
  const parallelism = bytes <= oneThreadBytes ? "none" : "within";
  const { engine, reason } = await chooseEngine({ parallelism, ...options });
  await engine.createVariables(weightVariables(config, weights));
  return new TextModel(nameOrFolder, config, tokenizer, engine, reason, "fixed");
}

/** The weights of a model as an engine's `createVariables` takes them. */
export function weightVariables(
  config: Gpt2Config,
  weights: ReadonlyMap<string, Float32Array>,
): Map<string, VariableInit> {
  const variables = [...weightShapes(config)].map(([name, shape]) => {
    return [name, { shape, values: weights.get(name) as Float32Array }] as const;
  });
  return new Map(variables);
}

/** A model on an engine; free it with `dispose()`. */
export class TextModel {
  private readonly decoder: Decoder;
  private readonly measures = new Map<number, Promise<MeasureStep>>();

  constructor(
    readonly name: string,
    readonly config: Gpt2Config,
    readonly tokenizer: Tokenizer,
    private readonly engine: Engine,
    /** Which engine runs it, and why. */
    readonly engineReason: string,
    /** Whether its weights may change between two texts, as in training. */
    weights: "changing" | "fixed",
  ) {
    this.decoder = new Decoder(engine, config, weights);
  }

  /** Number of weights. */
  get parameters(): number {
    return parameterCount(this.config);
  }

  /**
   * Continues a text.
   *
   * @param prompt any text; an empty one starts a new document
   * @returns the prompt and what the model added
   * @throws RangeError for an option out of range
   */
  async generate(prompt: string, options: GenerateOptions = {}): Promise<string> {
    let added = "";
    for await (const piece of this.stream(prompt, options)) added += piece;
    return prompt + added;
  }

  /** Continues a text piece by piece; a piece is computed when it is asked for. */
  async *stream(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    for await (const { text } of this.streamBatch([prompt], options)) if (text !== "") yield text;
  }

  /**
   * Continues several texts at once, each as if alone.
   *
   * @param prompts at least one
   * @returns each prompt and what the model added to it
   * @throws RangeError for an option out of range
   */
  async generateBatch(prompts: readonly string[], options: GenerateOptions = {}): Promise<string[]> {
    const texts = [...prompts];
    for await (const { row, text } of this.streamBatch(prompts, options)) texts[row] += text;
    return texts;
  }

  /**
   * Continues several texts at once, piece by piece. A step is computed when its first piece is asked for.
   *
   * @param prompts at least one; with its own seed where it should not be the one of the options
   * @throws RangeError for an option out of range
   */
  async *streamBatch(
    prompts: readonly (string | { readonly prompt: string | readonly number[]; readonly seed: number })[],
    options: GenerateOptions = {},
  ): AsyncGenerator<GeneratedPiece, void, void> {
    const resolved = resolveOptions(options);
    const rows = prompts.map((item) => {
      const { prompt, seed } = typeof item === "string" ? { prompt: item, seed: resolved.seed } : item;
      const tokens = typeof prompt === "string" ? [...this.tokenizer.encode(prompt)] : prompt;
      return { tokens: tokens.length > 0 ? tokens : [this.config.endOfTextId], seed };
    });
    if (rows.length === 0) return;
    const { decoder, tokenizer } = this;
    yield* generateRows({ decoder, tokenizer, positions: this.config.positions }, rows, resolved);
  }

  /**
   * Logits of the token that follows.
   *
   * @param tokens at least one id; only the last `positions` of them count
   * @returns [V]
   */
  async nextLogits(tokens: readonly number[]): Promise<Float32Array> {
    const context = tokens.slice(-this.config.positions);
    const cache = await this.decoder.open([context.length], 0);
    try {
      return await cache.prefill([context]);
    } finally {
      cache.release();
    }
  }

  /**
   * How likely the model finds each token of a text, from its first, which follows an end-of-text. A text longer than the
   * model's positions is read in windows that overlap by half, so that every token is judged with at least half of them before it.
   *
   * @param text any text
   * @returns one entry a token, in order
   */
  async tokenProbabilities(text: string): Promise<TextToken[]> {
    const ids = this.tokenizer.encode(text);
    const { logProbabilities, ranks } = await this.score(ids);
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return Array.from(ids, (id, i) => ({
      id,
      text: decoder.decode(this.tokenizer.bytesOf(id), { stream: i < ids.length - 1 }),
      probability: Math.exp(logProbabilities[i] ?? 0),
      rank: ranks[i] ?? 0,
    }));
  }

  /**
   * How surprising a text is to the model, its first token included.
   *
   * @param text at least one character
   * @throws RangeError for an empty text
   */
  async perplexity(text: string): Promise<MeasuredLoss> {
    const ids = this.tokenizer.encode(text);
    if (ids.length === 0) {
      const fix = "give a text of at least one character";
      throw new RangeError(problem({ cannot: "measure a text", found: "no tokens", expected: "at least one", fix }));
    }
    const { logProbabilities } = await this.score(ids);
    const nats = -logProbabilities.reduce((sum, log) => sum + log, 0);
    const loss = nats / ids.length;
    const bitsPerByte = nats / Math.LN2 / Buffer.byteLength(text);
    return { loss, perplexity: Math.exp(loss), bitsPerByte, tokens: ids.length };
  }

  /**
   * Mean loss over packed text.
   *
   * @param blocks from `packDocuments`, of this model's tokens
   * @param batchSize blocks at once, default 4
   */
  async measure(blocks: PackedBlocks, batchSize = 4): Promise<MeasuredLoss> {
    const separateDocuments = blocks.documentEnd !== undefined;
    const shape = { B: batchSize, T: blocks.blockSize, separateDocuments };
    const evaluate = await compileEvaluation(this.engine, this.config, shape);
    const { loss, tokens } = await meanLoss(evaluate, blocks, batchSize);
    return { loss, ...readableLoss(loss, blocks), tokens };
  }

  /** Frees what the engine holds. */
  async dispose(): Promise<void> {
    await this.engine.dispose();
  }

  private async score(ids: Uint32Array): Promise<{ logProbabilities: Float64Array; ranks: Int32Array }> {
    const logProbabilities = new Float64Array(ids.length);
    const ranks = new Int32Array(ids.length);
    const { positions } = this.config;
    const all = [this.config.endOfTextId, ...ids];
    let done = 0;
    while (done < ids.length) {
      const begin = done === 0 ? 0 : done - Math.floor(positions / 2);
      const count = Math.min(positions, ids.length - begin);
      const T = measuredLength(count, positions);
      const step = this.measures.get(T) ?? compileMeasure(this.engine, this.config, T);
      this.measures.set(T, step);
      const inputs = new Int32Array(T);
      const targets = new Int32Array(T);
      inputs.set(all.slice(begin, begin + count));
      targets.set(ids.subarray(begin, begin + count));
      const { losses, above } = await (await step).run({ inputs, targets });
      for (let i = done - begin; i < count; i++) {
        logProbabilities[begin + i] = -(losses[i] ?? 0);
        ranks[begin + i] = 1 + (above[i] ?? 0);
      }
      done = begin + count;
    }
    return { logProbabilities, ranks };
  }
}

/**
 * A model that writes and that measures texts. In: a model's name or folder. Out: generated text, losses on packed blocks.
 * Each length class of context is compiled once; the weights stay on the engine. It trains nothing and draws nothing.
 */
import * as tf from "@tensorflow/tfjs";
import type { PackedBlocks } from "../data/pack.js";
import { seededRandom } from "../data/random.js";
import { loadTokenizer, type Tokenizer } from "../data/tokenizer.js";
import { chooseEngine, type EngineOptions } from "../engine/choose.js";
import type { CompiledStep, Engine } from "../engine/engine.js";
import { problem } from "../message.js";
import { hiddenStates } from "../model/gpt2.js";
import { type Gpt2Config, headName, parameterCount, weightShapes } from "../model/gpt2-config.js";
import { loadPretrained } from "../model/pretrained.js";
import { compileEvaluation } from "../train/optimizer.js";
import { meanLoss, readableLoss } from "../train/trainer-evaluate.js";
import { type SamplingOptions, sampleToken } from "./sampler.js";

/** How a text is continued; the sampling options say how each token is drawn. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens to add at most, ≥ 1; an end-of-text ends it sooner. Default 60. */
  readonly maxNewTokens?: number;
  /** Same seed, same text. Default 42. */
  readonly seed?: number;
}

/** A loss in three units. */
export interface MeasuredLoss {
  /** Nats per token. */
  readonly loss: number;
  readonly perplexity: number;
  readonly bitsPerByte: number;
  /** Targets that were measured. */
  readonly tokens: number;
}

// Shortest context that is compiled; longer ones double up to the model's positions.
const shortestContext = 64;

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
  const { engine, reason } = await chooseEngine(options);
  const variables = [...weightShapes(config)].map(([name, shape]) => {
    return [name, { shape, values: weights.get(name) as Float32Array }] as const;
  });
  await engine.createVariables(new Map(variables));
  return new TextModel(nameOrFolder, config, tokenizer, engine, reason);
}

type ContextStep = CompiledStep<"inputs" | "last", "logits">;

/** A model on an engine; free it with `dispose()`. */
export class TextModel {
  private readonly contexts = new Map<number, Promise<ContextStep>>();

  constructor(
    readonly name: string,
    readonly config: Gpt2Config,
    readonly tokenizer: Tokenizer,
    private readonly engine: Engine,
    /** Which engine runs it, and why. */
    readonly engineReason: string,
  ) {}

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

  /** Continues a text piece by piece, as the model writes it. */
  async *stream(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string> {
    const { maxNewTokens = 60, seed = 42, ...sampling } = options;
    checkLength(maxNewTokens);
    const { endOfTextId } = this.tokenizer;
    const random = seededRandom(seed);
    const tokens = [...this.tokenizer.encode(prompt)];
    if (tokens.length === 0) tokens.push(endOfTextId);
    const written: number[] = [];
    let shown = "";
    while (written.length < maxNewTokens) {
      const token = sampleToken(await this.nextLogits(tokens), sampling, () => random.uniform());
      if (token === endOfTextId) break;
      tokens.push(token);
      written.push(token);
      const text = this.tokenizer.decode(written);
      // A character of several tokens shows as U+FFFD until its last byte is there.
      if (text.endsWith("\uFFFD") && written.length < maxNewTokens) continue;
      yield text.slice(shown.length);
      shown = text;
    }
    if (this.tokenizer.decode(written) !== shown) yield this.tokenizer.decode(written).slice(shown.length);
  }

  /**
   * Logits of the token that follows.
   *
   * @param tokens at least one id; only the last `positions` of them count
   * @returns [V]
   */
  async nextLogits(tokens: readonly number[]): Promise<Float32Array> {
    const { positions } = this.config;
    const context = tokens.slice(-positions);
    const length = Math.min(positions, Math.max(shortestContext, 2 ** Math.ceil(Math.log2(context.length))));
    const step = this.contexts.get(length) ?? this.compileContext(length);
    this.contexts.set(length, step);
    const inputs = new Int32Array(length);
    inputs.set(context);
    const { logits } = await (await step).run({ inputs, last: Int32Array.of(context.length - 1) });
    return logits;
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

  // Padding on the right is never seen: attention is causal, and only the last real position is read.
  private compileContext(length: number): Promise<ContextStep> {
    const { config } = this;
    const specs = { inputs: { shape: [length], dtype: "int32" }, last: { shape: [1], dtype: "int32" } } as const;
    return this.engine.compile(`context-${length}`, specs, ({ inputs, last }, variables) => {
      const weight = (name: string) => variables.read(name);
      const hidden = hiddenStates(inputs, { B: 1, T: length }, weight, config); // [T, C]
      const row = tf.gather(hidden, last as tf.Tensor1D) as tf.Tensor2D; // [1, C]
      return { logits: tf.matMul(row, weight(headName(config)) as tf.Tensor2D, false, true) };
    });
  }
}

function checkLength(maxNewTokens: number): void {
  if (Number.isSafeInteger(maxNewTokens) && maxNewTokens >= 1) return;
  throw new RangeError(
    problem({
      cannot: "generate text",
      found: `maxNewTokens ${maxNewTokens}`,
      expected: "an integer ≥ 1",
      fix: "set maxNewTokens: 60",
    }),
  );
}

/**
 * Compiled decoding: caches of keys and values that stay on the engine, and the steps that fill them. In: rows of token ids.
 * Out: logits of what follows each row. Steps are compiled once for each number of rows and class of length, and a cache
 * that is given back is used again. It samples nothing; products are float32, so that a row does not depend on its batch.
 */
import * as tf from "@tensorflow/tfjs";
import type { CompiledStep, Engine, Variables } from "../engine/engine.js";
import { type CachePart, decodeStep, prefill } from "../model/decode.js";
import { type Gpt2Config, parameterCount } from "../model/gpt2-config.js";

type PrefillStep = CompiledStep<"tokens" | "starts", "logits">;
type TokenStep = CompiledStep<"tokens" | "slot" | "starts", "logits">;

// Rows, prompts and caches are rounded up to powers of two: a compiled step costs half a second and some 30 MB that
// TensorFlow keeps, and a row or a slot of padding costs little.
const shortestPrompt = 16;
const fewestSlots = 64;
// A cache up to this many times longer than needed is taken rather than another made.
const spareFactor = 8;
// Caches that nobody uses keep at most this much memory for the next who asks.
const idleBytesLimit = 256e6;
// Each compiled step of several rows keeps the weights once more, in the order that its products want: two to three times as fast
// with 8 rows. Steps beyond this much memory go without.
const packedBytesLimit = 1e9;

/** Hands out caches on one engine that holds the weights of one model. */
export class Decoder {
  // Least recently used first.
  private idle: DecodeCache[] = [];
  private count = 0;
  private packedBytes = 0;

  /** @param weights "fixed" when they keep their values as long as the engine lives */
  constructor(
    private readonly engine: Engine,
    private readonly config: Gpt2Config,
    private readonly weights: "changing" | "fixed",
  ) {}

  /**
   * A cache that has room for a batch.
   *
   * @param prompts how many tokens each row's prompt has
   * @param newTokens how many will be added; room for as many as the model has positions is enough
   * @returns a cache for one caller; give it back with `release()`
   */
  async open(prompts: readonly number[], newTokens: number): Promise<DecodeCache> {
    const { positions } = this.config;
    const rows = powerOfTwo(prompts.length, 1);
    const padded = powerOfTwo(Math.max(...prompts), shortestPrompt);
    const slots = powerOfTwo(padded + Math.min(newTokens, positions), fewestSlots);
    const [fits] = this.idle
      .filter((cache) => cache.rows === rows && cache.slots >= slots && cache.slots <= spareFactor * slots)
      .sort((a, b) => a.slots - b.slots);
    if (fits) {
      this.idle = this.idle.filter((cache) => cache !== fits);
      return fits;
    }
    const prefix = `cache${this.count++}`;
    const give = (cache: DecodeCache) => this.keep(cache);
    const cache = new DecodeCache(this.engine, this.config, rows, slots, prefix, give, this.pack(rows));
    await cache.create();
    return cache;
  }

  // How the weights may be treated by the step of a new cache.
  private pack(rows: number): "changing" | "fixed" {
    const bytes = parameterCount(this.config) * Float32Array.BYTES_PER_ELEMENT;
    if (this.weights === "changing" || rows === 1 || this.packedBytes + bytes > packedBytesLimit) return "changing";
    this.packedBytes += bytes;
    return "fixed";
  }

  private keep(cache: DecodeCache): void {
    this.idle.push(cache);
    let bytes = 0;
    for (const other of this.idle.toReversed()) {
      bytes += other.bytes;
      if (bytes > idleBytesLimit) other.empty();
    }
  }
}

/** Keys and values of a batch of rows; one caller at a time. */
export class DecodeCache {
  private readonly prefills = new Map<number, Promise<PrefillStep>>();
  private step?: Promise<TokenStep>;
  private reorderStep?: Promise<CompiledStep<"parents", never>>;
  private starts: Int32Array;
  private used = 0;
  private filled = 0;

  constructor(
    private readonly engine: Engine,
    private readonly config: Gpt2Config,
    /** B, at least as many as there are prompts. */
    readonly rows: number,
    /** P. */
    readonly slots: number,
    private readonly prefix: string,
    private readonly give: (cache: DecodeCache) => void,
    private readonly weights: "changing" | "fixed",
  ) {
    this.starts = new Int32Array(rows);
  }

  /** Gives the cache back to its decoder. */
  release(): void {
    this.give(this);
  }

  /** Memory of the keys and values. */
  get bytes(): number {
    return 2 * this.config.layers * this.rows * this.slots * this.config.width * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Frees the memory; the next prefill takes it again. */
  empty(): void {
    // The engine runs one thing after the other, so whoever opens the cache next comes later. Its failure shows there.
    this.engine.deleteVariables(this.names()).catch(() => {});
  }

  /** Makes the variables; they are empty until the first prefill. */
  async create(): Promise<void> {
    const { width, heads } = this.config;
    const shape = [this.rows * heads, this.slots, width / heads];
    await this.engine.createVariables(new Map(this.names().map((name) => [name, { shape }])));
  }

  /** Tokens that each row can still take in. */
  get room(): number {
    const longest = this.used - Math.min(...this.starts);
    return Math.min(this.slots - this.used, this.config.positions - longest);
  }

  /**
   * Reads the prompts; what was in the cache is gone.
   *
   * @param prompts at most B rows of 1 … positions ids
   * @returns [prompts, V] logits of what follows each
   */
  async prefill(prompts: readonly (readonly number[])[]): Promise<Float32Array> {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    const T = Math.min(this.slots, powerOfTwo(longest, shortestPrompt));
    const compiled = this.prefills.get(T) ?? this.compilePrefill(T);
    this.prefills.set(T, compiled);
    const tokens = new Int32Array(this.rows * T);
    prompts.forEach((prompt, row) => {
      tokens.set(prompt, (row + 1) * T - prompt.length);
      this.starts[row] = T - prompt.length;
    });
    this.starts.fill(T - 1, prompts.length);
    this.used = T;
    this.filled = prompts.length;
    const { logits } = await (await compiled).run({ tokens, starts: this.starts });
    return this.filledRows(logits);
  }

  /**
   * Takes in one token a row.
   *
   * @param ids one for each prompt
   * @returns [prompts, V] logits of what follows each
   */
  async advance(ids: readonly number[]): Promise<Float32Array> {
    this.step ??= this.compileStep();
    const tokens = new Int32Array(this.rows);
    tokens.set(ids);
    const slot = Int32Array.of(this.used++);
    const { logits } = await (await this.step).run({ tokens, slot, starts: this.starts });
    return this.filledRows(logits);
  }

  /**
   * Makes each row a copy of another: how a beam search goes on with its best beams.
   *
   * @param rows for each prompt, which row it becomes
   */
  async reorder(rows: readonly number[]): Promise<void> {
    if (rows.every((parent, row) => parent === row)) return;
    this.reorderStep ??= this.compileReorder();
    const parents = Int32Array.from({ length: this.rows }, (_, row) => rows[row] ?? row);
    await (await this.reorderStep).run({ parents });
    this.starts = parents.map((parent) => this.starts[parent] as number);
  }

  private filledRows(logits: Float32Array): Float32Array {
    return logits.subarray(0, (logits.length / this.rows) * this.filled);
  }

  private names(): string[] {
    const parts: CachePart[] = ["key", "value"];
    return parts.flatMap((part) =>
      Array.from({ length: this.config.layers }, (_, layer) => this.variable(layer, part)),
    );
  }

  private variable(layer: number, part: CachePart): string {
    return `${this.prefix}.${part}.${layer}`;
  }

  private compilePrefill(T: number): Promise<PrefillStep> {
    const { rows: B, slots: P } = this;
    const specs = { tokens: { shape: [B * T], dtype: "int32" }, starts: { shape: [B], dtype: "int32" } } as const;
    const step = ({ tokens, starts }: Record<"tokens" | "starts", tf.Tensor>, variables: Variables) => {
      const weight = (name: string) => variables.read(name);
      const logits = prefill(tokens, starts, { B, T, P }, weight, this.config, (layer, part, values) =>
        variables.assign(this.variable(layer, part), values),
      );
      return { logits };
    };
    return this.engine.compile(`prefill ${B} x ${T}`, specs, step, "float32");
  }

  private compileStep(): Promise<TokenStep> {
    const { rows: B, slots: P } = this;
    const specs = {
      tokens: { shape: [B], dtype: "int32" },
      slot: { shape: [1], dtype: "int32" },
      starts: { shape: [B], dtype: "int32" },
    } as const;
    const step = ({ tokens, slot, starts }: Record<"tokens" | "slot" | "starts", tf.Tensor>, variables: Variables) => {
      const index = tf.reshape(slot, []);
      const weight = (name: string) => variables.read(name);
      const logits = decodeStep(tokens, index, starts, { B, P }, weight, this.config, (layer, part, value) =>
        variables.assignSlice(this.variable(layer, part), index, value),
      );
      return { logits };
    };
    return this.engine.compile(`decode ${B} x ${P}`, specs, step, "float32", this.weights);
  }

  private compileReorder(): Promise<CompiledStep<"parents", never>> {
    const { rows: B, slots: P } = this;
    const { heads: H, width: C } = this.config;
    return this.engine.compile(
      `reorder ${B} x ${P}`,
      { parents: { shape: [B], dtype: "int32" } },
      ({ parents }, variables) => {
        for (const name of this.names()) {
          const rows = tf.reshape(variables.read(name), [B, P * C]); // [B, H*P*D]
          variables.assign(name, tf.reshape(tf.gather(rows, parents as tf.Tensor1D), [B * H, P, C / H]));
        }
        return {};
      },
      "float32",
    );
  }
}

function powerOfTwo(least: number, smallest: number): number {
  return Math.max(smallest, 2 ** Math.ceil(Math.log2(least)));
}

/**
 * Encodes many texts, in worker threads where that pays. In: texts, a tokenizer. Out: the ids of each text, in order, the same
 * as `tokenizer.encode` gives them one by one; progress on the way. It packs nothing and writes nothing.
 */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { problem } from "../message.js";
import type { EncodeAnswer, EncodeTask } from "./encode-thread.js";
import type { Tokenizer } from "./tokenizer.js";

/** How texts are encoded. */
export interface EncodeOptions {
  /** Threads, ≥ 1; 1 encodes in the calling thread. Default: one a core, one alone below 4 million characters. */
  readonly threads?: number;
  /** Told after each piece of work how many characters are done, of how many. */
  readonly onProgress?: (done: number, total: number) => void;
}

// Below this, starting threads and reading the vocabulary in each costs more than it saves.
const charactersWorthThreads = 4_000_000;
// One piece of work: small enough for an even load, large enough for messages not to count.
const charactersOfTask = 250_000;

/**
 * Encodes texts.
 *
 * @param texts any strings
 * @returns ids of each text, nothing added at either end
 * @throws RangeError when `threads` is no positive integer
 * @throws Error when the tokenizer's file changed since it was loaded, or a thread fails
 * @example
 * const ids = await encodeTexts(documents.map(({ text }) => text), tokenizer, { onProgress: console.log });
 */
export async function encodeTexts(
  texts: readonly string[],
  tokenizer: Tokenizer,
  { threads, onProgress }: EncodeOptions = {},
): Promise<Uint32Array[]> {
  const encoder = new Encoder(tokenizer, threads);
  try {
    return await encoder.encode(texts, onProgress);
  } finally {
    await encoder.close();
  }
}

/** Encodes one batch of texts after the other; its threads, once started, keep their words until it is closed. */
export class Encoder {
  readonly #threads: Thread[] = [];

  /** As {@link encodeTexts}. */
  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly threads?: number,
  ) {
    if (threads === undefined || (Number.isInteger(threads) && threads >= 1)) return;
    throw new RangeError(
      problem({
        cannot: "encode texts",
        found: `threads ${threads}`,
        expected: "an integer ≥ 1",
        fix: "set threads: 2",
      }),
    );
  }

  /** Encodes a batch; wait for it before the next. */
  async encode(texts: readonly string[], onProgress: EncodeOptions["onProgress"] = () => {}): Promise<Uint32Array[]> {
    const total = texts.reduce((sum, text) => sum + text.length, 0);
    const tasks = [...intoTasks(texts)];
    const encoded: Uint32Array[] = new Array(texts.length);
    let done = 0;
    const take = ({ first, ids }: EncodeAnswer) => {
      ids.forEach((row, i) => {
        encoded[first + i] = row;
        done += texts[first + i]?.length ?? 0;
      });
      onProgress(done, total);
    };
    const threads = Math.min(this.#threadsFor(total), tasks.length);
    if (threads > 1) {
      while (this.#threads.length < threads) this.#threads.push(new Thread(this.tokenizer));
      await Promise.all(this.#threads.map((thread) => thread.work(tasks, take)));
      return encoded;
    }
    for (const { first, texts } of tasks) {
      take({ first, ids: texts.map((text) => this.tokenizer.encode(text)) });
      // Lets the event loop answer between two pieces.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return encoded;
  }

  /** Ends the threads. */
  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.close()));
  }

  // Those that run already cost nothing more.
  #threadsFor(characters: number): number {
    if (this.threads !== undefined) return this.threads;
    return characters < charactersWorthThreads ? Math.max(1, this.#threads.length) : availableParallelism();
  }
}

function* intoTasks(texts: readonly string[]): Generator<EncodeTask> {
  let first = 0;
  let characters = 0;
  for (const [i, text] of texts.entries()) {
    characters += text.length;
    if (characters < charactersOfTask && i < texts.length - 1) continue;
    yield { first, texts: texts.slice(first, i + 1) };
    first = i + 1;
    characters = 0;
  }
}

class Thread {
  readonly #worker: Worker;
  #failure: Error | undefined;
  #settle: { take: (answer: EncodeAnswer) => void; reject: (error: Error) => void } | undefined;

  constructor({ folder, sha256 }: Tokenizer) {
    this.#worker = new Worker(new URL("./encode-thread.js", import.meta.url), { workerData: { folder, sha256 } });
    this.#worker.on("message", (answer: EncodeAnswer) => this.#settle?.take(answer));
    // It may fail between two batches, while nobody waits.
    this.#worker.on("error", (error) => {
      this.#failure = error;
      this.#settle?.reject(error);
    });
  }

  /** Takes a task, answers, takes the next until none is left. */
  async work(tasks: EncodeTask[], take: (answer: EncodeAnswer) => void): Promise<void> {
    if (this.#failure) throw this.#failure;
    await new Promise<void>((resolve, reject) => {
      const next = () => {
        const task = tasks.shift();
        if (task) this.#worker.postMessage(task);
        else resolve();
      };
      const takeAndGoOn = (answer: EncodeAnswer) => {
        take(answer);
        next();
      };
      this.#settle = { take: takeAndGoOn, reject };
      next();
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

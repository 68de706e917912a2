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
  options: EncodeOptions = {},
): Promise<Uint32Array[]> {
  const total = texts.reduce((sum, text) => sum + text.length, 0);
  const { onProgress = () => {}, threads = total < charactersWorthThreads ? 1 : availableParallelism() } = options;
  if (!Number.isInteger(threads) || threads < 1) {
    throw new RangeError(
      problem({
        cannot: "encode texts",
        found: `threads ${threads}`,
        expected: "an integer ≥ 1",
        fix: "set threads: 2",
      }),
    );
  }
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
  if (threads === 1 || tasks.length < 2) {
    for (const { first, texts } of tasks) {
      take({ first, ids: texts.map((text) => tokenizer.encode(text)) });
      // Lets the event loop answer between two pieces.
      await new Promise((resolve) => setImmediate(resolve));
    }
  } else {
    const workers = Array.from({ length: Math.min(threads, tasks.length) }, () => work(tokenizer, tasks, take));
    await Promise.all(workers);
  }
  return encoded;
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

// One thread: takes a task, answers, takes the next until none is left.
async function work(tokenizer: Tokenizer, tasks: EncodeTask[], take: (answer: EncodeAnswer) => void): Promise<void> {
  const { folder, sha256 } = tokenizer;
  const thread = new Worker(new URL("./encode-thread.js", import.meta.url), { workerData: { folder, sha256 } });
  try {
    await new Promise<void>((resolve, reject) => {
      const next = () => {
        const task = tasks.shift();
        if (task) thread.postMessage(task);
        else resolve();
      };
      thread.on("message", (answer: EncodeAnswer) => {
        take(answer);
        next();
      });
      thread.on("error", reject);
      next();
    });
  } finally {
    await thread.terminate();
  }
}

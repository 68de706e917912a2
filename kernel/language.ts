/**
 * The kernel's view of TypeScript. In: cells. Out: promises of checked and compiled code, completions, descriptions. The work
 * is done in a thread (language-thread.ts), so that the process that owns the sockets never waits for a compiler.
 */
import { Worker } from "node:worker_threads";
import type { CellCode } from "./cell.js";
import type { CellCompletions, CellProblem } from "./checker.js";
import type { Completeness } from "./completeness.js";

/** What can be asked of the language thread. */
export type LanguageRequest =
  | { readonly type: "prepare"; readonly source: string; readonly cell: string }
  | { readonly type: "expression"; readonly source: string; readonly cell: string }
  | { readonly type: "complete" | "describe"; readonly source: string; readonly offset: number }
  | { readonly type: "completeness"; readonly source: string }
  | { readonly type: "reset" };

/** Its answer: a value, or the stack of what went wrong. */
export type LanguageAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: string };

/** A cell that may run, with what is worth a warning, or the reasons why it may not. */
export type PreparedCell =
  | ({ readonly problems: readonly CellProblem[] } & CellCode)
  | { readonly problems: readonly CellProblem[]; readonly code?: undefined };

// V8's own 48 cost an idle kernel 12 MB more and make no cell faster.
const YOUNG_GENERATION_MEGABYTES = 16;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** TypeScript for one kernel. */
export class Language {
  readonly #folder: string;
  readonly #packageFolder: string;
  readonly #waiting = new Map<number, Waiting>();
  #thread: Worker | undefined;
  #lastId = 0;

  /**
   * Starts the thread.
   *
   * @param folder the notebook's folder
   * @param packageFolder Fledge's own folder
   */
  constructor(folder: string, packageFolder: string) {
    this.#folder = folder;
    this.#packageFolder = packageFolder;
    this.#thread = this.#start();
  }

  /** Checks and compiles a cell; a cell that may run is known to those that follow. */
  prepare(source: string, cell: string): Promise<PreparedCell> {
    return this.#ask({ type: "prepare", source, cell });
  }

  /** Compiles an expression without a check of its types. */
  expression(source: string, cell: string): Promise<CellCode> {
    return this.#ask({ type: "expression", source, cell });
  }

  complete(source: string, offset: number): Promise<CellCompletions> {
    return this.#ask({ type: "complete", source, offset });
  }

  describe(source: string, offset: number): Promise<string | undefined> {
    return this.#ask({ type: "describe", source, offset });
  }

  completeness(source: string): Promise<Completeness> {
    return this.#ask({ type: "completeness", source });
  }

  /** Forgets all cells. */
  reset(): Promise<void> {
    return this.#ask({ type: "reset" });
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    await this.#thread?.terminate();
  }

  #start(): Worker {
    const thread = new Worker(new URL("./language-thread.js", import.meta.url), {
      workerData: { folder: this.#folder, packageFolder: this.#packageFolder },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MEGABYTES },
    });
    thread.unref();
    thread.on("message", (answer: LanguageAnswer) => {
      const waiting = this.#waiting.get(answer.id);
      this.#waiting.delete(answer.id);
      if ("failure" in answer) waiting?.reject(new Error(answer.failure));
      else waiting?.resolve(answer.value);
    });
    // A thread that ran out of memory is replaced at the next request; the types of earlier cells are gone with it.
    const lost = (reason: string) => {
      if (this.#thread === thread) this.#thread = undefined;
      for (const waiting of this.#waiting.values()) waiting.reject(new Error(`TypeScript ended: ${reason}`));
      this.#waiting.clear();
    };
    thread.on("error", (error) => lost(error.message));
    thread.on("exit", (code) => lost(`exit code ${code}`));
    return thread;
  }

  #ask<T>(request: LanguageRequest): Promise<T> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#thread ??= this.#start();
      this.#thread.postMessage({ id, request });
    });
  }
}

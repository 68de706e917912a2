/**
 * `await input("prompt")` in cells. In: questions of the running cell, answers of the kernel. Out: one event for each
 * question. It refuses to ask where nobody can answer. It draws no field: the front end does.
 */
import { problem } from "../src/message.js";

/** How a question is put to the kernel. */
export type PutQuestion = (question: {
  readonly execution: number;
  readonly id: number;
  readonly prompt: string;
  readonly password: boolean;
}) => void;

/** The questions of one session. */
export class InputDesk {
  readonly #put: PutQuestion;
  readonly #executionNow: () => number;
  readonly #waiting = new Map<number, { readonly execution: number; answer(value: string): void }>();
  readonly #answerable = new Set<number>();
  #lastId = 0;

  /** @param executionNow number of the execution that the running code belongs to */
  constructor(put: PutQuestion, executionNow: () => number) {
    this.#put = put;
    this.#executionNow = executionNow;
  }

  /** Lets an execution ask: one whose front end can answer. */
  open(execution: number): void {
    this.#answerable.add(execution);
  }

  /** Ends the execution's right to ask; what it still waits for stays unanswered. */
  close(execution: number): void {
    this.#answerable.delete(execution);
    for (const [id, question] of this.#waiting) if (question.execution === execution) this.#waiting.delete(id);
  }

  /** The global function `input`. @throws Error when nobody can answer */
  ask = async (prompt: unknown = "", options: { readonly password?: boolean } = {}): Promise<string> => {
    const execution = this.#executionNow();
    if (!this.#answerable.has(execution)) {
      throw new Error(
        problem({
          cannot: "ask for input",
          found: "a front end that takes no input, or a cell that has ended",
          expected: "a running cell in a notebook that somebody looks at",
          fix: "run the cell in JupyterLab, or put the value into the cell",
        }),
      );
    }
    const id = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, { execution, answer: resolve });
      this.#put({ execution, id, prompt: String(prompt), password: options.password === true });
    });
  };

  /** Takes the answer to a question; one that nobody waits for any more is dropped. */
  answer(id: number, value: string): void {
    this.#waiting.get(id)?.answer(value);
    this.#waiting.delete(id);
  }
}

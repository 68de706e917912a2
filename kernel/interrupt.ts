/**
 * Stops the code of a cell and keeps its state. In: calls that the compiler put into the cell (at loop heads, around
 * `await`, `for await` and the bodies of async functions) and a flag that another thread raises. Out: a KeyboardInterrupt
 * thrown once into each chain of calls, innermost first, so that every `finally` runs in its order.
 * It cannot stop library code that computes without returning; the kernel ends the session then.
 */
import type { AsyncLocalStorage } from "node:async_hooks";

/** What an interrupted cell throws. */
export class KeyboardInterrupt extends Error {
  override readonly name = "KeyboardInterrupt";
  /** Line of the cell, from 1, at which it was waiting; undefined when the stack says it. */
  readonly line: number | undefined;
  constructor(line?: number) {
    super("the cell was stopped; its variables are kept");
    this.line = line;
  }
}

/** One running call of an async function of a cell, or a cell itself. */
export interface Task {
  readonly execution: number;
  readonly parent: Task | undefined;
  liveChildren: number;
}

interface Waiter {
  readonly task: Task;
  /** Chosen by an interrupt, to be stopped as soon as its task has no live children. */
  chosen: boolean;
  stop(): void;
}

/** Places of the shared flag. */
export const FLAG = { raised: 0, sequence: 1 } as const;

/** Interrupts the executions of one session, one at a time. */
export class Interrupter {
  /** `flag[0]` is not 0 while an interrupt is to be noticed by running code; `flag[1]` counts interrupts. */
  readonly flag: Int32Array;
  readonly #tasks: AsyncLocalStorage<Task>;
  readonly #waiters = new Set<Waiter>();
  #current: number | undefined;
  #delivered = 0;
  #interruptsOfCurrent = 0;
  #controller = new AbortController();
  #signalTaken = false;

  /** @param flag two int32 in shared memory @param tasks tells which task the running code belongs to */
  constructor(flag: Int32Array, tasks: AsyncLocalStorage<Task>) {
    this.flag = flag;
    this.#tasks = tasks;
  }

  /**
   * For library code that runs long: aborted when the running cell is interrupted. Whoever takes it is trusted to wind up,
   * so an interrupted `await` waits for that; a second interrupt does not.
   */
  get signal(): AbortSignal {
    this.#signalTaken = true;
    return this.#controller.signal;
  }

  /** Runs a cell as the execution that interrupts are meant for. */
  async runCell<T>(execution: number, run: () => Promise<T>): Promise<T> {
    this.#current = execution;
    this.#interruptsOfCurrent = 0;
    this.#controller = new AbortController();
    this.#signalTaken = false;
    Atomics.store(this.flag, FLAG.raised, 0);
    try {
      return await this.#tasks.run({ execution, parent: undefined, liveChildren: 0 }, run);
    } finally {
      this.#current = undefined;
    }
  }

  /** Takes the message that follows a raised flag: everything that waits is told to stop. */
  deliver(sequence: number): void {
    if (sequence <= this.#delivered) return; // running code has noticed it before
    this.#delivered = sequence;
    Atomics.store(this.flag, FLAG.raised, 0);
    if (this.#current === undefined) return;
    this.#chooseWaiters();
    this.#stopChosen();
  }

  /** Compiled into loop heads behind a test of the flag. @throws KeyboardInterrupt when the cell is to stop */
  stop(): void {
    const task = this.#tasks.getStore();
    if (this.#current === undefined || (task && task.execution !== this.#current)) return;
    Atomics.store(this.flag, FLAG.raised, 0);
    this.#delivered = Atomics.load(this.flag, FLAG.sequence);
    this.#chooseWaiters();
    setImmediate(() => this.#stopChosen());
    throw new KeyboardInterrupt();
  }

  /** Compiled around every awaited value. @param line line of the `await` in the cell, from 1 */
  await(value: unknown, line?: number): unknown {
    if (this.flag[FLAG.raised]) this.stop();
    const task = this.#tasks.getStore();
    if (!task || !isThenable(value)) return value;
    return new Promise((resolve, reject) => {
      const waiter = this.#wait(task, () => {
        if (this.#signalTaken) this.#windUp(value, task, reject, line);
        else reject(new KeyboardInterrupt(line));
      });
      Promise.resolve(value).then(
        (result) => this.#waiters.delete(waiter) && resolve(result),
        (error) => this.#waiters.delete(waiter) && reject(error),
      );
    });
  }

  // The signal is aborted; what watches it ends by itself, after it has saved what it must. If that fails, its error is told.
  #windUp(value: PromiseLike<unknown>, task: Task, reject: (error: unknown) => void, line?: number): void {
    const interrupted = () => reject(new KeyboardInterrupt(line));
    if (this.#interruptsOfCurrent > 1) {
      interrupted();
      return;
    }
    const waiter = this.#wait(task, interrupted);
    value.then(
      () => this.#waiters.delete(waiter) && interrupted(),
      (error) => this.#waiters.delete(waiter) && (isAbort(error) ? interrupted() : reject(error)),
    );
  }

  /** Compiled around the body of every async function. */
  async task<T>(body: () => Promise<T>): Promise<T> {
    const parent = this.#tasks.getStore();
    if (!parent) return body();
    const task = { execution: parent.execution, parent, liveChildren: 0 };
    parent.liveChildren++;
    try {
      return await this.#tasks.run(task, body);
    } finally {
      parent.liveChildren--;
      setImmediate(() => this.#stopChosen()); // after the error has reached those who await this task
    }
  }

  /**
   * Compiled around the source of every `for await`. An interrupt while it waits for the next value calls `return()` of
   * the source and waits until that is done (a training run writes its checkpoint there); a second one ends that wait.
   */
  iterate<T>(iterable: AsyncIterable<T> | Iterable<T | PromiseLike<T>>, line?: number): AsyncIterable<T> {
    const source = isAsyncIterable(iterable) ? iterable[Symbol.asyncIterator]() : fromSync(iterable);
    const close = async (value?: unknown): Promise<IteratorResult<T>> => {
      const done: IteratorResult<T> = { done: true, value };
      return source.return ? ((await this.await(source.return(value), line)) as IteratorResult<T>) : done;
    };
    return {
      [Symbol.asyncIterator]: () => ({
        next: () => this.#next(source, close, line),
        return: close,
      }),
    };
  }

  #next<T>(source: AsyncIterator<T>, close: () => Promise<unknown>, line?: number): Promise<IteratorResult<T>> {
    if (this.flag[FLAG.raised]) {
      // The loop has not been entered or stands between two values; leave as if the wait had been interrupted.
      try {
        this.stop();
      } catch (interrupt) {
        return close().then(() => Promise.reject(interrupt));
      }
    }
    const task = this.#tasks.getStore();
    if (!task) return source.next();
    return new Promise((resolve, reject) => {
      const waiter = this.#wait(task, () => {
        this.#tasks.run(task, close).then(() => reject(new KeyboardInterrupt(line)), reject);
      });
      Promise.resolve(source.next()).then(
        (result) => this.#waiters.delete(waiter) && resolve(result),
        (error) => this.#waiters.delete(waiter) && reject(error),
      );
    });
  }

  #wait(task: Task, stop: () => void): Waiter {
    const waiter = { task, chosen: false, stop };
    this.#waiters.add(waiter);
    return waiter;
  }

  #chooseWaiters(): void {
    this.#interruptsOfCurrent++;
    this.#controller.abort(new KeyboardInterrupt());
    for (const waiter of this.#waiters) {
      if (waiter.task.execution === this.#current) waiter.chosen = true;
    }
  }

  // Innermost first: whoever waits for a live child is told by that child's own end. A second interrupt tells all.
  #stopChosen(): void {
    for (const waiter of [...this.#waiters]) {
      const isInnermost = waiter.task.liveChildren === 0 || this.#interruptsOfCurrent > 1;
      if (!waiter.chosen || !isInnermost) continue;
      this.#waiters.delete(waiter);
      waiter.stop();
    }
  }
}

function isAbort(error: unknown): boolean {
  return error instanceof KeyboardInterrupt || (error instanceof Error && error.name === "AbortError");
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (typeof value === "object" || typeof value === "function") && value !== null && "then" in value;
}

function isAsyncIterable<T>(value: AsyncIterable<T> | Iterable<T | PromiseLike<T>>): value is AsyncIterable<T> {
  return Symbol.asyncIterator in value;
}

async function* fromSync<T>(iterable: Iterable<T | PromiseLike<T>>): AsyncGenerator<T> {
  for (const value of iterable) yield await value;
}

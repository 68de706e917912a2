/**
 * Stops the code of a cell and keeps its state. In: calls that the compiler put into the cell (at loop heads, around
 * `await`, `for await` and the bodies of async functions) and a flag that another thread raises. Out: a KeyboardInterrupt
 * thrown once into each chain of calls, innermost first, so that every `finally` runs in its order. Where a library winds
 * up first (a training run saves its checkpoint), the cell is told as stopped before that.
 * It cannot stop library code that computes without returning; the kernel ends the session then.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout } from "node:timers"; // not the cells' own, which end with their cell

/** What an interrupted cell throws. */
export class KeyboardInterrupt extends Error {
  override readonly name = "KeyboardInterrupt";
  /** Line of the cell, from 1, at which it was waiting; undefined when the stack says it. */
  readonly line: number | undefined;
  /** @param windsUp whether something that the cell waited for has yet to end */
  constructor(line?: number, windsUp = false) {
    const kept = "the cell was stopped; its variables are kept";
    super(windsUp ? `${kept}. What it waited for ends in order, and the next cell waits for that` : kept);
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

/** One execution that interrupts are meant for. */
interface Run {
  interrupts: number;
  signalTaken: boolean;
  /** How much of what it waits for winds up after an interrupt. */
  windingUp: number;
  readonly controller: AbortController;
  readonly onStopped: (interrupt: KeyboardInterrupt) => void;
}

// What has wound up within this time still belongs to the stopped cell.
const WIND_UP_MILLISECONDS = 50;

/** Interrupts the executions of one session: the cell, and what runs beside it in a subshell or for a comm message. */
export class Interrupter {
  /** `flag[0]` is not 0 while an interrupt is to be noticed by running code; `flag[1]` counts interrupts. */
  readonly flag: Int32Array;
  readonly #tasks: AsyncLocalStorage<Task>;
  readonly #waiters = new Set<Waiter>();
  readonly #runs = new Map<number, Run>();
  #delivered = 0;

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
    const run = this.#runs.get(this.#tasks.getStore()?.execution ?? 0);
    if (!run) return new AbortController().signal; // of a cell that has ended
    run.signalTaken = true;
    return run.controller.signal;
  }

  /**
   * Runs an execution, so that interrupts stop it.
   *
   * @param onStopped called, maybe more than once, when an interrupt has reached it and it only waits for what winds up
   */
  async run<T>(
    execution: number,
    body: () => Promise<T>,
    onStopped: (interrupt: KeyboardInterrupt) => void,
  ): Promise<T> {
    // An interrupt that came when nothing ran was meant for nothing.
    if (this.#runs.size === 0) Atomics.store(this.flag, FLAG.raised, 0);
    const controller = new AbortController();
    this.#runs.set(execution, { interrupts: 0, signalTaken: false, windingUp: 0, controller, onStopped });
    try {
      return await this.#tasks.run({ execution, parent: undefined, liveChildren: 0 }, body);
    } finally {
      this.#runs.delete(execution);
    }
  }

  /** Takes the message that follows a raised flag: everything that waits is told to stop. */
  deliver(sequence: number): void {
    if (sequence <= this.#delivered) return; // running code has noticed it before
    this.#delivered = sequence;
    Atomics.store(this.flag, FLAG.raised, 0);
    this.#chooseWaiters();
    this.#stopChosen();
  }

  /** Compiled into loop heads behind a test of the flag. @throws KeyboardInterrupt when the cell is to stop */
  stop(): void {
    const task = this.#tasks.getStore();
    if (this.#runs.size === 0 || (task && !this.#runs.has(task.execution))) return;
    Atomics.store(this.flag, FLAG.raised, 0);
    this.#delivered = Atomics.load(this.flag, FLAG.sequence);
    this.#chooseWaiters();
    setImmediate(() => this.#stopChosen());
    throw new KeyboardInterrupt();
  }

  /**
   * Compiled around every awaited value.
   *
   * @param line line of the `await` in the cell, from 1
   * @param isEnd whether the value is the end of something, which an interrupt does not leave unseen
   */
  await(value: unknown, line?: number, isEnd = false): unknown {
    if (this.flag[FLAG.raised]) this.stop();
    const task = this.#tasks.getStore();
    if (!task || !isThenable(value)) return value;
    return new Promise((resolve, reject) => {
      const waiter = this.#wait(task, () => {
        if (isEnd || this.#runs.get(task.execution)?.signalTaken) this.#windUp(value, task, reject, line);
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
    if (this.#isImpatient(task)) {
      interrupted();
      return;
    }
    const waiter = this.#wait(task, interrupted);
    this.#stoppedWhile(value, task, line);
    value.then(
      () => this.#waiters.delete(waiter) && interrupted(),
      (error) => this.#waiters.delete(waiter) && (isAbort(error) ? interrupted() : reject(error)),
    );
  }

  // Whoever pressed Stop is not kept waiting for the end of what the cell called.
  #stoppedWhile(ending: PromiseLike<unknown>, { execution }: Task, line?: number): void {
    const run = this.#runs.get(execution);
    if (!run) return;
    const over = () => run.windingUp--;
    run.windingUp++;
    ending.then(over, over);
    setTimeout(() => {
      if (run.windingUp > 0) run.onStopped(new KeyboardInterrupt(line, true));
    }, WIND_UP_MILLISECONDS);
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
   * the source and waits until that is done (a training run writes its checkpoint there); a second one ends that wait. The
   * cell is told as stopped before that.
   */
  iterate<T>(iterable: AsyncIterable<T> | Iterable<T | PromiseLike<T>>, line?: number): AsyncIterable<T> {
    const source = isAsyncIterable(iterable) ? iterable[Symbol.asyncIterator]() : fromSync(iterable);
    const close = async (value?: unknown): Promise<IteratorResult<T>> => {
      if (!source.return) return { done: true, value };
      const task = this.#tasks.getStore();
      const ending = Promise.resolve(source.return(value));
      if (task && this.#runs.get(task.execution)?.interrupts) this.#stoppedWhile(ending, task, line);
      return (await this.await(ending, line, true)) as IteratorResult<T>;
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
    for (const run of this.#runs.values()) {
      run.interrupts++;
      run.controller.abort(new KeyboardInterrupt());
    }
    for (const waiter of this.#waiters) {
      if (this.#runs.has(waiter.task.execution)) waiter.chosen = true;
    }
  }

  #isImpatient({ execution }: Task): boolean {
    return (this.#runs.get(execution)?.interrupts ?? 0) > 1;
  }

  // Innermost first: whoever waits for a live child is told by that child's own end. A second interrupt tells all.
  #stopChosen(): void {
    for (const waiter of [...this.#waiters]) {
      const isInnermost = waiter.task.liveChildren === 0 || this.#isImpatient(waiter.task);
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

/**
 * Timers of cells. In: the execution that the running code belongs to. Out: global `setTimeout` and `setInterval` that
 * remember what a running cell has started, so that an interrupt can end it. Timers of earlier cells, and those that Node
 * keeps for itself, are left alone.
 */
import { promisify } from "node:util";

type Callback = (...values: unknown[]) => unknown;

/** The timers of one session. */
export class CellTimers {
  readonly #executionNow: () => number | undefined;
  // Running execution → what it has started and what has not fired.
  readonly #live = new Map<number, Set<NodeJS.Timeout>>();

  /** @param executionNow number of the execution that the running code belongs to */
  constructor(executionNow: () => number | undefined) {
    this.#executionNow = executionNow;
  }

  /** Puts the functions in place of Node's own. */
  install(scope: typeof globalThis): void {
    const { setTimeout, setInterval, clearTimeout, clearInterval } = scope;
    const live = () => this.#live.get(this.#executionNow() ?? 0);
    const startTimeout = (callback: unknown, delay?: number, ...values: unknown[]): NodeJS.Timeout => {
      const own = live();
      if (typeof callback !== "function" || !own) return setTimeout(callback as Callback, delay, ...values);
      const timer = setTimeout(
        function (this: unknown, ...given: unknown[]) {
          own.delete(timer);
          callback.apply(this, given);
        },
        delay,
        ...values,
      );
      own.add(timer);
      return timer;
    };
    const startInterval = (callback: unknown, delay?: number, ...values: unknown[]): NodeJS.Timeout => {
      const timer = setInterval(callback as Callback, delay, ...values);
      live()?.add(timer);
      return timer;
    };
    const ending =
      (clear: (timer?: NodeJS.Timeout | string | number) => void) => (timer?: NodeJS.Timeout | string | number) => {
        if (typeof timer === "object") live()?.delete(timer);
        clear(timer);
      };
    // util.promisify(setTimeout) finds its own form by this symbol.
    Object.defineProperty(startTimeout, promisify.custom, { value: Reflect.get(setTimeout, promisify.custom) });
    replace(scope, "setTimeout", startTimeout);
    replace(scope, "setInterval", startInterval);
    replace(scope, "clearTimeout", ending(clearTimeout));
    replace(scope, "clearInterval", ending(clearInterval));
  }

  /** Remembers from now on what this execution starts. */
  begin(execution: number): void {
    this.#live.set(execution, new Set());
  }

  /** Forgets the execution's timers. @param interrupted ends those that have not fired */
  end(execution: number, interrupted: boolean): void {
    if (interrupted) for (const timer of this.#live.get(execution) ?? []) clearInterval(timer);
    this.#live.delete(execution);
  }
}

function replace(scope: typeof globalThis, name: string, value: Callback | ((...values: never[]) => unknown)): void {
  Object.defineProperty(value, "name", { value: name });
  Object.defineProperty(scope, name, { value, configurable: true, enumerable: true, writable: true });
}

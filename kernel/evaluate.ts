/**
 * Evaluates compiled cells in this process. In: JavaScript of a cell. Out: the value of its last expression, or the thrown
 * value itself. Uses the inspector's REPL mode, which gives top-level await, redeclaration and bindings that live on.
 */
import type { AsyncLocalStorage } from "node:async_hooks";
import { Session } from "node:inspector";
import { type CompiledCell, HOST_NAME } from "./channel.js";
import type { Interrupter, Task } from "./interrupt.js";
import type { CellModules } from "./modules.js";

interface RemoteObject {
  readonly objectId?: string;
  readonly value?: unknown;
  readonly unserializableValue?: string;
  readonly type: string;
}

interface Evaluation {
  readonly result: RemoteObject;
  readonly exceptionDetails?: { readonly text: string; readonly exception?: RemoteObject };
}

/** Runs cells, all in the same global scope; one may run while another waits. */
export class Evaluator {
  readonly #session = new Session();
  readonly #tasks: AsyncLocalStorage<Task>;
  readonly #values = new Map<number, unknown>();
  #thrown: unknown;

  /** @param tasks tells which execution the running code belongs to */
  constructor(tasks: AsyncLocalStorage<Task>) {
    this.#tasks = tasks;
    this.#session.connect();
  }

  /** Gives compiled cells their helpers: interrupts, imports and a place for the result. */
  installHost(interrupter: Interrupter, modules: CellModules): void {
    const host = {
      flag: interrupter.flag,
      stop: () => interrupter.stop(),
      await: (value: unknown, line?: number) => interrupter.await(value, line),
      iterate: (iterable: AsyncIterable<unknown>, line?: number) => interrupter.iterate(iterable, line),
      task: (body: () => Promise<unknown>) => interrupter.task(body),
      import: (specifier: unknown) => modules.import(String(specifier)),
      require: (specifier: string) => modules.require(specifier),
      meta: modules.meta,
      result: (value: unknown) => {
        this.#values.set(this.#execution(), value);
      },
      caught: (value: unknown) => {
        this.#thrown = value;
      },
    };
    Object.defineProperty(globalThis, HOST_NAME, { value: Object.freeze(host) });
  }

  /**
   * Runs a cell to its end.
   *
   * @returns the value of its last expression, undefined when the last statement is none
   * @throws what the cell throws, as it is
   */
  async evaluate(cell: CompiledCell): Promise<unknown> {
    const execution = this.#execution();
    const objectGroup = `cell-${execution}`;
    const { exceptionDetails } = await this.#post<Evaluation>("Runtime.evaluate", {
      expression: `"use strict";\n${cell.code}\n//# sourceURL=${cell.fileName}`,
      replMode: true,
      awaitPromise: true,
      objectGroup,
    });
    const value = this.#values.get(execution);
    this.#values.delete(execution);
    try {
      if (exceptionDetails) throw await this.#thrownValue(exceptionDetails);
      return value;
    } finally {
      await this.#post("Runtime.releaseObjectGroup", { objectGroup });
    }
  }

  #execution(): number {
    return this.#tasks.getStore()?.execution ?? 0;
  }

  // The protocol describes an exception; the object itself comes over by a call that takes it as argument.
  async #thrownValue({ text, exception }: NonNullable<Evaluation["exceptionDetails"]>): Promise<unknown> {
    if (!exception) return new Error(text);
    if (exception.objectId === undefined) return exception.value;
    // The inspector of one's own thread answers at once, so nothing comes between the call and the next line.
    const called = this.#post("Runtime.callFunctionOn", {
      functionDeclaration: `function () { ${HOST_NAME}.caught(this); }`,
      objectId: exception.objectId,
    });
    const thrown = this.#thrown;
    this.#thrown = undefined;
    await called;
    return thrown;
  }

  #post<T>(method: string, parameters: object): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, parameters, (error, result) => {
        if (error) reject(error);
        else resolve(result as T);
      });
    });
  }
}

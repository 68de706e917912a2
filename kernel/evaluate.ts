/**
 * Evaluates compiled cells in this process. In: JavaScript of a cell. Out: the value of its last expression, or the thrown
 * value itself. Uses the inspector's REPL mode, which gives top-level await, redeclaration and bindings that live on.
 */
import { Session } from "node:inspector";
import { type CompiledCell, HOST_NAME } from "./channel.js";
import type { Interrupter } from "./interrupt.js";
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

const OBJECT_GROUP = "cell";

/** Runs cells one after the other, all in the same global scope. */
export class Evaluator {
  readonly #session = new Session();
  #value: unknown;
  #thrown: unknown;

  constructor() {
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
        this.#value = value;
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
    this.#value = undefined;
    const { exceptionDetails } = await this.#post<Evaluation>("Runtime.evaluate", {
      expression: `"use strict";\n${cell.code}\n//# sourceURL=${cell.fileName}`,
      replMode: true,
      awaitPromise: true,
      objectGroup: OBJECT_GROUP,
    });
    const value = this.#value;
    this.#value = undefined;
    try {
      if (exceptionDetails) throw await this.#thrownValue(exceptionDetails);
      return value;
    } finally {
      await this.#post("Runtime.releaseObjectGroup", { objectGroup: OBJECT_GROUP });
    }
  }

  // The protocol describes an exception; the object itself comes over by a call that takes it as argument.
  async #thrownValue({ text, exception }: NonNullable<Evaluation["exceptionDetails"]>): Promise<unknown> {
    if (!exception) return new Error(text);
    if (exception.objectId === undefined) return exception.value;
    await this.#post("Runtime.callFunctionOn", {
      functionDeclaration: `function () { ${HOST_NAME}.caught(this); }`,
      objectId: exception.objectId,
    });
    const thrown = this.#thrown;
    this.#thrown = undefined;
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

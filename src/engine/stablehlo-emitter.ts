/**
 * What the rules of StableHLO share while a program is written: its arguments, its values so far, and what each variable holds. In
 * and out: names of values. It writes only what somebody reads.
 */
import type { TensorSpec } from "./engine.js";
import { type HloValue, StableHloWriter } from "./stablehlo-writer.js";

/** An argument of the function. */
export interface HloArgument extends TensorSpec {
  readonly kind: "input" | "variable";
  readonly name: string;
}

/** What the rules write to. */
export class Emitter {
  readonly writer = new StableHloWriter();
  readonly arguments: HloArgument[] = [];
  readonly values = new Map<number, HloValue>();
  readonly updated = new Set<string>();
  /** What each variable holds at this point of the program; written only when somebody reads it. */
  private readonly variables = new Map<string, () => HloValue>();

  value(id: number): HloValue {
    return this.values.get(id) as HloValue;
  }

  /** The argument that a value is, if it is one. */
  argument(id: number): HloArgument | undefined {
    const place = /^%a(\d+)$/.exec(this.value(id).name)?.[1];
    return place === undefined ? undefined : this.arguments[Number(place)];
  }

  add(argument: HloArgument): HloValue {
    return { name: `%a${this.arguments.push(argument) - 1}`, shape: argument.shape, dtype: argument.dtype };
  }

  variable(name: string, shape: readonly number[] = []): HloValue {
    return this.reader(name, shape)();
  }

  /** How to get at what a variable holds now, even after it was updated. */
  reader(name: string, shape: readonly number[]): () => HloValue {
    const known = this.variables.get(name) ?? once(() => this.add({ kind: "variable", name, shape, dtype: "float32" }));
    this.variables.set(name, known);
    return known;
  }

  update(name: string, value: () => HloValue): void {
    this.variables.set(name, once(value));
    this.updated.add(name);
  }
}

/** The result of a function that is called at most once. */
export function once<Result>(make: () => Result): () => Result {
  let made: { readonly result: Result } | undefined;
  return () => {
    made ??= { result: make() };
    return made.result;
  };
}

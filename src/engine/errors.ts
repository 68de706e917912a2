/**
 * The errors that engines and the tracer give alike, with the operation and the user's line read from the stack. In: what was
 * found. Out: the error to throw, in the form of message.ts.
 */
import { fileURLToPath } from "node:url";
import { nearest, problem } from "../message.js";
import { sizeOf } from "./program.js";

/** A TypeError for an array that does not fill its shape. */
export function lengthMismatch(what: string, found: number, shape: readonly number[]): TypeError {
  return new TypeError(
    problem({
      cannot: `fill ${what}`,
      found: `${found} values`,
      expected: `${sizeOf(shape)} for shape [${shape.join(", ")}]`,
      fix: "pass one value per element, row by row",
    }),
  );
}

/**
 * Refuses a shape that is not known before the step runs.
 *
 * @throws TypeError where a size is no whole number from 0 on
 */
export function checkStatic(what: string, shape: readonly (number | null)[]): void {
  if (shape.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)) return;
  throw new TypeError(
    problem({
      cannot: `compile a step for ${what}`,
      found: `shape [${shape.join(", ")}]`,
      expected: "whole numbers from 0 on: shapes are static",
      fix: "compile the step once for each shape, or pad the input to the largest and mask the rest",
    }),
  );
}

/**
 * Memory ran out while something was computed. It can be done again in smaller pieces; an optimiser step may have changed
 * some of its variables.
 */
export class OutOfMemoryError extends Error {
  override readonly name = "OutOfMemoryError";
}

/**
 * An OutOfMemoryError in the form of every message.
 *
 * @param action what could not be done: `run a step`
 * @param found what the engine said
 */
export function outOfMemory(action: string, found: string): OutOfMemoryError {
  return new OutOfMemoryError(
    problem({
      cannot: action,
      found,
      expected: "enough memory",
      fix: "halve batchSize and double gradientAccumulation, or shorten blockSize",
    }),
  );
}

/** Whether memory ran out, in the engine or in JavaScript's own arrays. */
export function isOutOfMemory(error: unknown): error is Error {
  if (error instanceof OutOfMemoryError) return true;
  return error instanceof RangeError && error.message.startsWith("Array buffer allocation failed");
}

/** An Error for the use of an engine after `dispose()`. */
export function disposedEngine(): Error {
  return new Error(
    problem({
      cannot: "run a step",
      found: "an engine that was disposed",
      expected: "an open one",
      fix: "open a new engine with chooseEngine()",
    }),
  );
}

/** A RangeError for a variable that was never created. */
export function unknownVariable(name: string, known: Iterable<string>): RangeError {
  const names = [...known];
  const near = nearest(name, names);
  return new RangeError(
    problem({
      cannot: `use variable "${name}"`,
      found: "no variable of that name",
      expected: near ? `"${near}"` : `one of the ${names.length} variables of the engine`,
      fix: `create it first with createVariables(new Map([["${name}", { shape: […] }]]))`,
    }),
  );
}

/** Where in the user's code an operation was called. */
export interface CallSite {
  /** The TensorFlow.js operation: `matMul`. */
  readonly operation?: string;
  /** ` at model.ts:12:5`, or "" where the stack does not say. */
  readonly at: string;
}

// Frames of TensorFlow.js, with and without source maps, of Node and of the engine itself.
const ownFrame = /node_modules|tfjs-core[/\\]src|\(?node:|[/\\]src[/\\]engine[/\\]|<anonymous>$|\(native\)/;

/** Reads the stack of an error: the outermost TensorFlow.js operation, and the first line that is not the library's. */
export function callSite(error: Error): CallSite {
  let operation: string | undefined;
  for (const frame of (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line))) {
    operation = /(\w+?)__op/.exec(frame)?.[1] ?? operation;
    const place = /\(?([^\s()]+:\d+:\d+)\)?$/.exec(frame)?.[1];
    if (!place || ownFrame.test(frame)) continue;
    const line = place.startsWith("file:") ? fileURLToPath(place) : place;
    return { ...(operation && { operation }), at: ` at ${line}` };
  }
  return { ...(operation && { operation }), at: "" };
}

/** Whether an error comes from inside TensorFlow.js or the engine, and not from the user's own code. */
export function isFromLibrary(error: Error): boolean {
  const first = (error.stack ?? "").split("\n").find((line) => /^\s+at /.test(line));
  return first !== undefined && ownFrame.test(first);
}

/** A TypeError for two shapes that an operation cannot take together. */
export function shapesDisagree(a: readonly number[], b: readonly number[], expected: string): TypeError {
  const { operation = "operation", at } = callSite(new Error());
  return new TypeError(
    problem({
      cannot: `trace tf.${operation}${at}`,
      found: `tensors of shape [${a.join(", ")}] and [${b.join(", ")}]`,
      expected,
      fix: "reshape, transpose or slice one of them before the call",
    }),
  );
}

/** A TypeError for a call that TensorFlow.js itself refused. */
export function refusedCall(error: Error): TypeError {
  const { operation, at } = callSite(error);
  const call = operation ? `tf.${operation}` : "this step";
  const expected = "arguments that TensorFlow.js takes";
  const fix = operation
    ? `change the call of tf.${operation}${at}`
    : "run the same step with FLEDGE_ENGINE=cpu to look at it";
  const found = `TensorFlow.js said "${error.message.replace(/\.$/, "")}"`;
  return new TypeError(problem({ cannot: `trace ${call}${at}`, found, expected, fix }), { cause: error });
}

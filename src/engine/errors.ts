/** The errors that every engine gives alike. In: what was found. Out: the error to throw, in the form of message.ts. */
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

/**
 * What the exports share: the record of a written file, and the check of the dtypes asked for. It writes nothing.
 */
import { problem } from "../message.js";

/** A file that an export wrote. */
export interface ExportedFile {
  readonly path: string;
  readonly bytes: number;
}

/**
 * Refuses a dtype that a format does not have.
 *
 * @param format as people say it: `ONNX`
 * @throws RangeError naming those that it has
 */
export function checkDtypes(asked: readonly string[], known: readonly string[], format: string): void {
  const unknown = asked.find((dtype) => !known.includes(dtype));
  if (unknown === undefined && asked.length > 0) return;
  const found = unknown === undefined ? "no dtype" : `dtype "${unknown}"`;
  const fix = `choose among ${known.join(", ")}`;
  throw new RangeError(problem({ cannot: `export as ${format}`, found, expected: known.join(", "), fix }));
}

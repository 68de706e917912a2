/**
 * Turns the value of a cell into what Jupyter shows. In: any value. Out: a MIME bundle (MIME type → data), always with
 * text/plain. A value that knows how it wants to be shown says so by `Symbol.for("Jupyter.display")`. It sends nothing.
 */
import { inspect } from "node:util";
import type { Json } from "./protocol.js";

const JUPYTER_DISPLAY = Symbol.for("Jupyter.display");
const LONGEST_TEXT = 20_000; // characters; stored in the notebook, so it stays readable

/**
 * The MIME bundle of a value.
 *
 * @returns the bundle, or undefined for `undefined`, which shows nothing
 * @throws whatever the value's own display function throws
 */
export async function mimeBundle(value: unknown): Promise<Json | undefined> {
  if (value === undefined) return undefined;
  if ((typeof value === "object" && value !== null) || typeof value === "function") {
    const display: unknown = Reflect.get(value, JUPYTER_DISPLAY);
    if (typeof display === "function") {
      const bundle: unknown = await display.call(value);
      if (typeof bundle === "object" && bundle !== null) return cleanBundle({ "text/plain": plain(value), ...bundle });
    }
  }
  return { "text/plain": plain(value) };
}

/** Makes a bundle safe to send: bytes become base64, what JSON cannot hold becomes text. */
export function cleanBundle(bundle: object): Json {
  return Object.fromEntries(Object.entries(bundle).map(([mime, data]) => [mime, cleanData(data)]));
}

function cleanData(data: unknown): unknown {
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  try {
    return JSON.parse(JSON.stringify(data));
  } catch {
    return inspect(data);
  }
}

function plain(value: unknown): string {
  const text = isTensor(value)
    ? `${value.dtype} tensor of shape [${value.shape.join(", ")}]\n${value.toString()}`
    : inspect(value, { depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100 });
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… ${(text.length - LONGEST_TEXT).toLocaleString("en")} characters more`;
}

// A TensorFlow.js tensor prints its values by toString(); its fields say nothing to a reader.
function isTensor(value: unknown): value is { readonly dtype: string; readonly shape: readonly number[] } {
  return (
    typeof value === "object" &&
    value !== null &&
    "dtype" in value &&
    "shape" in value &&
    Array.isArray(value.shape) &&
    "dataSync" in value
  );
}

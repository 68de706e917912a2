/**
 * Turns the value of a cell into what Jupyter shows. In: any value. Out: a MIME bundle (MIME type → data), always with
 * text/plain. A value that knows how it wants to be shown says so by `Symbol.for("Jupyter.display")`, at once or by a
 * promise; other kinds are known by what they can do (duck-types.ts). It sends nothing.
 */
import { inspect } from "node:util";
import { isBundle, isShown, jupyterDisplay } from "../src/view/display.js";
import { duckTypeBundle } from "./duck-types.js";
import type { Json } from "./protocol.js";

const LONGEST_TEXT = 20_000; // characters; stored in the notebook, so it stays readable

/**
 * The MIME bundle of a cell's result.
 *
 * @returns the bundle, or undefined for `undefined` and for what `display()` gives back, which show nothing
 * @throws whatever the value's own display function throws
 */
export async function mimeBundle(value: unknown): Promise<Json | undefined> {
  return value === undefined || isShown(value) ? undefined : bundleOf(value);
}

/** The bundle of what a cell displays by hand: a bundle and a text are taken as they are; else as `mimeBundle`. */
export function displayBundle(value: unknown): Json | Promise<Json> {
  if (typeof value === "string") return { "text/plain": value };
  return isBundle(value) ? cleanBundle(value) : bundleOf(value);
}

// A promise only for a value that gives its own form by one.
function bundleOf(value: unknown): Json | Promise<Json> {
  if ((typeof value !== "object" || value === null) && typeof value !== "function")
    return { "text/plain": plain(value) };
  const display: unknown = Reflect.get(value, jupyterDisplay);
  if (typeof display === "function") {
    const own: unknown = display.call(value);
    return own instanceof Promise ? own.then((bundle) => completed(value, bundle)) : completed(value, own);
  }
  const known = knownBundle(value);
  return known ? cleanBundle(known) : { "text/plain": plain(value) };
}

function completed(value: object, bundle: unknown): Json {
  return cleanBundle({ "text/plain": plain(value), ...(typeof bundle === "object" ? bundle : {}) });
}

// What only looks like a table or a tensor, and fails when asked, is shown as any other object.
function knownBundle(value: object): Json | undefined {
  try {
    return duckTypeBundle(value);
  } catch {
    return undefined;
  }
}

/** Metadata of a bundle: what its picture shows, in words for whoever cannot see it; nbconvert makes it the image's alt. */
export function bundleMetadata(data: Json): Json {
  const text = data["text/plain"];
  return "image/png" in data && typeof text === "string" ? { "image/png": { alt: text } } : {};
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
  const text = inspect(value, { depth: 4, maxArrayLength: 100, maxStringLength: 10_000, breakLength: 100 });
  return shortened(value instanceof Error ? withoutBrackets(text, value) : text);
}

// inspect() puts brackets around an error without frames.
function withoutBrackets(text: string, error: Error): string {
  const bracketed = `[${error.stack}]`;
  return text.startsWith(bracketed) ? bracketed.slice(1, -1) + text.slice(bracketed.length) : text;
}

function shortened(text: string): string {
  if (text.length <= LONGEST_TEXT) return text;
  return `${text.slice(0, LONGEST_TEXT)}\n… ${(text.length - LONGEST_TEXT).toLocaleString("en")} characters more`;
}

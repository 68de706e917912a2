/**
 * How the library shows things without knowing who watches. In: a MIME bundle, an object with a display method, or any
 * value. Out: one call of the notebook's display hook, or, in a terminal, the text/plain form on standard output.
 * In cells of the TypeScript kernel `display` is there without an import. It knows no Jupyter protocol: the kernel installs
 * the hook under a registered symbol, and neither imports the other.
 */
import { randomUUID } from "node:crypto";
import { inspect } from "node:util";

/** One value in several forms: MIME type → data (text, base64 for binary images, an object for JSON types). */
export type MimeBundle = Readonly<Record<string, unknown>>;

/** The method by which a value gives its MIME bundle; the same symbol that Deno's notebooks use. */
export const jupyterDisplay: unique symbol = Symbol.for("Jupyter.display");

/** Where the kernel installs its display hook on `globalThis`. */
export const displayHook: unique symbol = Symbol.for("fledge.display");

/** A value that knows how it wants to be shown. */
export interface Displayable {
  /** The value in every form that it can be shown in. */
  [jupyterDisplay](): MimeBundle;
}

/** Names a display so that it can be replaced later. */
export interface DisplayOptions {
  /** Name of the display, unique in the notebook; default: a random one. */
  readonly displayId?: string;
  /** Replace the display of this name where it stands instead of adding one; default false. */
  readonly update?: boolean;
}

/** What was shown, to be replaced where it stands. */
export interface Shown {
  readonly displayId: string;
  /** Shows another value in its place. */
  update(value: unknown): void;
}

/** What the kernel installs: shows a value, in its best form, in the cell that runs. */
export type DisplayHook = (value: unknown, options?: DisplayOptions) => void;

/**
 * The notebook's display hook, when this process has one.
 *
 * @returns the hook that the kernel installed, or undefined in a plain terminal.
 */
export function notebookHook(): DisplayHook | undefined {
  const hook: unknown = Reflect.get(globalThis, displayHook);
  return typeof hook === "function" ? (hook as DisplayHook) : undefined;
}

/** Where the kernel keeps the AbortSignal of the cell that runs, on `globalThis`. */
export const cellSignal: unique symbol = Symbol.for("fledge.signal");

/**
 * The signal that the running cell's Stop button aborts.
 *
 * @returns the kernel's signal, or undefined in a plain terminal.
 */
export function notebookSignal(): AbortSignal | undefined {
  const signal: unknown = Reflect.get(globalThis, cellSignal);
  return signal instanceof AbortSignal ? signal : undefined;
}

/**
 * The MIME bundle of any value: its own display method, the value itself when it is a bundle, else its text.
 *
 * @param value a displayable, a MIME bundle, or anything else (strings as they are, the rest as Node prints it).
 * @returns a bundle that always has text/plain.
 * @example
 * bundleOf("hello"); // { "text/plain": "hello" }
 */
export function bundleOf(value: unknown): MimeBundle {
  const bundle = isDisplayable(value) ? value[jupyterDisplay]() : value;
  if (isBundle(bundle))
    return "text/plain" in bundle ? bundle : { ...bundle, "text/plain": Object.keys(bundle).join(", ") };
  return { "text/plain": typeof value === "string" ? value : inspect(value) };
}

/**
 * Shows a value: richly in a notebook, as text in a terminal. In a terminal an update prints nothing, so that a live
 * display does not fill the screen; what matters should also be printed as a line.
 *
 * @param value a displayable, a MIME bundle, or anything else.
 * @param options displayId names the display, update replaces it.
 * @returns the display, for updates; `display.update(displayId, value)` does the same by name.
 * @example
 * const loss = display({ "text/plain": "loss 3.21", "text/html": "loss <b>3.21</b>" });
 * loss.update({ "text/plain": "loss 3.20", "text/html": "loss <b>3.20</b>" });
 */
export function display(value: unknown, options: DisplayOptions = {}): Shown {
  const { displayId = randomUUID(), update = false } = options;
  const hook = notebookHook();
  if (hook) hook(value, { displayId, update });
  else if (!update) process.stdout.write(`${String(bundleOf(value)["text/plain"])}\n`);
  return { displayId, update: (next) => display.update(displayId, next) };
}

/** Replaces what was shown under a name. */
display.update = (displayId: string, value: unknown): void => {
  display(value, { displayId, update: true });
};

function isDisplayable(value: unknown): value is Displayable {
  return typeof value === "object" && value !== null && jupyterDisplay in value;
}

/** Whether a value is a MIME bundle: an object that has MIME types as keys and nothing else. */
export function isBundle(value: unknown): value is MimeBundle {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length > 0 && keys.every((key) => /^[a-z]+\/[\w.+-]+$/.test(key));
}

/** Whether a value is what `display()` gives back: at the end of a cell it shows nothing, since it has shown something. */
export function isShown(value: unknown): value is Shown {
  if (typeof value !== "object" || value === null) return false;
  const { displayId, update, ...others } = value as Partial<Shown>;
  return typeof displayId === "string" && typeof update === "function" && Object.keys(others).length === 0;
}

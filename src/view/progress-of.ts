/**
 * Progress of any loop. In: something to loop over. Out: the same values one by one, and a display with a bar, a count, the
 * speed and the time left, brought up to date at most twice a second. It changes no value and no order.
 */
import { display, jupyterDisplay, notebookHook } from "./display.js";
import { escapeMarkup } from "./escape.js";
import { formatCount, formatDuration, formatNumber, formatShare } from "./format.js";

/** How progress is shown; every field has a default. */
export interface ProgressOptions {
  /** What is done, one phrase; default none. */
  readonly label?: string;
  /** How many values there will be; default: the length or size of what is looped over, else unknown. */
  readonly total?: number;
  /** Milliseconds between two updates; default 500. */
  readonly minimumIntervalMs?: number;
  /** Milliseconds on any clock that only goes forward; default `performance.now`. */
  readonly now?: () => number;
}

/**
 * Loops over something and shows how far it is, in a notebook as a bar, in a terminal as one line at the end.
 *
 * @param source anything that `for … of` takes, or `for await … of`.
 * @param options label, total; see ProgressOptions.
 * @returns the same values. In `finally`, so also after `break`, an error or Stop, the display says how far it came.
 * @example
 * let sum = 0;
 * for (const n of progress([1, 2, 3], { label: "adding" })) sum += n; // adding · 100 % · 3 of 3 · …
 */
export function progress<T>(source: Iterable<T>, options?: ProgressOptions): Iterable<T>;
export function progress<T>(source: AsyncIterable<T>, options?: ProgressOptions): AsyncIterable<T>;
export function progress<T>(
  source: Iterable<T> | AsyncIterable<T>,
  options: ProgressOptions = {},
): Iterable<T> | AsyncIterable<T> {
  return Symbol.asyncIterator in source ? later(source, options) : atOnce(source, options);
}

function* atOnce<T>(source: Iterable<T>, options: ProgressOptions): Generator<T> {
  const bar = new Bar(options.total ?? knownLength(source), options);
  try {
    for (const value of source) {
      yield value;
      bar.advance();
    }
    bar.complete();
  } finally {
    bar.finish();
  }
}

async function* later<T>(source: AsyncIterable<T>, options: ProgressOptions): AsyncGenerator<T> {
  const bar = new Bar(options.total, options);
  try {
    for await (const value of source) {
      yield value;
      bar.advance();
    }
    bar.complete();
  } finally {
    bar.finish();
  }
}

function knownLength(source: object): number | undefined {
  if ("length" in source && typeof source.length === "number") return source.length;
  return "size" in source && typeof source.size === "number" ? source.size : undefined;
}

class Bar {
  readonly #total: number | undefined;
  readonly #options: ProgressOptions;
  readonly #now: () => number;
  readonly #startedAt: number;
  readonly #update: (value: unknown) => void;
  #shownAt: number;
  #done = 0;
  #isComplete = false;

  constructor(total: number | undefined, options: ProgressOptions) {
    this.#total = total;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#startedAt = this.#now();
    this.#shownAt = this.#startedAt;
    this.#update = notebookHook() ? display(this.#shown(false)).update : () => undefined;
  }

  advance(): void {
    this.#done++;
    const now = this.#now();
    if (now - this.#shownAt < (this.#options.minimumIntervalMs ?? 500)) return;
    this.#shownAt = now;
    this.#update(this.#shown(false));
  }

  complete(): void {
    this.#isComplete = true;
  }

  finish(): void {
    if (notebookHook()) this.#update(this.#shown(true));
    else display(this.#line(true));
  }

  #line(isOver: boolean): string {
    const { label } = this.#options;
    const total = this.#total;
    const seconds = (this.#now() - this.#startedAt) / 1000;
    const parts = label === undefined ? [] : [label];
    if (total !== undefined && total > 0) parts.push(formatShare(this.#done, total));
    parts.push(total === undefined ? formatCount(this.#done) : `${formatCount(this.#done)} of ${formatCount(total)}`);
    if (seconds > 0 && this.#done > 0) parts.push(`${formatNumber(this.#done / seconds)} a second`);
    if (isOver) parts.push(`${this.#isComplete ? "done" : "stopped"} after ${formatDuration(seconds)}`);
    else if (total !== undefined && this.#done > 0) {
      parts.push(`${formatDuration((seconds / this.#done) * Math.max(0, total - this.#done))} left`);
    }
    return parts.join(" · ");
  }

  #shown(isOver: boolean): object {
    const line = this.#line(isOver);
    const total = this.#total ?? (this.#isComplete ? this.#done : undefined);
    const value = total === undefined ? "" : ` max="${Math.max(1, total)}" value="${this.#done}"`;
    const name = escapeMarkup(this.#options.label ?? "progress");
    const bar = `<progress${value} aria-label="${name}" style="width: 100%"></progress>`;
    const html = `<div>${bar}<div style="font-variant-numeric: tabular-nums">${escapeMarkup(line)}</div></div>`;
    return { [jupyterDisplay]: () => ({ "text/html": html, "text/plain": line }) };
  }
}

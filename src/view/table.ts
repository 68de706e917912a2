/**
 * Tables and texts side by side. In: rows as plain objects, or a table object that can name its columns and list its
 * rows (arquero's can; it is not imported). Out: displays with escaped HTML and the same aligned as plain text. It
 * sorts, filters and computes nothing.
 */
import { type Displayable, jupyterDisplay } from "./display.js";
import { escapeMarkup } from "./escape.js";
import { formatCount, formatNumber } from "./format.js";
import { ink } from "./look.js";

/** One row: column name → value. */
export type Row = Readonly<Record<string, unknown>>;

/** The part of a data-frame library's table that is used here. */
export interface TableLike {
  columnNames(): readonly string[];
  objects(options?: { limit?: number }): Iterable<object>;
  numRows?(): number;
}

/** How a table is shown; every field has a default. */
export interface TableOptions {
  /** What the table holds, one phrase; the number of rows is added. */
  readonly caption?: string;
  /** Which columns, in which order; default all, as first met. */
  readonly columns?: readonly string[];
  /** Most rows to show, ≥ 1; default 20. */
  readonly maxRows?: number;
  /** Own wording of a column's values. */
  readonly format?: Readonly<Record<string, (value: unknown) => string>>;
}

/** Longest text of one plain-text cell, in characters; HTML cells hold four times that. */
const cellLimit = 60;

/**
 * A table to look at: numbers to the right with separators, a caption that says how many rows there are.
 *
 * @param source rows, or an object with columnNames() and objects().
 * @param options caption, columns, maxRows, format; see TableOptions.
 * @returns a displayable with text/html and text/plain.
 * @example
 * display(table([{ year: 1790, tokens: 1401 }, { year: 1791, tokens: 2972 }], { caption: "addresses" }));
 */
export function table(source: Iterable<object> | TableLike, options: TableOptions = {}): Displayable {
  const { columns, rows, total } = read(source, options);
  const cells = rows.map((row) => columns.map((column) => wording(column, row[column], options)));
  const isNumeric = columns.map(
    (column) =>
      rows.every((row) => isBlank(row[column]) || isNumber(row[column])) && rows.some((row) => isNumber(row[column])),
  );
  const shown =
    rows.length < total
      ? `first ${formatCount(rows.length)} of ${formatCount(total)} rows`
      : `${formatCount(total)} ${total === 1 ? "row" : "rows"}`;
  const caption = options.caption ? `${options.caption} (${shown})` : shown;
  return {
    [jupyterDisplay]: () => ({
      "text/html": tableHtml(caption, columns, cells, isNumeric),
      "text/plain": tableText(caption, columns, cells, isNumeric),
    }),
  };
}

/**
 * Texts side by side, such as what a model writes before and after training.
 *
 * @param texts a title and a text each.
 * @returns a displayable with text/html (columns that wrap on narrow pages) and text/plain (one below the other).
 * @example
 * display(compareTexts([{ title: "before", text: "The the" }, { title: "after", text: "The Congress" }]));
 */
export function compareTexts(texts: readonly { readonly title: string; readonly text: string }[]): Displayable {
  const columns = texts.map(
    ({ title, text }) =>
      `<section style="flex: 1 1 20em; min-width: 0; border-left: 3px solid ${ink.line}; padding-left: 12px">` +
      `<strong>${escapeMarkup(title)}</strong>` +
      `<div style="white-space: pre-wrap; overflow-wrap: anywhere">${escapeMarkup(text)}</div></section>`,
  );
  const plain = texts.map(({ title, text }) => `${title}\n${"-".repeat([...title].length)}\n${text}`).join("\n\n");
  return {
    [jupyterDisplay]: () => ({
      "text/html": `<div style="display: flex; flex-wrap: wrap; gap: 16px">${columns.join("")}</div>`,
      "text/plain": plain,
    }),
  };
}

function read(source: Iterable<object> | TableLike, { columns, maxRows = 20 }: TableOptions) {
  if ("columnNames" in source) {
    const all = source.numRows ? [...source.objects({ limit: maxRows })] : [...source.objects()];
    const rows = all.slice(0, maxRows) as Row[];
    return { columns: columns ?? source.columnNames(), rows, total: source.numRows?.() ?? all.length };
  }
  const all = [...source] as Row[];
  const rows = all.slice(0, maxRows);
  return { columns: columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))], rows, total: all.length };
}

function wording(column: string, value: unknown, { format }: TableOptions): string {
  const own = format && Object.hasOwn(format, column) ? format[column] : undefined;
  if (own) return own(value);
  if (isBlank(value)) return "";
  // A year is a name, not a quantity: 1790, not 1,790.
  if (isNumber(value))
    return /year|\bid\b/i.test(column)
      ? String(value)
      : typeof value === "bigint"
        ? formatNumber(Number(value))
        : formatNumber(value);
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function isBlank(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === "number" || typeof value === "bigint";
}

function tableHtml(
  caption: string,
  columns: readonly string[],
  cells: readonly string[][],
  isNumeric: readonly boolean[],
): string {
  const side = (column: number) =>
    `style="text-align: ${isNumeric[column] ? "right" : "left"}; vertical-align: top; padding: 2px 10px"`;
  const head = columns.map((name, i) => `<th scope="col" ${side(i)}>${escapeMarkup(name)}</th>`).join("");
  const body = cells.map(
    (row) =>
      `<tr>${row.map((cell, i) => `<td ${side(i)}>${escapeMarkup(cut(cell, 4 * cellLimit))}</td>`).join("")}</tr>`,
  );
  return [
    `<table style="font-variant-numeric: tabular-nums">`,
    `<caption style="caption-side: top; text-align: left">${escapeMarkup(caption)}</caption>`,
    `<thead><tr>${head}</tr></thead>`,
    `<tbody>\n${body.join("\n")}\n</tbody>`,
    "</table>",
  ].join("\n");
}

function tableText(
  caption: string,
  columns: readonly string[],
  cells: readonly string[][],
  isNumeric: readonly boolean[],
): string {
  const lines = [columns, ...cells].map((row) => row.map((cell) => cut(cell.replace(/\s+/g, " "), cellLimit)));
  const widths = columns.map((_, i) => Math.max(0, ...lines.map((row) => [...(row[i] ?? "")].length)));
  const aligned = lines.map((row) =>
    row
      .map((cell, i) => {
        const blank = " ".repeat((widths[i] ?? 0) - [...cell].length);
        return isNumeric[i] ? blank + cell : cell + blank;
      })
      .join("  ")
      .trimEnd(),
  );
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [caption, aligned[0] ?? "", rule, ...aligned.slice(1)].join("\n");
}

function cut(text: string, limit: number): string {
  const characters = [...text];
  return characters.length <= limit ? text : `${characters.slice(0, limit - 1).join("")}…`;
}

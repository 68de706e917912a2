/**
 * Values whose best form is known by what they can do, without a package of theirs being imported. In: any object. Out: a
 * MIME bundle for tables (arquero, nodejs-polars and alike), tensors of TensorFlow.js, PNG and JPEG bytes, canvases, SVG and
 * HTML elements, Vega charts; undefined for all else. Strings are never guessed at.
 * Source of the kinds that are not ours: Deno's documentation, "Jupyter kernel", section "Rich content output".
 */
import { inspect } from "node:util";
import type { Json } from "./protocol.js";

interface Table {
  columnNames(): readonly string[];
  objects(options: { readonly limit: number }): readonly Readonly<Record<string, unknown>>[];
  numRows?(): number;
}

interface DataFrame {
  readonly schema: Readonly<Record<string, unknown>>;
  head(rows: number): { toRecords(): readonly Readonly<Record<string, unknown>>[] };
  readonly height?: number;
}

interface Tensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly isDisposed?: boolean;
}

interface Canvas {
  readonly width: number;
  readonly height: number;
  toDataURL(type: string): string;
}

const MOST_ROWS = 50;
const LONGEST_CELL = 200; // characters

/**
 * The bundle of a value that is known by what it can do.
 *
 * @param value an object or function
 * @returns undefined when it is none of these
 * @throws whatever the value's own functions throw
 */
export function duckTypeBundle(value: object): Json | undefined {
  if (isTable(value)) return tableBundle(value);
  if (isDataFrame(value)) return dataFrameBundle(value);
  if (isTensor(value)) return { "text/plain": tensorText(value) };
  if (value instanceof Uint8Array) return imageBundle(value);
  if (isCanvas(value)) return canvasBundle(value);
  if ("outerHTML" in value && typeof value.outerHTML === "string") return elementBundle(value.outerHTML);
  if (hasFunction(value, "toSpec")) return vegaBundle((value as { toSpec(): unknown }).toSpec());
  return undefined;
}

// ---- tables ----

function isTable(value: object): value is Table {
  return hasFunction(value, "columnNames") && hasFunction(value, "objects");
}

function tableBundle(table: Table): Json {
  const found = table.objects({ limit: MOST_ROWS + 1 }); // one more tells that there are more
  const count = typeof table.numRows === "function" ? table.numRows() : found.length;
  return rowsBundle(table.columnNames().map(String), found, count);
}

function isDataFrame(value: object): value is DataFrame {
  return "schema" in value && isObject(value.schema) && hasFunction(value, "head") && hasFunction(value, "toRecords");
}

function dataFrameBundle(frame: DataFrame): Json {
  const found = frame.head(MOST_ROWS + 1).toRecords();
  return rowsBundle(Object.keys(frame.schema), found, typeof frame.height === "number" ? frame.height : found.length);
}

function rowsBundle(
  names: readonly string[],
  found: readonly Readonly<Record<string, unknown>>[],
  count: number,
): Json {
  const rows = found.slice(0, MOST_ROWS);
  const types = names.map((name) => columnType(rows.map((row) => row[name])));
  const texts = rows.map((row) => names.map((name) => cellText(row[name])));
  const shown = count > rows.length ? `, the first ${rows.length} shown` : "";
  const caption = `${counted(count, "row")} × ${counted(names.length, "column")}${shown}`;
  return {
    "text/plain": tableText(names, types, texts, caption),
    "text/html": tableHtml(names, types, texts, caption),
  };
}

function tableText(names: readonly string[], types: readonly string[], rows: readonly string[][], caption: string) {
  const lines = [names, types, ...rows];
  const widths = names.map((_, column) => Math.max(...lines.map((line) => [...(line[column] ?? "")].length)));
  const pad = (text: string, column: number) => {
    const room = " ".repeat((widths[column] ?? 0) - [...text].length);
    return isNumeric(types[column]) ? room + text : text + room;
  };
  const worded = lines.map((line) => line.map(pad).join("  ").trimEnd());
  return [...worded, caption].join("\n");
}

function tableHtml(names: readonly string[], types: readonly string[], rows: readonly string[][], caption: string) {
  const cell = (tag: "th" | "td", column: number, html: string) =>
    `<${tag} style="text-align:${isNumeric(types[column]) ? "right" : "left"}">${html}</${tag}>`;
  const head = names.map((name, column) =>
    cell("th", column, `${escaped(name)}<br><small>${escaped(types[column] ?? "")}</small>`),
  );
  const body = rows.map((row) => `<tr>${row.map((text, column) => cell("td", column, escaped(text))).join("")}</tr>`);
  return [
    `<table><thead><tr>${head.join("")}</tr></thead>`,
    `<tbody>${body.join("\n")}</tbody></table>`,
    `<p>${caption}</p>`,
  ].join("\n");
}

function columnType(values: readonly unknown[]): string {
  const types = new Set(values.filter((value) => value !== null && value !== undefined).map(typeName));
  const [only, ...others] = types;
  if (only === undefined) return "empty";
  return others.length === 0 ? only : "mixed";
}

function typeName(value: unknown): string {
  if (value instanceof Date) return "date";
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return "array";
  return typeof value;
}

function cellText(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text =
    typeof value === "string"
      ? value
      : value instanceof Date
        ? inspect(value)
        : inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 10 });
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > LONGEST_CELL ? `${line.slice(0, LONGEST_CELL)}…` : line;
}

function isNumeric(type: string | undefined): boolean {
  return type === "number" || type === "bigint";
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

// ---- tensors ----

function isTensor(value: object): value is Tensor {
  return "dtype" in value && "shape" in value && Array.isArray(value.shape) && hasFunction(value, "dataSync");
}

// Its fields say nothing to a reader; toString() prints the values, the middle of long ones left out.
function tensorText(tensor: Tensor): string {
  const kind = `${tensor.dtype} tensor of shape [${tensor.shape.join(", ")}]`;
  return tensor.isDisposed === true ? `${kind}, disposed` : `${kind}\n${String(tensor)}`;
}

// ---- images ----

function imageBundle(bytes: Uint8Array): Json | undefined {
  const size = counted(bytes.length, "byte");
  if (startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])) {
    // The IHDR chunk comes first: width and height at offsets 16 and 20. PNG specification, section 11.2.2.
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const pixels = bytes.length < 24 ? "" : `${view.getUint32(16)} × ${view.getUint32(20)} pixels, `;
    return { "text/plain": `PNG image, ${pixels}${size}`, "image/png": bytes };
  }
  if (startsWith(bytes, [0xff, 0xd8, 0xff])) return { "text/plain": `JPEG image, ${size}`, "image/jpeg": bytes };
  return undefined;
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, index) => bytes[index] === byte);
}

function isCanvas(value: object): value is Canvas {
  return "width" in value && "height" in value && hasFunction(value, "toDataURL");
}

function canvasBundle(canvas: Canvas): Json | undefined {
  const [, data] = /^data:image\/png;base64,(.*)$/s.exec(canvas.toDataURL("image/png")) ?? [];
  if (data === undefined) return undefined;
  return { "text/plain": `canvas, ${canvas.width} × ${canvas.height} pixels`, "image/png": data };
}

// ---- elements and charts ----

function elementBundle(html: string): Json {
  const mime = /^<svg[\s>]/.test(html) ? "image/svg+xml" : "text/html";
  return { "text/plain": html, [mime]: html };
}

// The schema's address names language and version: https://vega.github.io/schema/vega-lite/v5.json
function vegaBundle(spec: unknown): Json | undefined {
  if (!isObject(spec)) return undefined;
  const [, kind = "vega-lite", version = "v5"] = /schema\/(vega(?:-lite)?)\/(v\d+)/.exec(String(spec.$schema)) ?? [];
  const mime = kind === "vega" ? `application/vnd.vega.${version}+json` : `application/vnd.vegalite.${version}+json`;
  return { "text/plain": `${kind} chart`, [mime]: spec };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function hasFunction(value: object, name: string): boolean {
  return typeof Reflect.get(value, name) === "function";
}

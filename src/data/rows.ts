/**
 * Files with a text a row: JSON lines, CSV and TSV, parquet. In: a path and the columns wanted. Out: rows as plain objects,
 * streamed. Which column is the text is decided elsewhere (column.ts). A row that cannot be parsed is refused by its
 * number, never skipped. The only file that knows hyparquet and csv-parse.
 */
import { open } from "node:fs/promises";
import { Readable } from "node:stream";
import type { AsyncBuffer, FileMetaData } from "hyparquet";
import { problem } from "../message.js";
import type { Encoding } from "./encoding.js";
import { formatOf } from "./formats.js";
import { readBytes, readText } from "./text-stream.js";

/** A row: values by the name of their column. */
export type Row = Readonly<Record<string, unknown>>;

// V8's longest string is a little above 512 MiB.
const MOST_JSON_CHARACTERS = 500_000_000;

/**
 * Reads the rows of a file.
 *
 * @param encoding of a file of text; parquet has none
 * @param columns to read; default all. Files of text yield all the same.
 * @throws SyntaxError for a damaged file or row
 */
export function readRows(
  path: string,
  encoding: Encoding | undefined,
  columns?: readonly string[],
): AsyncGenerator<Row> {
  const kind = formatOf(path)?.kind;
  if (kind === "parquet") return parquetRows(path, columns);
  const text = readText(path, encoding ?? { name: "utf-8" });
  return kind === "csv" ? csvRows(path, text) : jsonRows(path, text);
}

function refusal(path: string, found: string, expected: string, cause?: unknown): SyntaxError {
  const fix = "mend the file, or make it again";
  return new SyntaxError(problem({ cannot: `load rows of "${path}"`, found, expected, fix }), { cause });
}

async function* jsonRows(path: string, text: AsyncIterable<string>): AsyncGenerator<Row> {
  let line = 0;
  let held = "";
  let isList: boolean | undefined;
  for await (const piece of text) {
    held += piece;
    isList ??= /\S/.test(held) ? /^\s*\[/.test(held) : undefined;
    if (isList) {
      if (held.length > MOST_JSON_CHARACTERS) {
        throw refusal(path, "a JSON list of more than 500 MB", "JSON lines: one object a line");
      }
      continue;
    }
    const lines = held.split("\n");
    held = lines.pop() ?? "";
    for (const one of lines) {
      line++;
      if (one.trim() !== "") yield rowOf(path, parseJson(path, one, `line ${line}`), `line ${line}`);
    }
  }
  if (!isList) {
    if (held.trim() !== "") yield rowOf(path, parseJson(path, held, `line ${line + 1}`), `line ${line + 1}`);
    return;
  }
  const list = parseJson(path, held, "the list") as unknown[];
  for (const [i, value] of list.entries()) yield rowOf(path, value, `item ${i + 1}`);
}

function parseJson(path: string, text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw refusal(path, `${where} that is no JSON (${(error as Error).message})`, "one JSON object a line", error);
  }
}

function rowOf(path: string, value: unknown, where: string): Row {
  if (typeof value === "string") return { text: value };
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Row;
  throw refusal(path, `${where} that is no object`, "an object with a text in it");
}

async function* csvRows(path: string, text: AsyncGenerator<string>): AsyncGenerator<Row> {
  const { parse } = await import("csv-parse");
  const first = await text.next();
  const head = first.done ? "" : first.value;
  const delimiter = /\.tsv(\.gz)?$/i.test(path) ? "\t" : commonest(head);
  async function* whole(): AsyncGenerator<string> {
    yield head;
    yield* text;
  }
  const parser = parse({ columns: true, delimiter, skip_empty_lines: true });
  const source = Readable.from(whole());
  source.on("error", (error) => parser.destroy(error));
  source.pipe(parser);
  try {
    for await (const row of parser) yield row as Row;
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith("CSV_")) throw error;
    const expected = `rows of as many values as the first line has names, parted by ${JSON.stringify(delimiter)}`;
    throw refusal(path, (error as Error).message, expected, error);
  } finally {
    source.destroy();
    parser.destroy();
  }
}

// The sign that parts most names of the first line.
function commonest(head: string): string {
  const line = (head.split(/\r?\n/, 1)[0] ?? "").replace(/"[^"]*"/g, "");
  const counts = [",", ";", "\t"].map((sign) => [sign, line.split(sign).length] as const);
  return counts.sort((a, b) => b[1] - a[1])[0]?.[0] ?? ",";
}

async function* parquetRows(path: string, columns: readonly string[] | undefined): AsyncGenerator<Row> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const { file, close } = await openParquet(path);
  try {
    const metadata: FileMetaData = await parquetMetadataAsync(file);
    let rowStart = 0;
    // A row group at a time: what a writer held in memory, a reader can hold too.
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      const wanted = columns && { columns: [...columns] };
      yield* await parquetReadObjects({ file, metadata, compressors, rowStart, rowEnd, ...wanted });
      rowStart = rowEnd;
    }
  } catch (error) {
    throw refusal(path, `parquet that cannot be read (${(error as Error).message})`, "a whole parquet file", error);
  } finally {
    await close();
  }
}

async function openParquet(path: string): Promise<{ file: AsyncBuffer; close: () => Promise<void> }> {
  if (formatOf(path)?.isGzip) {
    const pieces: Uint8Array[] = [];
    for await (const piece of readBytes(path)) pieces.push(piece);
    const whole = Uint8Array.from(Buffer.concat(pieces)).buffer;
    return {
      file: { byteLength: whole.byteLength, slice: (from, to) => whole.slice(from, to) },
      close: async () => {},
    };
  }
  const handle = await open(path, "r");
  const { size } = await handle.stat();
  const slice = async (from: number, to = size): Promise<ArrayBuffer> => {
    const target = new Uint8Array(to - from);
    for (let done = 0; done < target.length; ) {
      const { bytesRead } = await handle.read(target, done, target.length - done, from + done);
      if (bytesRead === 0) throw new Error(`it ends at byte ${from + done}`);
      done += bytesRead;
    }
    return target.buffer;
  };
  return { file: { byteLength: size, slice }, close: () => handle.close() };
}

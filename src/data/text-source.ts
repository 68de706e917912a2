/**
 * Texts wherever they lie, as one stream of documents. In: files of any readable format. Out: a TextSource, which tells what it
 * will read and why, and reads it as often as it is asked to without holding more than a piece. Which files a name stands
 * for is dataset.ts' and hub-dataset.ts' work.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { sha256File } from "../files.js";
import { problem } from "../message.js";
import { chooseColumn, ROWS_FOR_GUESS } from "./column.js";
import type { Encoding } from "./encoding.js";
import { formatOf, READABLE } from "./formats.js";
import { type Row, readRows } from "./rows.js";
import { countDamage } from "./text-quality.js";
import { encodingOf, readDocument, type TextFile, type TextPiece } from "./text-stream.js";

/** Where texts come from and how they are read. */
export interface TextSource {
  readonly name: string;
  readonly origin: string;
  readonly licence: string;
  /** What was chosen or guessed, each a sentence with its reason. */
  readonly notes: readonly string[];
  /** On disk, packed as it is there. */
  readonly bytes: number;
  /** SHA-256 over the bytes of the files and the way they are read. */
  fingerprint(): Promise<string>;
  /** Every document, in order. Each call begins anew. */
  pieces(): AsyncGenerator<TextPiece>;
}

/** What is known of files before they are opened. */
export interface SourceFiles {
  readonly name: string;
  readonly files: readonly TextFile[];
  readonly origin: string;
  readonly licence: string;
  readonly notes?: readonly string[];
  /** Column of the texts; empty, the default, to guess it. */
  readonly textColumn?: string | undefined;
}

interface Part extends TextFile {
  readonly encoding: Encoding | undefined;
}

/**
 * Opens files: finds their encodings and the column of texts.
 *
 * @throws RangeError for a format that is not read or a column that is not there; SyntaxError for damaged files
 */
export async function openSource(from: SourceFiles): Promise<TextSource> {
  const { name, files, origin, licence, textColumn = "" } = from;
  const notes = [...(from.notes ?? [])];
  const parts: Part[] = [];
  let bytes = 0;
  for (const file of files) {
    const format = checkFormat(file.path);
    const encoding = format.kind === "parquet" ? undefined : await encodingOf(file.path);
    if (encoding?.reason !== undefined) notes.push(`${file.id} is read as ${encoding.name}: ${encoding.reason}.`);
    parts.push({ ...file, encoding });
    bytes += (await stat(file.path)).size;
  }
  const table = parts.find(({ path }) => formatOf(path)?.kind !== "text");
  const column = table && chooseColumn(textColumn, await firstRows(table), table.path);
  if (column) notes.push(`The text is column "${column.name}": ${column.reason}.`);
  return {
    ...{ name, origin, licence, notes, bytes },
    fingerprint: async () => {
      const hash = createHash("sha256").update(JSON.stringify([column?.name ?? ""]));
      for (const { path, id, encoding } of parts) {
        hash.update(JSON.stringify([id, encoding?.name ?? "", await sha256File(path)]));
      }
      return hash.digest("hex");
    },
    pieces: async function* () {
      for (const part of parts) {
        const isText = formatOf(part.path)?.kind === "text";
        yield* isText ? readDocument(part, part.encoding ?? { name: "utf-8" }) : rowDocuments(part, column?.name ?? "");
      }
    },
  };
}

function checkFormat(path: string) {
  const format = formatOf(path);
  if (format) return format;
  const ending = /[^/\\](\.[^./\\]+)$/.exec(path)?.[1];
  const found = ending === undefined ? "a file whose name has no ending" : `a ${ending} file`;
  const fix = "save it as UTF-8 text with the ending .txt";
  throw new RangeError(problem({ cannot: `load text "${path}"`, found, expected: READABLE, fix }));
}

async function firstRows({ path, encoding }: Part): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of readRows(path, encoding)) {
    rows.push(row);
    if (rows.length === ROWS_FOR_GUESS) break;
  }
  return rows;
}

// A row without text is no document; ids count rows from 1, those too.
async function* rowDocuments({ path, id, encoding }: Part, column: string): AsyncGenerator<TextPiece> {
  let number = 0;
  for await (const row of readRows(path, encoding, [column])) {
    number++;
    const text = row[column] ?? "";
    if (typeof text !== "string") {
      const found = `row ${number.toLocaleString("en")} with a ${typeof text} in column "${column}"`;
      const fix = "mend the row, or set textColumn to another column";
      throw new TypeError(problem({ cannot: `load rows of "${path}"`, found, expected: "a text", fix }));
    }
    if (text.trim() !== "") yield { id: `${id}:${number}`, text, isLast: true };
  }
}

/** Counts signs of damage while texts pass by. */
export class DamageTally {
  #replacements = 0;
  #mojibake = 0;
  #first = "";

  add({ id, text }: TextPiece): void {
    const { replacements, mojibake } = countDamage(text);
    if (replacements + mojibake > 0 && this.#first === "") this.#first = id;
    this.#replacements += replacements;
    this.#mojibake += mojibake;
  }

  /** What to say of it; nothing when all is well. */
  notes(): string[] {
    const count = (value: number, one: string, many: string) =>
      `${value.toLocaleString("en")} ${value === 1 ? one : many}`;
    const notes: string[] = [];
    if (this.#replacements > 0) {
      const found = count(
        this.#replacements,
        "character that could not be read is",
        "characters that could not be read are",
      );
      notes.push(`${found} in the text as U+FFFD, the first in ${this.#first}: save the file again in UTF-8.`);
    }
    if (this.#mojibake > 0) {
      const found = count(this.#mojibake, "place looks", "places look");
      notes.push(
        `${found} like UTF-8 that was once read as Windows-1252 (Ã© for é), the first in ${this.#first}: convert the text before training.`,
      );
    }
    return notes;
  }
}

/**
 * Notebooks on disk, nbformat 4.5. In: a file, and the kernel's broadcasts. Out: a valid notebook with the outputs of its
 * cells, written so that a reader never sees half of it. It runs nothing.
 * Source: nbformat documentation, "The notebook file format".
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { problem } from "../src/message.js";
import type { Json, Message } from "./protocol.js";

/** One output of a code cell, as nbformat has it. */
export type Output = Json & { output_type: "stream" | "display_data" | "execute_result" | "error" };

/** One cell. */
export interface Cell {
  id: string;
  cell_type: "code" | "markdown" | "raw";
  metadata: Json;
  source: string | string[];
  outputs?: Output[];
  execution_count?: number | null;
  [field: string]: unknown;
}

/** A notebook. */
export interface Notebook {
  cells: Cell[];
  metadata: Json;
  nbformat: number;
  nbformat_minor: number;
}

// More text than this in one stream is cut in the middle: nobody reads it, and it makes the file unreadable.
const LONGEST_STREAM = 100_000;

/**
 * Reads a notebook and brings it to nbformat 4.5.
 *
 * @throws Error when the file cannot be read, SyntaxError when it is no notebook of format 4
 */
export async function readNotebook(path: string): Promise<Notebook> {
  const cannot = `read notebook "${path}"`;
  const text = await readFile(path, "utf8").catch(() => {
    throw new Error(
      problem({ cannot, found: "no readable file", expected: "a notebook", fix: "give the path of an .ipynb file" }),
    );
  });
  const fix = "open it in JupyterLab and save it again";
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new SyntaxError(problem({ cannot, found: "text that is not JSON", expected: "a notebook", fix }));
  }
  if (!isNotebook(parsed)) {
    throw new SyntaxError(problem({ cannot, found: "JSON without cells of format 4", expected: "nbformat 4", fix }));
  }
  parsed.nbformat_minor = Math.max(5, parsed.nbformat_minor);
  const used = new Set<string>();
  for (const cell of parsed.cells) {
    if (typeof cell.id !== "string" || used.has(cell.id)) cell.id = randomBytes(4).toString("hex");
    used.add(cell.id);
    cell.metadata ??= {};
  }
  return parsed;
}

/** Writes a notebook to a file beside its destination and renames it into place. */
export async function writeNotebook(path: string, notebook: Notebook): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString("hex")}.tmp`);
  try {
    const file = await open(temporary, "w");
    try {
      await file.writeFile(`${JSON.stringify(notebook, undefined, 1)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The source of a cell as one string. */
export function cellSource(cell: Cell): string {
  return Array.isArray(cell.source) ? cell.source.join("") : cell.source;
}

/** Whether a cell bears a tag, such as `raises-exception`. */
export function hasTag(cell: Cell, tag: string): boolean {
  return Array.isArray(cell.metadata.tags) && cell.metadata.tags.includes(tag);
}

/** Collects the outputs of a notebook's cells while they run. */
export class OutputCollector {
  readonly #displays = new Map<string, Output[]>();
  readonly #clearOnNext = new Set<Cell>();

  /** Empties a cell before it runs. */
  start(cell: Cell): void {
    cell.outputs = [];
    cell.execution_count = null;
  }

  /** Takes one broadcast of a cell. An update of a display also changes outputs of earlier cells. */
  take(cell: Cell, { header: { msg_type: type }, content }: Message): void {
    if (type === "execute_input") cell.execution_count = Number(content.execution_count);
    else if (type === "update_display_data") this.#update(content);
    else if (type === "clear_output") {
      if (content.wait === true) this.#clearOnNext.add(cell);
      else cell.outputs = [];
    } else if (isOutputType(type)) {
      if (this.#clearOnNext.delete(cell)) cell.outputs = [];
      cell.outputs ??= [];
      if (type === "stream") addStream(cell.outputs, String(content.name), String(content.text));
      else cell.outputs.push(this.#output(type, content));
    }
  }

  #output(type: Exclude<Output["output_type"], "stream">, content: Json): Output {
    if (type === "error") {
      const { ename, evalue, traceback } = content;
      return { output_type: type, ename, evalue, traceback };
    }
    const output: Output = { output_type: type, data: storedData(content.data), metadata: content.metadata ?? {} };
    if (type === "execute_result") output.execution_count = content.execution_count;
    const id = displayId(content);
    if (id !== undefined) this.#displays.set(id, [...(this.#displays.get(id) ?? []), output]);
    return output;
  }

  #update(content: Json): void {
    for (const output of this.#displays.get(displayId(content) ?? "") ?? []) {
      output.data = storedData(content.data);
      output.metadata = content.metadata ?? {};
    }
  }
}

function addStream(outputs: Output[], name: string, text: string): void {
  const last = outputs.at(-1);
  const continues = last?.output_type === "stream" && last.name === name;
  const whole = overwritten((continues ? joined(last.text) : "") + text);
  const kept = lines(shortened(whole));
  if (continues) last.text = kept;
  else outputs.push({ output_type: "stream", name, text: kept });
}

// A carriage return starts its line again: of a progress bar only the last state is kept.
function overwritten(text: string): string {
  return text.replace(/[^\n\r]*\r(?=[^\n\r])/g, "");
}

function shortened(text: string): string {
  if (text.length <= LONGEST_STREAM) return text;
  const half = LONGEST_STREAM / 2;
  return `${text.slice(0, half)}\n… left out of the notebook …\n${text.slice(-half)}`;
}

function storedData(data: unknown): Json {
  if (typeof data !== "object" || data === null) return {};
  return Object.fromEntries(
    Object.entries(data).map(([mime, value]) => {
      const isText = typeof value === "string" && (mime.startsWith("text/") || mime === "image/svg+xml");
      return [mime, isText ? lines(value) : value];
    }),
  );
}

// nbformat stores text as a list of lines that keep their line feeds.
function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+/g) ?? [];
}

function joined(text: unknown): string {
  return Array.isArray(text) ? text.join("") : String(text);
}

function displayId(content: Json): string | undefined {
  const transient = content.transient;
  if (typeof transient !== "object" || transient === null || !("display_id" in transient)) return undefined;
  return String(transient.display_id);
}

function isOutputType(type: string): type is Output["output_type"] {
  return type === "stream" || type === "display_data" || type === "execute_result" || type === "error";
}

function isNotebook(value: unknown): value is Notebook {
  return (
    typeof value === "object" &&
    value !== null &&
    "cells" in value &&
    Array.isArray(value.cells) &&
    "nbformat" in value &&
    value.nbformat === 4 &&
    "metadata" in value
  );
}

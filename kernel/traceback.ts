/**
 * Errors in the words of the cell. In: errors thrown by compiled cells. Out: stacks and tracebacks that name the cell's own
 * TypeScript lines, show them, and leave out the kernel's frames. It catches nothing.
 */
import { SourceMap } from "node:module";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import type { CompiledCell, ErrorReport } from "./channel.js";
import { codeFrame } from "./code-frame.js";
import { KeyboardInterrupt } from "./interrupt.js";

interface KnownCell {
  readonly map: SourceMap;
  readonly source: string;
  /** How frames of it are worded. */
  readonly name: string;
  readonly linesBefore: number;
}

// The compiler puts "use strict" on a line of its own in front of the code that the map describes.
const LINES_BEFORE_CODE = 1;
// Frames of libraries that are worth reading; the cell's own come always.
const FOREIGN_FRAMES = 8;
const CELL_PLACE = /((?:cell|hidden)-\d+\.ts):(\d+):(\d+)/;
const KERNEL_FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** Knows the cells of a session and words their errors. */
export class Tracebacks {
  readonly #cells = new Map<string, KnownCell>();

  /** Makes a cell known before it runs. */
  add(cell: CompiledCell): void {
    const { fileName, source } = cell;
    const map = new SourceMap(JSON.parse(cell.map));
    this.#cells.set(fileName, { map, source, name: fileName, linesBefore: LINES_BEFORE_CODE });
  }

  /** Makes a local module known before it runs. @param identifier what V8 calls it @param name what frames call it */
  addModule(identifier: string, name: string, source: string, map: string): void {
    this.#cells.set(identifier, { map: new SourceMap(JSON.parse(map)), source, name, linesBefore: 0 });
  }

  /** For `Error.prepareStackTrace`: a stack in lines of the cells. */
  prepareStackTrace = (error: Error, frames: readonly NodeJS.CallSite[]): string => {
    let foreign = 0;
    const lines = frames.flatMap((frame) => {
      const text = this.#frameText(frame);
      if (text === undefined) return [];
      return CELL_PLACE.test(text) || ++foreign <= FOREIGN_FRAMES ? [text] : [];
    });
    return [headline(error), ...lines.map((line) => `    at ${line}`)].join("\n");
  };

  /** The error that Jupyter shows for a thrown value. */
  report(thrown: unknown): ErrorReport {
    if (!(thrown instanceof Error)) {
      const text = inspect(thrown);
      return { ename: "Thrown value", evalue: text, traceback: [`Thrown value: ${text}`] };
    }
    const traceback = errorText(thrown).split("\n");
    const waited = thrown instanceof KeyboardInterrupt ? thrown.line : undefined;
    const place = CELL_PLACE.exec(stackOf(thrown));
    const source = this.#cells.get(place?.[1] ?? "")?.source;
    if (waited !== undefined) traceback.push(`    while waiting in line ${waited} of the cell`);
    else if (source !== undefined && place) {
      traceback.push("", ...codeFrame(source, { line: Number(place[2]), column: Number(place[3]) }));
    }
    return { ename: String(thrown.name), evalue: String(thrown.message), traceback };
  }

  // undefined: a frame of ours or of Node's inspector, which is how cells are run.
  #frameText(frame: NodeJS.CallSite): string | undefined {
    const file = frame.getScriptNameOrSourceURL() ?? frame.getFileName() ?? "";
    const cell = this.#cells.get(file);
    const line = frame.getLineNumber();
    const column = frame.getColumnNumber();
    if (!cell || line === null || column === null) return isOurs(file) ? undefined : frame.toString();
    const origin = cell.map.findEntry(line - 1 - cell.linesBefore, column - 1);
    if (!("originalLine" in origin)) return undefined;
    const place = `${cell.name}:${origin.originalLine + 1}:${origin.originalColumn + 1}`;
    const text = frame.toString();
    return text.includes("(") ? text.replace(/\([^()]*\)$/, `(${place})`) : place;
  }
}

function isOurs(file: string): boolean {
  return file === "" || file.startsWith("node:") || file.replace("file://", "").startsWith(KERNEL_FOLDER);
}

function headline(error: Error): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return "Error";
  }
}

function stackOf(error: Error): string {
  return typeof error.stack === "string" ? error.stack : "";
}

// inspect() adds causes and fields; it puts brackets around an error without frames, and shows the fields of our own.
function errorText(error: Error): string {
  if (error instanceof KeyboardInterrupt) return stackOf(error);
  const text = inspect(error, { depth: 3 });
  const bracketed = `[${stackOf(error)}]`;
  return text.startsWith(bracketed) ? bracketed.slice(1, -1) + text.slice(bracketed.length) : text;
}

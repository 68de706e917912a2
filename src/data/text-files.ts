/**
 * Reads a person's own texts. In: a path to a .txt file or a folder. Out: documents, one per file, text exactly as in the
 * file but for a byte-order mark. Only UTF-8; other encodings and binary files are refused, never guessed at.
 */
import { isUtf8 } from "node:buffer";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join, sep } from "node:path";
import { problem } from "../message.js";
import type { Document } from "./dataset.js";

// V8's longest string is a little above 512 MiB; a UTF-8 text is never longer in characters than in bytes.
const mostBytes = 500 * 1024 * 1024;

/** What a name stands for on this disk: a folder, a file, a path to nothing, or no path at all. */
export async function kindOfPath(name: string): Promise<"folder" | "file" | "missing" | "none"> {
  const found = await stat(name).catch(() => undefined);
  if (found) return found.isDirectory() ? "folder" : "file";
  return looksLikePath(name) ? "missing" : "none";
}

// It ends in .txt, or starts as a path does.
function looksLikePath(name: string): boolean {
  return /\.txt$/i.test(name) || /^(\.{0,2}[\\/]|~|[A-Za-z]:[\\/])/.test(name);
}

/**
 * Reads a .txt file as one document, its id the file's name.
 *
 * @throws {RangeError} When there is no such file, it is no .txt file, too large, or holds no text.
 * @throws {SyntaxError} When it is not UTF-8 text.
 * @throws {Error} When it cannot be read.
 */
export async function readTextFile(path: string, id: string = basename(path)): Promise<Document> {
  const cannot = `load text "${path}"`;
  const bytes = await readBytes(path, cannot);
  const fault = faultOf(bytes);
  if (fault) throw new SyntaxError(problem({ cannot, ...fault }));
  const text = bytes.toString("utf8").replace(/^\uFEFF/, "");
  if (text.trim() === "") {
    throw new RangeError(
      problem({
        cannot,
        found: bytes.length === 0 ? "an empty file" : "nothing but white space",
        expected: "text to learn from",
        fix: "put text into the file, or take it out of its folder",
      }),
    );
  }
  return { id, text };
}

/**
 * Reads every .txt file of a folder and the folders in it, in the order of their paths.
 *
 * @throws As `readTextFile`, and {RangeError} when there is no .txt file.
 */
export async function readTextFolder(folder: string): Promise<Document[]> {
  const entries = await readdir(folder, { recursive: true }).catch((error: Error) => {
    throw unreadable(`load texts from "${folder}"`, error);
  });
  const ids = entries
    .filter((entry) => extname(entry).toLowerCase() === ".txt")
    .map((entry) => entry.split(sep).join("/"))
    .sort();
  if (ids.length === 0) {
    throw new RangeError(
      problem({
        cannot: `load texts from "${folder}"`,
        found: "no .txt file in it",
        expected: "a folder with at least one .txt file",
        fix: "save the texts as .txt files in UTF-8",
      }),
    );
  }
  const documents: Document[] = [];
  for (const id of ids) documents.push(await readTextFile(join(folder, id), id));
  return documents;
}

async function readBytes(path: string, cannot: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (extname(path).toLowerCase() !== ".txt") {
      throw new RangeError(
        problem({
          cannot,
          found: extname(path) === "" ? "a file whose name has no ending" : `a ${extname(path)} file`,
          expected: "a .txt file",
          fix: "save it as UTF-8 text with the ending .txt",
        }),
      );
    }
    if (size > mostBytes) {
      throw new RangeError(
        problem({
          cannot,
          found: `${size.toLocaleString("en")} bytes`,
          expected: `at most ${mostBytes.toLocaleString("en")} bytes in one file`,
          fix: "cut it into several .txt files and pass their folder",
        }),
      );
    }
    return await readFile(path);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw unreadable(cannot, error as Error);
    throw new RangeError(
      problem({
        cannot,
        found: "no file of that name",
        expected: "a path to a .txt file or a folder of .txt files",
        fix: `check the path; it is looked for from ${process.cwd()}`,
      }),
      { cause: error },
    );
  }
}

function unreadable(cannot: string, error: NodeJS.ErrnoException): Error {
  return new Error(
    problem({
      cannot,
      found: `it cannot be read (${error.code ?? error.message})`,
      expected: "a file that you may read",
      fix: "check its permissions",
    }),
    { cause: error },
  );
}

// Two questions, in this order: UTF-16 text is full of zero bytes too.
function faultOf(bytes: Buffer): { found: string; expected: string; fix: string } | undefined {
  const expected = "text in UTF-8";
  const mark = bytes.subarray(0, 2).toString("latin1");
  if (mark === "\xFF\xFE" || mark === "\xFE\xFF") {
    return { found: "UTF-16", expected, fix: "save the file again with encoding UTF-8" };
  }
  const zero = bytes.indexOf(0);
  if (zero >= 0) {
    return { found: `a zero byte at ${zero}, as in binary files`, expected, fix: "give a plain text file" };
  }
  if (isUtf8(bytes)) return undefined;
  const found = `bytes near ${firstInvalidByte(bytes)} that are no UTF-8`;
  return { found, expected, fix: "save the file again with encoding UTF-8" };
}

function firstInvalidByte(bytes: Buffer): number {
  let low = 0;
  let high = bytes.length;
  // Invariant: the first `low` bytes can begin a sound text, the first `high` cannot.
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (beginsUtf8(bytes.subarray(0, middle))) low = middle;
    else high = middle;
  }
  return low;
}

function beginsUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

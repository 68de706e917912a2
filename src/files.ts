/**
 * Files that are either whole or not there. In: a path and its new content. Out: the content on disk, reached by writing
 * beside it, fsync and rename, so that a crash or a full disk leaves the old one. Also: JSON with clear errors, sha256.
 * It does not lock: two writers of one path leave the content of the one that renamed last.
 */
import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { problem } from "./message.js";

/** What a file can be written from: text, bytes, or bytes in pieces (so that a large file never lies in memory twice). */
export type FileContent = string | Uint8Array | Iterable<Uint8Array>;

/** Start of the name of everything that is not whole yet; the process number tells whose it is. */
export const TEMPORARY_PREFIX = ".fledge-tmp-";

// Start of the name of a folder set aside while its successor moves in.
const PREVIOUS_PREFIX = ".fledge-previous-";

/** A path in the same folder (so that rename is atomic) that nobody else uses. */
export function temporaryPath(path: string): string {
  const name = `${TEMPORARY_PREFIX}${process.pid}-${randomBytes(4).toString("hex")}-${basename(path)}`;
  return join(dirname(resolve(path)), name);
}

/**
 * Writes a file so that it is at every moment the old one or the new one, never a part.
 *
 * @param path the file; its folder must exist.
 * @param content text (UTF-8), bytes, or pieces of bytes.
 * @throws the file system's own error (ENOSPC, EACCES, …); the old file is then untouched and nothing is left beside it.
 * @example
 * await writeFileAtomic("run/state.json", JSON.stringify({ step: 50 }));
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    await writeAndSync(temporary, content);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(resolve(path)));
}

async function writeAndSync(path: string, content: FileContent): Promise<void> {
  const file = await open(path, "wx");
  try {
    const pieces = typeof content === "string" || content instanceof Uint8Array ? [content] : content;
    for (const piece of pieces) await file.writeFile(piece);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Flushes a folder's list of names to disk; where the system cannot (Windows), rename alone must do. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r").catch(() => undefined);
  try {
    await handle?.sync().catch(() => undefined);
  } finally {
    await handle?.close();
  }
}

/**
 * Makes a folder that is at every moment the old one or the new one, never half of either.
 *
 * A folder that was there is set aside as `.fledge-previous-<name>` for the moment between two renames; a crash in that
 * moment is mended by the next call. Entries of the old folder that the new one lacks move over when `keepOthers` is set.
 *
 * @param folder the final path.
 * @param fill writes the content into the temporary folder it is given.
 * @param options `keepOthers`: what else lies in the old folder survives (default false).
 * @throws whatever `fill` throws; the old folder is then untouched.
 */
export async function writeFolderAtomic(
  folder: string,
  fill: (temporary: string) => Promise<void>,
  options: { readonly keepOthers?: boolean } = {},
): Promise<void> {
  const previous = join(dirname(resolve(folder)), PREVIOUS_PREFIX + basename(resolve(folder)));
  await mkdir(dirname(resolve(folder)), { recursive: true });
  await finishReplacement(folder, previous, options.keepOthers ?? false);
  const temporary = temporaryPath(folder);
  try {
    await mkdir(temporary);
    await fill(temporary);
    for (const entry of await readdir(temporary, { withFileTypes: true })) {
      if (entry.isFile()) await syncFile(join(temporary, entry.name));
    }
    await syncFolder(temporary);
    if (await exists(folder)) await rename(folder, previous);
    await rename(temporary, folder);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    await finishReplacement(folder, previous, options.keepOthers ?? false);
    throw error;
  }
  await finishReplacement(folder, previous, options.keepOthers ?? false);
  await syncFolder(dirname(resolve(folder)));
}

// After a crash between the two renames the old folder comes back; after one behind them the rest is tidied.
async function finishReplacement(folder: string, previous: string, keepOthers: boolean): Promise<void> {
  if (!(await exists(previous))) return;
  if (!(await exists(folder))) return rename(previous, folder);
  if (keepOthers) {
    for (const entry of await readdir(previous)) {
      if (!(await exists(join(folder, entry)))) await rename(join(previous, entry), join(folder, entry));
    }
  }
  await rm(previous, { recursive: true, force: true });
}

/**
 * Clears what a killed process left in a folder: temporary entries of processes that live no more, and replacements that
 * stopped between two renames.
 *
 * @returns the names removed.
 */
export async function sweepTemporary(folder: string): Promise<string[]> {
  const removed: string[] = [];
  for (const entry of await readdir(folder)) {
    const processId = new RegExp(`^\\${TEMPORARY_PREFIX}(\\d+)-`).exec(entry)?.[1];
    if (processId !== undefined && !isAlive(Number(processId))) {
      await rm(join(folder, entry), { recursive: true, force: true });
      removed.push(entry);
    }
    if (entry.startsWith(PREVIOUS_PREFIX)) {
      await finishReplacement(join(folder, entry.slice(PREVIOUS_PREFIX.length)), join(folder, entry), false);
    }
  }
  return removed;
}

/** Whether a process of this machine lives. */
export function isAlive(processId: number): boolean {
  if (processId === process.pid) return true;
  try {
    process.kill(processId, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What the disk refused; a run may go on without the file that could not be written. */
export class DiskError extends Error {}

/**
 * Makes sure that a disk has room, before much is written to it.
 *
 * @param cannot what could not be done: `save the model in ./final_model`.
 * @param folder a folder on the disk; it must exist.
 * @throws DiskError naming both numbers.
 */
export async function checkFreeSpace(cannot: string, folder: string, bytes: number): Promise<void> {
  // Systems that cannot tell are not asked again: the write itself will show.
  const disk = await statfs(folder).catch(() => undefined);
  if (!disk || disk.bavail * disk.bsize >= bytes) return;
  const found = `${megabytes(disk.bavail * disk.bsize)} free on the disk of ${folder}`;
  const fix = "free some space, or choose a folder on another disk";
  throw new DiskError(problem({ cannot, found, expected: `at least ${megabytes(bytes)}`, fix }));
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1 })} MB`;
}

/**
 * Words an error of the file system for the person whose disk it is; any other error comes back as it is.
 *
 * @param cannot what could not be done: `save the model in ./final_model`.
 */
export function diskProblem(cannot: string, error: unknown): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  const found = isFull ? "no space left on the disk" : message;
  const fix = isFull ? "free some space and run again" : "make the folder writable, or choose another";
  return new DiskError(problem({ cannot, found, expected: "a folder that can be written", fix }), { cause: error });
}

/** Whether something lies at the path. */
export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/**
 * Reads a JSON file that holds one object.
 *
 * @param path the file.
 * @param what what the file is, for the message: `the model's configuration`.
 * @returns its keys and values.
 * @throws Error when it cannot be read; SyntaxError when it is not JSON or not an object.
 */
export async function readJson(path: string, what: string): Promise<Record<string, unknown>> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    const found = error.code === "ENOENT" ? "no such file" : `${error.code}`;
    const fix = `check the path, or make the file again`;
    throw new Error(problem({ cannot: `read ${what} ${path}`, found, expected: "a readable JSON file", fix }), {
      cause: error,
    });
  });
  const refuse = (found: string, cause?: unknown): never => {
    const fix = "mend the file, or copy it again from where it came";
    throw new SyntaxError(problem({ cannot: `read ${what} ${path}`, found, expected: "one JSON object", fix }), {
      cause,
    });
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return refuse(text.trim() === "" ? "an empty file" : (error as Error).message, error);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return refuse(`JSON of another kind`);
  return value as Record<string, unknown>;
}

/**
 * The sha256 of a file's bytes, read in pieces.
 *
 * @returns 64 lower-case hexadecimal digits.
 */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Uint8Array);
  return hash.digest("hex");
}

/**
 * What lies at a path of this disk. In: a name. Out: whether it is a file or a folder, and which files of a folder hold text.
 * It opens none of them.
 */
import { readdir, stat } from "node:fs/promises";
import { join, sep } from "node:path";
import { problem } from "../message.js";
import { formatOf, isAboutOthers, READABLE } from "./formats.js";
import type { TextFile } from "./text-stream.js";

/** What a name stands for on this disk: a folder, a file, a path to nothing, or no path at all. */
export async function kindOfPath(name: string): Promise<"folder" | "file" | "missing" | "none"> {
  const found = await stat(name).catch(() => undefined);
  if (found) return found.isDirectory() ? "folder" : "file";
  // It ends as a file does that can be read, or starts as a path does.
  const looksLikePath = formatOf(name) !== undefined || /^(\.{0,2}[\\/]|~|[A-Za-z]:[\\/])/.test(name);
  return looksLikePath ? "missing" : "none";
}

/**
 * Every file of a folder and the folders in it that can be read, in the order of their paths; hidden ones are left alone.
 *
 * @returns the files, and a note on those that were left out.
 * @throws RangeError when there is none.
 */
export async function filesOf(folder: string): Promise<{ files: TextFile[]; notes: string[] }> {
  const entries = await readdir(folder, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    const found = `it cannot be read (${error.code})`;
    const fix = "check its permissions";
    const expected = "a folder that you may read";
    throw new Error(problem({ cannot: `load texts from "${folder}"`, found, expected, fix }), { cause: error });
  });
  const all = entries.map((entry) => entry.split(sep).join("/")).filter((id) => !/(^|\/)\./.test(id));
  const readable = all.filter((id) => formatOf(id) !== undefined).sort();
  // Beside files with rows, a README is about them.
  const hasRows = readable.some((id) => formatOf(id)?.kind !== "text" && !isAboutOthers(id));
  const ids = readable.filter((id) => !(hasRows && isAboutOthers(id)));
  if (ids.length === 0) {
    const found = "no file in it that can be read";
    const fix = "save the texts as .txt files in UTF-8";
    const expected = `a folder with ${READABLE}`;
    throw new RangeError(problem({ cannot: `load texts from "${folder}"`, found, expected, fix }));
  }
  const left = all.filter((id) => /\.[^/]+$/.test(id) && !ids.includes(id));
  const shown = left.slice(0, 3).join(", ") + (left.length > 3 ? ", …" : "");
  const notes =
    left.length === 0
      ? []
      : [`Left out ${left.length} ${left.length === 1 ? "file" : "files"} of other kinds: ${shown}.`];
  return { files: ids.map((id) => ({ id, path: join(folder, id) })), notes };
}

/**
 * The course as the tests see it. In: the folder notebooks/. Out: names, parsed notebooks, and copies in a temporary folder
 * in which they can run without touching the repository. It runs nothing.
 */
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Notebook } from "../../kernel/notebook.js";
import { packageRoot } from "../../src/paths.js";

export const courseFolder = join(packageRoot(), "notebooks");

/** File names of the six notebooks, in the order in which they are read. */
export const notebookNames: readonly string[] = readdirSync(courseFolder)
  .filter((name) => name.endsWith(".ipynb"))
  .sort();

/** File names of the worked solutions; each is the name of its notebook. */
export const solutionNames: readonly string[] = readdirSync(join(courseFolder, "solutions")).sort();

/** Copies the notebooks, without the outputs that they keep, into a new temporary folder and returns its path. */
export function copyCourse(): string {
  const folder = mkdtempSync(join(tmpdir(), "fledge-course-"));
  for (const name of notebookNames) {
    const notebook = JSON.parse(readFileSync(join(courseFolder, name), "utf8")) as Notebook;
    for (const cell of notebook.cells) {
      if (cell.cell_type === "code") Object.assign(cell, { outputs: [], execution_count: null });
    }
    writeFileSync(join(folder, name), JSON.stringify(notebook));
  }
  return folder;
}

/** The environment of a kernel in quick mode. */
export const quickEnvironment: NodeJS.ProcessEnv = { ...process.env, FLEDGE_QUICK: "1" };

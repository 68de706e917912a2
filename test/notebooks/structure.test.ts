/** The form of the notebooks: what a reader, a diff and GitHub need, held without running a cell. */
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cellSource, type Notebook, readNotebook } from "../../kernel/notebook.js";
import { exerciseNumbers } from "../../src/learn/check.js";
import { packageRoot } from "../../src/paths.js";
import { courseFolder, notebookNames, solutionNames } from "./course.js";

const longestCell = 25; // lines
const longestLine = 105; // characters
const mostStoredBytes = 200_000;

test("the course has its six notebooks, numbered in order", () => {
  deepEqual(notebookNames, [
    "01-set-up.ipynb",
    "02-model-and-dataset.ipynb",
    "03-configure.ipynb",
    "04-train.ipynb",
    "05-evaluate.ipynb",
    "06-experiment-and-scale.ipynb",
  ]);
});

test("the syllabus names every notebook", () => {
  const syllabus = readFileSync(join(courseFolder, "README.md"), "utf8");
  for (const name of notebookNames) ok(syllabus.includes(`(${name})`), name);
});

for (const name of notebookNames) {
  const path = join(courseFolder, name);

  test(`${name} is nbformat 4.5 for the kernel fledge, with unique cell ids that can be read`, async () => {
    const raw = JSON.parse(readFileSync(path, "utf8")) as Notebook;
    deepEqual([raw.nbformat, raw.nbformat_minor], [4, 5]);
    deepEqual(raw.metadata.kernelspec, {
      display_name: "TypeScript (Fledge)",
      language: "typescript",
      name: "fledge",
    });
    const ids = raw.cells.map(({ id }) => id);
    equal(new Set(ids).size, ids.length);
    for (const id of ids) match(id, /^[a-z]+(-[a-z0-9]+)*$/);
    deepEqual(await readNotebook(path), raw);
  });

  test(`${name} has one title, at its top, and no heading skips a level`, async () => {
    const headings = await headingsOf(path);
    equal(headings[0], 1);
    equal(headings.filter((level) => level === 1).length, 1);
    headings.forEach((level, i) => {
      ok(level <= (headings[i - 1] ?? 0) + 1, `heading ${i + 1} has level ${level}`);
    });
  });

  test(`${name} keeps its cells short: median 6 lines, none over ${longestCell}`, async () => {
    const cells = await codeOf(path);
    const lengths = cells.map((source) => source.split("\n").length).sort((a, b) => a - b);
    ok((lengths.at(-1) ?? 0) <= longestCell, `longest cell: ${lengths.at(-1)} lines`);
    ok((lengths[(lengths.length - 1) >> 1] ?? 0) <= 6, `median: ${lengths[lengths.length >> 1]} lines`);
    for (const line of cells.flatMap((source) => source.split("\n"))) ok(line.length <= longestLine, line);
  });

  test(`${name} holds its text to its word with at least three assertions`, async () => {
    const assertions = (await codeOf(path)).join("\n").match(/\bassert\.\w+\(/g) ?? [];
    ok(assertions.length >= 3, `${assertions.length} assertions`);
  });

  test(`${name} imports nothing but Fledge, Node and what Fledge depends on`, async () => {
    const { dependencies } = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const imports = (await codeOf(path)).join("\n").matchAll(/^import .* from "([^"]+)"/gm);
    for (const [, module = ""] of imports) {
      ok(module === "fledge" || module.startsWith("node:") || Object.hasOwn(dependencies, module), module);
    }
  });

  test(`${name} keeps the outputs of one run from top to bottom, at most ${mostStoredBytes / 1000} kB, without errors`, async () => {
    const { cells, metadata } = await readNotebook(path);
    const code = cells.filter((cell) => cell.cell_type === "code");
    deepEqual(
      code.map(({ execution_count }) => execution_count),
      code.map((_, i) => i + 1),
    );
    const outputs = code.flatMap((cell) => cell.outputs ?? []);
    ok(outputs.every(({ output_type }) => output_type !== "error"));
    const text = JSON.stringify(outputs);
    ok(Buffer.byteLength(text) <= mostStoredBytes, `${Buffer.byteLength(text)} bytes`);
    equal(metadata.widgets, undefined);
    const unwanted = ["widget-view", "vnd.plotly", "/home/", "/Users/", "/root/", "/tmp/", packageRoot()];
    for (const each of unwanted) ok(!text.includes(each), each);
  });
}

for (const name of solutionNames) {
  const path = join(courseFolder, name);
  const numbers = exerciseNumbers.filter((number) => number.startsWith(`${Number(name.slice(0, 2))}.`));

  test(`${name} has 35 to 60 cells, 900 to 1,500 words and at most 150 lines of code`, async () => {
    const { cells } = await readNotebook(path);
    ok(cells.length >= 35 && cells.length <= 60, `${cells.length} cells`);
    const words =
      proseOf(cells.filter((cell) => cell.cell_type === "markdown").map(cellSource)).match(/[\w'’.,-]*\w/g) ?? [];
    ok(words.length >= 900 && words.length <= 1500, `${words.length} words`);
    const lines = (await codeOf(path)).flatMap((source) => source.split("\n"));
    ok(lines.length <= 150, `${lines.length} lines of code`);
  });

  test(`${name} says what the learner will have, recaps, names troubles, and asks 3 to 5 exercises without answers`, async () => {
    const { cells } = await readNotebook(path);
    const text = cells
      .filter((cell) => cell.cell_type === "markdown")
      .map(cellSource)
      .join("\n");
    for (const part of ["you will have", "memory", "## Exercises", "## What you have now", "## What can go wrong"]) {
      ok(text.includes(part), part);
    }
    const asked = [...(await codeOf(path)).join("\n").matchAll(/\bcheck\("([\d.]+)", undefined\)/g)];
    deepEqual(
      asked.map(([, number]) => number),
      numbers,
    );
    ok(numbers.length >= 3 && numbers.length <= 5, `${numbers.length} exercises`);
  });

  test(`solutions/${name} answers every exercise of its notebook and asserts each`, async () => {
    const code = (await codeOf(join(courseFolder, "solutions", name))).join("\n");
    deepEqual(
      [...code.matchAll(/\bcheck\("([\d.]+)", (?!undefined)/g)].map(([, number]) => number),
      numbers,
    );
    equal(code.match(/\.isRight\b/g)?.length, numbers.length);
  });
}

async function codeOf(path: string): Promise<string[]> {
  const { cells } = await readNotebook(path);
  return cells.filter((cell) => cell.cell_type === "code").map(cellSource);
}

/** What a reader reads: no code block, no address of a link. */
function proseOf(texts: readonly string[]): string {
  return texts
    .join("\n\n")
    .replace(/^```[\s\S]*?^```/gm, "")
    .replace(/\]\([^)]*\)/g, "]");
}

/** Levels of the headings in order; a # in a code block is none. */
async function headingsOf(path: string): Promise<number[]> {
  const { cells } = await readNotebook(path);
  const text = cells.filter((cell) => cell.cell_type === "markdown").map(cellSource);
  return [...proseOf(text).matchAll(/^(#{1,6}) /gm)].map(([, marks = ""]) => marks.length);
}

// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { courseNotebooks, courseOptions, findResults, formatTable } from "../../bin/setup/course.mjs";

/**
 * @param {import("node:test").TestContext} context
 * @param {readonly string[]} files
 */
function folderWith(context, files) {
  const folder = mkdtempSync(join(tmpdir(), "fledge-course-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const file of files) {
    mkdirSync(join(folder, file, ".."), { recursive: true });
    writeFileSync(join(folder, file), "");
  }
  return folder;
}

test("courseOptions() reads --quick, --only and --store, and refuses what it does not know", () => {
  assert.deepEqual(courseOptions([]), { quick: false, only: [], store: false });
  const some = { quick: true, only: ["train", "05"], store: false };
  assert.deepEqual(courseOptions(["--quick", "--only", "train", "05"]), some);
  assert.deepEqual(courseOptions(["--store"]), { quick: false, only: [], store: true });
  assert.throws(() => courseOptions(["--store", "--quick"]), {
    message:
      "Cannot store outputs: --quick beside --store, expected the outputs of real runs in the notebooks. Fix: leave out --quick.",
  });
  for (const args of [["--fast"], ["--only"], ["--only", "--quick"]]) {
    assert.throws(() => courseOptions(args), {
      name: "SetupError",
      message: `Cannot run the course: the option ${args[0]}, expected --quick, --only NAME or --store. Fix: run \`npm run course -- --only 04\`, or without options for all notebooks.`,
    });
  }
});

test("courseNotebooks() gives numbered notebooks in order, or those asked for", (context) => {
  const folder = folderWith(context, ["02-b.ipynb", "01-a.ipynb", "notes.ipynb", "output/03-c.ipynb"]);
  assert.deepEqual(courseNotebooks(folder, []), [join(folder, "01-a.ipynb"), join(folder, "02-b.ipynb")]);
  assert.deepEqual(courseNotebooks(folder, ["02"]), [join(folder, "02-b.ipynb")]);
  assert.throws(() => courseNotebooks(folder, ["07"]), {
    message:
      "Cannot run the course: no notebook with 07 in its name, expected one of 01-a.ipynb, 02-b.ipynb. Fix: run `npm run course` without --only for all.",
  });
  assert.throws(() => courseNotebooks(join(folder, "none"), []), /Fix: run `git checkout notebooks`\.$/);
});

test("findResults() finds whole model folders and plots of this run only", (context) => {
  const folder = folderWith(context, [
    "output/final/model.safetensors",
    "output/final/tokenizer.json",
    "output/final/training_plot.png",
    "output/half/model.safetensors",
    "output/old/training_plot.html",
  ]);
  const since = Date.now() - 60_000;
  utimesSync(join(folder, "output/old/training_plot.html"), 1, 1);
  assert.deepEqual(findResults(folder, since), {
    models: [join(folder, "output", "final")],
    plots: [join(folder, "output", "final", "training_plot.png")],
  });
  assert.deepEqual(findResults(join(folder, "none"), since), { models: [], plots: [] });
});

test("formatTable() lines up names, times and memory, and marks what failed", () => {
  const table = formatTable([
    { name: "01-a.ipynb", milliseconds: 12_000, peakBytes: 1.24e9, failed: false },
    { name: "02-b.ipynb", milliseconds: 65_000, failed: true },
  ]);
  assert.deepEqual(
    table.split("\n").map((line) => line.replace(/ +/g, " ").trim()),
    ["Notebook Time Peak memory", "01-a.ipynb 12 s 1.2 GB", "02-b.ipynb 1 min 05 s failed", "Together 1 min 17 s", ""],
  );
});

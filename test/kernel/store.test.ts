/** Outputs that a notebook keeps: in forms that every viewer shows, without this machine's paths. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Cell, type Notebook, writeNotebook } from "../../kernel/notebook.js";
import { runNotebook } from "../../kernel/run.js";
import { storeOutputs } from "../../kernel/store.js";

const folder = mkdtempSync(join(tmpdir(), "fledge-store-"));
const path = join(folder, "a.ipynb");
const executed = join(folder, "executed", "a.ipynb");

function notebookOf(...sources: readonly string[]): Notebook {
  const cells = sources.map(
    (source, i): Cell => ({
      id: `cell-${i}`,
      cell_type: "code",
      metadata: {},
      source,
      outputs: [],
      execution_count: null,
    }),
  );
  return { cells, metadata: { kernelspec: { name: "fledge" } }, nbformat: 4, nbformat_minor: 5 };
}

const sources = [
  'import { barFigure } from "fledge";\nbarFigure({ title: "Two", xTitle: "x", yTitle: "y", labels: ["a", "b"], values: [1, 2] });',
  "console.log(process.cwd());",
];

before(async () => {
  await writeNotebook(path, notebookOf(...sources));
  const report = await runNotebook(path, { outputPath: executed });
  assert.equal(report.failure, undefined);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test("storeOutputs() keeps a figure as PNG with its sentence, and tells no path of this machine", async () => {
  const bytes = await storeOutputs(path, executed, folder);
  const { cells, metadata }: Notebook = JSON.parse(readFileSync(path, "utf8"));
  const [figure, sentence] = cells[0]?.outputs ?? [];
  const text = cells[1]?.outputs?.[0];
  assert.deepEqual(Object.keys(figure?.data as object).sort(), ["image/png", "text/plain"]);
  assert.deepEqual(figure?.metadata, { "image/png": { alt: "Two. a: 1; b: 2." } });
  assert.deepEqual(sentence?.data, { "text/html": "<p>Two. a: 1; b: 2.</p>", "text/plain": "Two. a: 1; b: 2." });
  assert.deepEqual(text?.text, ["…\n"]);
  assert.deepEqual(
    cells.map(({ execution_count }) => execution_count),
    [1, 2],
  );
  assert.deepEqual(metadata, { kernelspec: { name: "fledge" } }, "nothing else of the notebook is changed");
  assert.equal(bytes, Buffer.byteLength(JSON.stringify(cells.map(({ outputs }) => outputs))));
});

test("storeOutputs() refuses the copy of another version, and one that was not run", async () => {
  const message = (found: string) =>
    `Cannot store outputs in ${found}: cells that differ from those of ${executed}, or were not run, expected a copy that was run to its end. Fix: run \`npm run course -- --store\`.`;
  const changed = join(folder, "changed.ipynb");
  for (const other of [notebookOf("1 + 1"), notebookOf("1 + 1", sources[1] as string)]) {
    await writeNotebook(changed, other);
    await assert.rejects(storeOutputs(changed, executed, folder), { message: message(changed) });
  }
  await writeNotebook(executed, notebookOf(...sources));
  await assert.rejects(storeOutputs(path, executed, folder), { message: message(path) });
});

/**
 * Gives a notebook the outputs that its executed copy has, for those who read it where no kernel runs. In: both files. Out: the
 * notebook with outputs that every viewer shows: of a figure the PNG, as some show neither SVG nor Plotly, and below
 * it the sentence that says what it shows. Cells stay as they are; it runs nothing.
 */
import { problem } from "../src/message.js";
import { escapeMarkup } from "../src/view/escape.js";
import { cellSource, type Notebook, type Output, readNotebook, writeNotebook } from "./notebook.js";
import type { Json } from "./protocol.js";

const BESIDE_PNG = ["application/vnd.plotly.v1+json", "image/svg+xml"];

/**
 * Stores the outputs of an executed copy in its notebook.
 *
 * @param path the notebook, which is written
 * @param executedPath its copy, run from the first cell to the last
 * @param root folder whose path no output may tell; it becomes `…`
 * @returns bytes of the outputs
 * @throws Error when the copy is of another version of the notebook, or was not run to its end
 * @example
 * await storeOutputs("notebooks/01-set-up.ipynb", "notebooks/output/executed/01-set-up.ipynb", process.cwd());
 */
export async function storeOutputs(path: string, executedPath: string, root: string): Promise<number> {
  const notebook = await readNotebook(path);
  const executed = await readNotebook(executedPath);
  if (!isCopy(notebook, executed)) {
    throw new Error(
      problem({
        cannot: `store outputs in ${path}`,
        found: `cells that differ from those of ${executedPath}, or were not run`,
        expected: "a copy that was run to its end",
        fix: "run `npm run course -- --store`",
      }),
    );
  }
  notebook.cells.forEach((cell, i) => {
    if (cell.cell_type !== "code") return;
    const outputs = JSON.stringify((executed.cells[i]?.outputs ?? []).flatMap(portable));
    cell.outputs = JSON.parse(outputs.replaceAll(JSON.stringify(root).slice(1, -1), "…")) as Output[];
    cell.execution_count = executed.cells[i]?.execution_count ?? null;
  });
  await writeNotebook(path, notebook);
  return Buffer.byteLength(JSON.stringify(notebook.cells.map(({ outputs }) => outputs ?? [])));
}

function isCopy(notebook: Notebook, executed: Notebook): boolean {
  if (notebook.cells.length !== executed.cells.length) return false;
  return notebook.cells.every((cell, i) => {
    const other = executed.cells[i];
    if (!other || cell.id !== other.id || cellSource(cell) !== cellSource(other)) return false;
    return cell.cell_type !== "code" || typeof other.execution_count === "number";
  });
}

// A picture and, below it, what it shows: in a paragraph, as text/plain is not wrapped everywhere.
function portable(output: Output): Output[] {
  const data = output.data as Json | undefined;
  if (!data || !("image/png" in data)) return [output];
  const kept = Object.entries(data).filter(([mime]) => !BESIDE_PNG.includes(mime));
  const sentence = [data["text/plain"]].flat().join("");
  const caption = { "text/html": `<p>${escapeMarkup(sentence)}</p>`, "text/plain": sentence };
  return [
    { ...output, data: Object.fromEntries(kept) },
    { output_type: "display_data", data: caption, metadata: {} },
  ];
}

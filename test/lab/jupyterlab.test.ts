import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { lacking, openLab } from "./lab.js";

// A figure that is drawn and redrawn, a loop without end, and a look at its variable.
const cells = [
  `import { lineFigure } from "fledge";
   const draw = (n: number) => lineFigure({ title: "Drawn " + n, xTitle: "x", yTitle: "y", series: [{ name: "s", x: [1, 2], y: [1, n] }] });`,
  `import { display } from "fledge";
   display(draw(1), { displayId: "chart" });
   for (let n = 2; n <= 5; n++) { await new Promise((done) => setTimeout(done, 100)); display(draw(n), { displayId: "chart", update: true }); }`,
  `let turns = 0;
   while (true) { turns++; await null; }`,
  "({ kept: turns > 0 });",
];

test("JupyterLab draws and redraws figures, stops a cell and keeps its variables", async (t) => {
  if (lacking) return t.skip(lacking);
  const page = await openLab(t, "figures.ipynb", (folder) =>
    writeFileSync(join(folder, "figures.ipynb"), JSON.stringify(notebook())),
  );
  await page.locator(".jp-Notebook .jp-CodeCell").nth(3).waitFor({ state: "attached" });

  await page.locator(".jp-CodeCell .cm-content").first().click();
  await page.keyboard.press("Escape");
  for (let cell = 0; cell < cells.length; cell++) await page.keyboard.press("Shift+Enter");
  // As text: this project's types know no DOM.
  await page.waitForFunction("document.querySelector('.js-plotly-plot .g-gtitle')?.textContent === 'Drawn 5'");
  assert.equal(await page.locator(".js-plotly-plot").count(), 1, "updates redraw the one figure");

  await running(page, 2);
  await page.locator('[data-command="notebook:interrupt-kernel"]').click();
  await page.locator(".jp-CodeCell", { hasText: "KeyboardInterrupt" }).waitFor();
  await page.locator(".jp-CodeCell .cm-content").nth(3).click();
  await page.keyboard.press("Shift+Enter");
  await page.locator(".jp-OutputArea-executeResult", { hasText: "kept: true" }).waitFor();
});

function notebook() {
  return {
    cells: cells.map((source, i) => ({
      ...{ cell_type: "code", id: `cell-${i}`, metadata: {} },
      ...{ source, outputs: [], execution_count: null },
    })),
    metadata: { kernelspec: { name: "fledge", display_name: "TypeScript (Fledge)", language: "typescript" } },
    nbformat: 4,
    nbformat_minor: 5,
  };
}

async function running(page: Page, cell: number): Promise<void> {
  await page.locator(".jp-CodeCell").nth(cell).locator(".jp-InputPrompt", { hasText: "[*]" }).waitFor();
}

/**
 * Notebook 4 in JupyterLab, as a learner uses it: Run All, Stop in the middle, go on, look things up, save, and open the file
 * where nobody trusts it. Pictures of the page are left in .fledge/screenshots.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Page } from "playwright-core";
import { packageRoot } from "../../src/paths.js";
import { lacking, openLab } from "./lab.js";

const name = "04-train.ipynb";
// As text: this project's types know no DOM. A step is a point of the chart.
const POINTS = "(document.querySelector('.js-plotly-plot')?.data?.[0]?.x?.length ?? 0)";
const afterStop = [
  `for await (const event of train({ ...config, resume: true })) {
     if (event.type === "start") console.log("goes on after step", event.resumedFromStep);
     if (event.type === "step") break;
   }`,
  "Math.flo",
];

test("notebook 4 in JupyterLab: the chart grows, Stop pauses, the next cell goes on, an untrusted copy shows the chart", async (t) => {
  if (lacking) return t.skip(lacking);
  let folder = "";
  const page = await openLab(t, name, (made) => {
    folder = made;
    const notebook = JSON.parse(readFileSync(join(packageRoot(), "notebooks", name), "utf8"));
    // Without the batch learned by heart, whose chart would be the first: what is watched here is the real run.
    notebook.cells = notebook.cells.filter(({ id }: { id: string }) => !id.startsWith("heart-"));
    for (const [i, source] of afterStop.entries()) {
      notebook.cells.push({
        cell_type: "code",
        id: `added-${i}`,
        metadata: {},
        source,
        outputs: [],
        execution_count: null,
      });
    }
    for (const cell of notebook.cells) if (cell.cell_type === "code") cell.outputs = [];
    writeFileSync(join(made, name), JSON.stringify(notebook));
  });
  await page.locator(".jp-Notebook .jp-CodeCell").first().waitFor();
  await page.getByRole("menuitem", { name: "Run", exact: true }).click();
  await page.getByRole("menuitem", { name: "Run All Cells", exact: true }).click();

  await page.waitForFunction(`${POINTS} > 2`);
  const before = Number(await page.evaluate(POINTS));
  await page.waitForFunction(`${POINTS} > ${before}`);
  await page.locator(".js-plotly-plot").first().scrollIntoViewIfNeeded();
  await screenshot(page, "training");

  await page.locator('[data-command="notebook:interrupt-kernel"]').click();
  await page.locator(".jp-CodeCell", { hasText: "KeyboardInterrupt" }).waitFor();
  const added = page.locator(".jp-CodeCell .cm-content");
  const count = await added.count();
  await added.nth(count - 2).click();
  await page.keyboard.press("Shift+Enter");
  await page.locator(".jp-OutputArea-output", { hasText: /goes on after step [1-9]/ }).waitFor();
  // What was said after the cell had ended stands where it was caused.
  const stopped = page.locator(".jp-CodeCell", { hasText: "KeyboardInterrupt" });
  await stopped.locator(".jp-OutputArea-output", { hasText: /paused after step [1-9]\d*; its checkpoint/ }).waitFor();

  await added.nth(count - 1).click();
  await page.keyboard.press("End");
  // JupyterLab waits one second for completions, too short on a busy machine.
  const completer = page.locator(".jp-Completer");
  for (let asked = 0; asked < 20 && !(await completer.isVisible()); asked++) {
    await page.keyboard.press("Tab");
    await completer.waitFor({ timeout: 5000 }).catch(() => undefined);
  }
  assert.ok(await completer.isVisible());
  await screenshot(page, "completion");
  await page.keyboard.press("Enter");
  await page.locator(".jp-CodeCell .cm-content", { hasText: "Math.floor" }).waitFor();
  await page.keyboard.press("Shift+Tab");
  await page.locator(".jp-Tooltip", { hasText: "greatest integer" }).waitFor();
  await screenshot(page, "tooltip");
  await page.keyboard.press("Escape");

  await page.keyboard.press("Control+s");
  await page.waitForFunction("!window.jupyterapp.shell.currentWidget.context.model.dirty");
  const saved = JSON.parse(readFileSync(join(folder, name), "utf8"));
  const bundle = saved.cells
    .flatMap((cell: { outputs?: { data?: object }[] }) => cell.outputs ?? [])
    .map((output: { data?: object }) => output.data ?? {})
    .find((data: object) => "application/vnd.plotly.v1+json" in data);
  assert.ok(bundle, "the chart is in the file");
  assert.ok("image/svg+xml" in bundle || "image/png" in bundle, "a picture for those who draw no Plotly");
  assert.match([bundle["text/plain"]].flat().join(""), /[Ll]oss/);

  // A changed file no longer bears the signature of those who ran it.
  saved.cells.push({ cell_type: "markdown", id: "changed", metadata: {}, source: "Sent by somebody else." });
  writeFileSync(join(folder, "untrusted.ipynb"), JSON.stringify(saved));
  const reopened = await page
    .context()
    .browser()
    ?.newPage({ viewport: { width: 1200, height: 900 } });
  assert.ok(reopened);
  reopened.setDefaultTimeout(180_000);
  await reopened.goto(page.url().replace(/\/tree\/.*/, "/tree/untrusted.ipynb?token=test"), { waitUntil: "load" });
  await reopened.locator(".jp-MarkdownCell", { hasText: "Sent by somebody else." }).waitFor();
  const trusted = await reopened.evaluate(
    "[...window.jupyterapp.shell.currentWidget.content.model.cells].filter((cell) => cell.type === 'code').every((cell) => cell.trusted)",
  );
  assert.equal(trusted, false);
  // The notebook of before is open too, behind this one.
  const chart = reopened.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .js-plotly-plot").first();
  await chart.locator(".main-svg").first().waitFor();
  await chart.locator(".gtitle", { hasText: "Training" }).waitFor();
  await chart.scrollIntoViewIfNeeded();
  await screenshot(reopened, "untrusted");
});

async function screenshot(page: Page, title: string): Promise<void> {
  await page.screenshot({ path: join(packageRoot(), ".fledge", "screenshots", `${title}.png`) });
}

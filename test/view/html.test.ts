import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { trainingFigure } from "../../src/view/chart.js";
import { figureToHtml } from "../../src/view/html.js";
import { saveTrainingPlot } from "../../src/view/training-plot.js";
import { sampleRun } from "./sample-run.js";

test("figureToHtml() holds Plotly, the data and the sentence, and asks the network for nothing", () => {
  const figure = trainingFigure(sampleRun());
  const page = figureToHtml(figure);
  assert.match(page, /plotly\.js v\d/);
  assert.ok(page.includes(`<p id="description">${figure.description}</p>`));
  assert.match(page, /Plotly\.newPlot\("figure"/);
  assert.doesNotMatch(page, /<(script|link|img)[^>]*(src|href)=/);
});

test("figureToHtml() ends its scripts only where it means to, whatever the names", () => {
  const page = figureToHtml(trainingFigure(sampleRun({ modelName: "x</script><script>alert(1)<|script>" })));
  assert.equal(page.match(/<script/g)?.length, 2);
  assert.equal(page.match(/<\/script/g)?.length, 2);
});

test("saveTrainingPlot() writes both files whole and leaves nothing else", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-plot-"));
  try {
    const { png, html } = await saveTrainingPlot(sampleRun({ steps: 24 }), join(folder, "final_model"));
    assert.equal(readFileSync(png).subarray(1, 4).toString(), "PNG");
    assert.match(readFileSync(html, "utf8").slice(-40), /<\/html>\n$/);
    assert.deepEqual(readdirSync(join(folder, "final_model")).sort(), ["training_plot.html", "training_plot.png"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("saveTrainingPlot() names the folder that cannot be written to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-plot-"));
  try {
    const file = join(folder, "taken");
    writeFileSync(file, "a file, not a folder");
    await assert.rejects(saveTrainingPlot([], file), (error: Error) => {
      assert.match(
        error.message,
        /^Cannot save the training plot in .*taken: .*, expected a folder that can be written to, with 8 MB free\. Fix: choose another folder, or free space and rights in this one\.$/,
      );
      return true;
    });
    assert.ok(existsSync(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

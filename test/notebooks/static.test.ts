/**
 * The notebooks as they are read where no kernel runs, such as on GitHub: nbconvert, an allow-list that takes scripts and styles
 * away, and a browser without JavaScript. Pictures of the pages are left in .fledge/screenshots.
 */
import { deepEqual, doesNotMatch, equal, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { type Browser, chromium } from "playwright-core";
import { readNotebook } from "../../kernel/notebook.js";
import { packageRoot } from "../../src/paths.js";
import { browserPath } from "../lab/lab.js";
import { courseFolder, notebookNames } from "./course.js";

const python = join(packageRoot(), ".venv", "bin", "python");
const script = join(packageRoot(), "test", "notebooks", "static_page.py");
const screenshots = join(packageRoot(), ".fledge", "screenshots");

describe("the notebooks where no kernel runs", {
  skip: existsSync(python) ? false : "no .venv: run npm run setup",
}, () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-static-"));
  let browser: Browser | undefined;
  before(async () => {
    if (browserPath === "") return;
    browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
  });
  after(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const page = (name: string) => join(folder, name.replace(".ipynb", ".html"));

  test("nbconvert renders all of them", async () => {
    await promisify(execFile)(python, [script, folder, ...notebookNames.map((name) => join(courseFolder, name))]);
    for (const name of notebookNames)
      doesNotMatch(readFileSync(page(name), "utf8").slice(600), /<script|<style|style=|onclick/);
  });

  for (const name of notebookNames) {
    test(`${name} shows every figure with its sentence, on a light and on a dark page`, async (t) => {
      if (!browser) return t.skip("no Chromium on this machine: apt-get install chromium");
      const sentences = await sentencesOf(name);
      ok(sentences.length >= 1, `${sentences.length} figures`);
      for (const colorScheme of ["light", "dark"] as const) {
        const context = await browser.newContext({ colorScheme, javaScriptEnabled: false });
        const shown = await context.newPage();
        await shown.goto(pathToFileURL(page(name)).href);
        const images = await shown.locator("img").all();
        deepEqual(await Promise.all(images.map((image) => image.getAttribute("alt"))), sentences);
        for (const [i, image] of images.entries()) {
          const box = await image.boundingBox();
          ok(box && box.width > 400 && box.height > 200, `figure ${i + 1} is ${box?.width} × ${box?.height}`);
          ok(
            await shown
              .getByText(sentences[i] as string, { exact: true })
              .first()
              .isVisible(),
          );
        }
        await shown.screenshot({ path: join(screenshots, `${name}-${colorScheme}.png`), fullPage: true });
        await context.close();
      }
    });
  }
});

/** What each figure of a notebook says of itself, in order. */
async function sentencesOf(name: string): Promise<string[]> {
  const { cells } = await readNotebook(join(courseFolder, name));
  const outputs = cells.flatMap((cell) => cell.outputs ?? []);
  const figures = outputs.filter(({ data }) => data && "image/png" in (data as object));
  equal(outputs.filter(({ data }) => data && "image/svg+xml" in (data as object)).length, 0);
  return figures.map(({ data }) => [(data as Record<string, string | string[]>)["text/plain"]].flat().join(""));
}

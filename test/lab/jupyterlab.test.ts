import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { installKernel } from "../../kernel/install.js";
import { packageRoot } from "../../src/paths.js";

const jupyter = join(packageRoot(), ".venv/bin/jupyter");
const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

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
  if (!existsSync(jupyter)) return t.skip("no JupyterLab in .venv: run npm run setup");
  if (!browserPath) return t.skip("no Chromium on this machine: apt-get install chromium");
  const folder = mkdtempSync(join(tmpdir(), "fledge-lab-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  installKernel({ dataDir: join(folder, "jupyter") });
  writeFileSync(join(folder, "figures.ipynb"), JSON.stringify(notebook()));
  const { server, address } = await startLab(folder);
  t.after(() => void server.kill("SIGINT"));
  const browser = await openBrowser(browserPath, folder);
  t.after(() => browser.close());
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  // Other tests may have both cores.
  page.setDefaultTimeout(180_000);
  await page.goto(address, { waitUntil: "load" });
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

// The server prints its address, with the port that it found free, when it is ready.
async function startLab(folder: string): Promise<{ server: ChildProcess; address: string }> {
  const options = [
    ...["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", `--ServerApp.root_dir=${folder}`],
    ...["--IdentityProvider.token=test", "--LabApp.news_url=None"],
  ];
  const server = spawn(jupyter, ["lab", ...options], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      ...process.env,
      JUPYTER_PATH: join(folder, "jupyter"),
      JUPYTER_RUNTIME_DIR: join(folder, "runtime"),
      HOME: folder,
    },
  });
  const base = await new Promise<string>((resolve, reject) => {
    let said = "";
    server.stderr?.on("data", (chunk: Buffer) => {
      said += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+\/lab/.exec(said)?.[0];
      if (found) resolve(found);
    });
    server.once("exit", () => reject(new Error(`JupyterLab ended:\n${said}`)));
  });
  return { server, address: `${base}/tree/figures.ipynb?token=test` };
}

function openBrowser(executablePath: string, folder: string): Promise<Browser> {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", ...quiet], downloadsPath: folder });
}

async function running(page: Page, cell: number): Promise<void> {
  await page.locator(".jp-CodeCell").nth(cell).locator(".jp-InputPrompt", { hasText: "[*]" }).waitFor();
}

/**
 * JupyterLab in a headless Chromium, for tests. In: a notebook in a temporary folder. Out: a page on which it is open. Server,
 * browser and folder are gone when the test ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { type Browser, chromium, type Page } from "playwright-core";
import { installKernel } from "../../kernel/install.js";
import { packageRoot } from "../../src/paths.js";

const jupyter = join(packageRoot(), ".venv/bin/jupyter");
/** Chromium, or an empty text. */
export const browserPath =
  ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync) ?? "";

/** Why the test cannot run on this machine; undefined where it can. */
export const lacking = !existsSync(jupyter)
  ? "no JupyterLab in .venv: run npm run setup"
  : browserPath === ""
    ? "no Chromium on this machine: apt-get install chromium"
    : undefined;

/**
 * Opens a notebook.
 *
 * @param name of the notebook in the folder
 * @param prepare fills the folder
 */
export async function openLab(t: TestContext, name: string, prepare: (folder: string) => void): Promise<Page> {
  const folder = mkdtempSync(join(tmpdir(), "fledge-lab-"));
  installKernel({ dataDir: join(folder, "jupyter") });
  showEveryCell(folder);
  prepare(folder);
  const { server, base } = await startLab(folder);
  const browser = await openBrowser(folder);
  t.after(async () => {
    await browser.close();
    const ended = once(server, "exit"); // it ends its kernels first
    server.kill("SIGTERM");
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  });
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  // Other tests may have both cores.
  page.setDefaultTimeout(180_000);
  await page.goto(`${base}/tree/${name}?token=test`, { waitUntil: "load" });
  // JupyterLab forgets what is run before its kernel is there.
  await page.getByText("TypeScript (Fledge) | Idle").waitFor();
  return page;
}

// Cells that are scrolled out of sight would not be in the page.
function showEveryCell(folder: string): void {
  const settings = join(folder, ".jupyter/lab/user-settings/@jupyterlab/notebook-extension");
  mkdirSync(settings, { recursive: true });
  writeFileSync(join(settings, "tracker.jupyterlab-settings"), JSON.stringify({ windowingMode: "none" }));
}

// The server prints its address, with the port that it found free, when it is ready.
async function startLab(folder: string): Promise<{ server: ChildProcess; base: string }> {
  const options = [
    ...["--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0", `--ServerApp.root_dir=${folder}`],
    ...["--IdentityProvider.token=test", "--LabApp.news_url=None", "--LabApp.expose_app_in_browser=True"],
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
  return { server, base };
}

function openBrowser(folder: string): Promise<Browser> {
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet];
  return chromium.launch({ executablePath: browserPath, args, downloadsPath: folder });
}

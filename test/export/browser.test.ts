/** Exported ONNX files in a browser page: transformers.js in headless Chromium, everything served from this machine. */
import assert from "node:assert/strict";
import { createReadStream, existsSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { type TestContext, test } from "node:test";
import { chromium } from "playwright-core";
import { exportOnnx } from "../../src/export/onnx.js";
import { packageRoot } from "../../src/paths.js";
import { clearQuestions, copyOfBaseModel, ownTexts, type Question, question } from "./base-model.js";

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

// What a person's own page would hold; __ask is how the test talks to it.
const PAGE = `<!doctype html><title>Fledge</title><script type="module">
import { env, pipeline } from "./transformers/transformers.min.js";
env.allowRemoteModels = false;
env.allowLocalModels = true;
env.useBrowserCache = false;
env.localModelPath = "./";
env.backends.onnx.wasm.wasmPaths = new URL("./onnxruntime/", location.href).href;
window.__ask = async (questions, options) => {
  const write = await pipeline("text-generation", "./final_model", options);
  const texts = [];
  for (const { prompt, newTokens } of questions) {
    const [answer] = await write(prompt, { max_new_tokens: newTokens, do_sample: false });
    texts.push(answer.generated_text);
  }
  await write.dispose();
  return texts;
};
</script>`;

test("transformers.js in a browser page writes Fledge's greedy text from the default form and from fp32", async (context) => {
  if (!browserPath) return context.skip("no Chromium on this machine: apt-get install chromium");
  const root = await copyOfBaseModel();
  context.after(() => rm(root, { recursive: true }));
  await exportOnnx(join(root, "final_model"), { dtypes: ["fp32", "int8"] });
  const address = await serve(context, {
    "transformers/": join(packageRoot(), "node_modules/@xenova/transformers/dist"),
    "onnxruntime/": join(packageRoot(), "node_modules/onnxruntime-web/dist"),
    "final_model/": join(root, "final_model"),
  });
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const args = ["--no-sandbox", "--disable-gpu", ...quiet];
  const browser = await chromium.launch({ executablePath: browserPath, args, downloadsPath: root });
  context.after(() => browser.close());
  const page = await browser.newPage();
  // Other tests may have both cores.
  page.setDefaultTimeout(180_000);
  const strangers: string[] = [];
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !request.url().startsWith("blob:")) strangers.push(request.url());
  });
  await page.goto(address);
  // As text: this project's types know no DOM.
  await page.waitForFunction("window.__ask !== undefined");
  const ask = (questions: readonly Question[], options: object): Promise<string[]> =>
    page.evaluate(`__ask(${JSON.stringify(questions)}, ${JSON.stringify(options)})`);
  assert.deepEqual(await ask(clearQuestions, {}), await ownTexts(clearQuestions), "int8, the default in a browser");
  assert.deepEqual(await ask([question], { dtype: "fp32" }), await ownTexts([question]));
  assert.deepEqual(strangers, [], "nothing comes from elsewhere");
});

const TYPES: Readonly<Record<string, string>> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

/** Serves the page, and each folder under its name, on the loopback interface. */
async function serve(context: TestContext, folders: Readonly<Record<string, string>>): Promise<string> {
  const server: Server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url ?? "/", "http://x").pathname)).slice(1);
    const name = Object.keys(folders).find((prefix) => path.startsWith(prefix));
    const file = name && join(folders[name] as string, path.slice(name.length));
    if (path === "") response.setHeader("content-type", "text/html").end(PAGE);
    else if (!file || !statSync(file, { throwIfNoEntry: false })?.isFile()) response.writeHead(404).end();
    else {
      response.setHeader("content-type", TYPES[extname(file)] ?? "application/octet-stream");
      response.setHeader("content-length", statSync(file).size);
      createReadStream(file).pipe(response);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

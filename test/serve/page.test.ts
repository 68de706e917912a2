/** The page to try a model, in headless Chromium against the real server: write, read, stop, a refusal. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { chromium } from "playwright-core";
import { openModel } from "../../src/generate/text-model.js";
import { serve } from "../../src/serve/server.js";

const browserPath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);

test("the page writes what the model writes, stops when told, and shows a refusal", async (context) => {
  if (!browserPath) return context.skip("no Chromium on this machine: apt-get install chromium");
  const model = await openModel("fledge-base", { mixedPrecision: false });
  const server = await serve({ model, modelId: "final_model", port: 0, nextSeed: () => 1, now: () => 0 });
  const quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"];
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-gpu", ...quiet],
  });
  context.after(async () => {
    await browser.close();
    await server.close();
    await model.dispose();
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000); // other tests may have both cores
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  await page.goto(server.url);
  assert.equal(await page.title(), "final_model");

  const prompt = "My fellow citizens,";
  await page.fill("[name=max_tokens]", "12");
  await page.fill("[name=temperature]", "0");
  await page.click("#go");
  const state = (pattern: RegExp) => page.locator("#state", { hasText: pattern }).waitFor();
  await state(/^12 tokens in/);
  const added = await model.generate(prompt, { temperature: 0, maxNewTokens: 12 });
  assert.equal(await page.textContent("output"), added.startsWith(prompt) ? added : prompt + added);

  await page.fill("[name=max_tokens]", "400");
  await page.fill("[name=temperature]", "1");
  await page.click("#go");
  await page.locator("output ins", { hasText: /.{6}/ }).waitFor();
  await page.click("#stop");
  await state(/^stopped$/);
  assert.equal(await page.isEnabled("#go"), true);
  assert.equal(await page.isEnabled("#stop"), false);
  assert.deepEqual(complaints, []);

  await page.fill("[name=temperature]", "-1");
  await page.click("#go");
  await state(/temperature/);
});

import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { sideBySide } from "../../src/generate/side-by-side.js";
import { openModel, TextModel } from "../../src/generate/text-model.js";
import { packageRoot } from "../../src/paths.js";
import { jupyterDisplay } from "../../src/view/display.js";
import { engineNames, engineOptions, openForTest } from "../engines.js";
import { golden, goldenFolder } from "../golden.js";
import { characters, config, openGolden } from "./golden-decoder.js";

// The golden model has no tokenizer of its own; greedy ids need none, but a folder must have one.
const folder = await mkdtemp(join(tmpdir(), "fledge-golden-"));
await cp(goldenFolder, folder, { recursive: true });
await cp(join(packageRoot(), "models/fledge-base/tokenizer.json"), join(folder, "tokenizer.json"));
after(() => rm(folder, { recursive: true }));

for (const engine of engineNames) {
  test(`nextLogits() gives PyTorch's greedy tokens on ${engine}`, async (t) => {
    const opened = await openForTest(engine);
    if (typeof opened === "string") return t.skip(opened);
    await opened.dispose();
    const model = await openModel(folder, engineOptions(engine));
    const tokens = golden.greedy.slice(0, 3);
    while (tokens.length < golden.greedy.length) {
      const logits = await model.nextLogits(tokens);
      tokens.push(logits.indexOf(Math.max(...logits)));
    }
    assert.deepEqual(tokens, golden.greedy);
    await model.dispose();
  });
}

test("stream() refuses a length below 1", async () => {
  const model = await openModel(folder, { engine: "cpu" });
  await assert.rejects(model.generate("x", { maxNewTokens: 0 }), {
    name: "RangeError",
    message: "Cannot generate text: maxNewTokens 0, expected an integer ≥ 1. Fix: set maxNewTokens: 60.",
  });
});

test("tokenProbabilities() are the model's odds for each token, the first after an end of text, and rank them", async () => {
  const model = await openModel("fledge-base", { mixedPrecision: false });
  const text = "Fellow citizens of the Senate, 世😀 all";
  const tokens = await model.tokenProbabilities(text);
  assert.equal(tokens.map((token) => token.text).join(""), text);
  const before = [model.tokenizer.endOfTextId];
  for (const { id, probability, rank } of tokens) {
    const logits = await model.nextLogits(before);
    const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
    assert.ok(Math.abs(probability - Math.exp(logits[id] as number) / sum) < 1e-5);
    assert.equal(rank, 1 + logits.filter((logit) => logit > (logits[id] as number)).length);
    before.push(id);
  }
  const measured = await model.perplexity(text);
  const nats = tokens.reduce((sum, { probability }) => sum - Math.log(probability), 0);
  assert.ok(Math.abs(measured.loss - nats / tokens.length) < 1e-5);
  assert.ok(Math.abs(measured.perplexity - Math.exp(nats / tokens.length)) < 1e-2);
  assert.ok(Math.abs(measured.bitsPerByte - nats / Math.LN2 / Buffer.byteLength(text)) < 1e-5);
  assert.equal(measured.tokens, tokens.length);
  assert.deepEqual(await model.tokenProbabilities(""), []);
  await assert.rejects(model.perplexity(""), {
    name: "RangeError",
    message: "Cannot measure a text: no tokens, expected at least one. Fix: give a text of at least one character.",
  });
  await model.dispose();
});

test("tokenProbabilities() reads a long text in windows that overlap by half", async () => {
  const opened = await openGolden("cpu");
  assert.ok(typeof opened !== "string");
  const model = new TextModel("golden", config, characters, opened.engine, "", "fixed");
  const { positions } = config; // 32
  const tokens = await model.tokenProbabilities("The quick brown fox jumps over the lazy dog, twice. ".repeat(2));
  assert.ok(tokens.length > 2 * positions, `${tokens.length} tokens`);
  const ids = tokens.map(({ id }) => id);
  // Token 40 is judged in the window that begins 16 tokens before the first new one: at 32 - 16.
  const logits = await model.nextLogits(ids.slice(15, 40));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit), 0);
  const expected = Math.exp(logits[ids[40] as number] as number) / sum;
  assert.ok(Math.abs((tokens[40]?.probability as number) - expected) < 1e-6);
  await model.dispose();
});

test("generateBatch() continues each prompt as generate() does", async () => {
  const model = await openModel("fledge-base", { mixedPrecision: false });
  const prompts = ["My fellow citizens", "", "The House of Representatives of the United States"];
  const options = { maxNewTokens: 12, temperature: 0.9, topP: 0.9, seed: 5 };
  const together = await model.generateBatch(prompts, options);
  for (const [i, prompt] of prompts.entries()) assert.equal(together[i], await model.generate(prompt, options));
  assert.deepEqual(await model.generateBatch([], options), []);
  await model.dispose();
});

test("sideBySide() gives each model the same prompts and seeds, and shows them", async () => {
  const model = await openModel("fledge-base", { mixedPrecision: false });
  const models = [
    { title: "base", model },
    { title: "again", model },
  ];
  const shown = await sideBySide(models, ["The king", "A ship"], { seeds: [1, 2], maxNewTokens: 6 });
  assert.deepEqual(
    shown.rows.map(({ prompt, seed }) => `${prompt} ${seed}`),
    ["The king 1", "The king 2", "A ship 1", "A ship 2"],
  );
  for (const { prompt, seed, texts } of shown.rows) {
    const alone = await model.generate(prompt, { seed, maxNewTokens: 6 });
    assert.deepEqual(
      texts.map(({ text }) => prompt + text),
      [alone, alone],
    );
  }
  assert.match(String(shown[jupyterDisplay]()["text/plain"]), /base, seed 1\n-+\nThe king/);
  await model.dispose();
});

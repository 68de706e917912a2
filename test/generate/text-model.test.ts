import assert from "node:assert/strict";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openModel } from "../../src/generate/text-model.js";
import { packageRoot } from "../../src/paths.js";
import { engineNames, openForTest } from "../engines.js";
import { golden, goldenFolder } from "../golden.js";

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
    const model = await openModel(folder, { engine, mixedPrecision: false });
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

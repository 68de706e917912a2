/** Decoding with a cache against PyTorch's greedy tokens, and against reading the whole text again, on every engine. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { weightShapes } from "../../src/model/gpt2-config.js";
import { engineNames } from "../engines.js";
import { golden, relativeError } from "../golden.js";
import { config, openGolden } from "./golden-decoder.js";

const V = config.vocabularySize;
const greedy = (logits: Float32Array): number => logits.indexOf(Math.max(...logits));

for (const name of engineNames) {
  test(`advance() goes on as PyTorch does, one token at a time, on ${name}`, async (t) => {
    const opened = await openGolden(name);
    if (typeof opened === "string") return t.skip(opened);
    const cache = await opened.decoder.open([3], golden.greedy.length);
    const tokens = golden.greedy.slice(0, 3);
    let logits = await cache.prefill([tokens]);
    while (tokens.length < golden.greedy.length) {
      tokens.push(greedy(logits));
      logits = await cache.advance([tokens.at(-1) as number]);
    }
    assert.deepEqual(tokens, golden.greedy);
    await opened.engine.dispose();
  });

  test(`a row's logits are the same in a batch, padded, as alone and as read anew, on ${name}`, async (t) => {
    const opened = await openGolden(name);
    if (typeof opened === "string") return t.skip(opened);
    const { engine, decoder } = opened;
    const prompts = [golden.greedy.slice(0, 3), golden.greedy.slice(2, 19), [7]];
    const added = [4, 90, 11, 52];
    const batch = await decoder.open(
      prompts.map((prompt) => prompt.length),
      8,
    );
    let together = await batch.prefill(prompts);
    for (const token of added) together = await batch.advance([token, token, token]);
    const alone = await decoder.open([24], 8);
    for (const [row, prompt] of prompts.entries()) {
      const anew = await alone.prefill([[...prompt, ...added]]);
      assert.ok(relativeError(together.subarray(row * V, (row + 1) * V), anew) < 1e-5, `row ${row} of the batch`);
    }
    await batch.reorder([1, 1, 0]);
    const moved = await batch.advance([3, 5, 3]);
    const parents = [
      [...(prompts[1] ?? []), ...added, 3],
      [...(prompts[1] ?? []), ...added, 5],
      [...(prompts[0] ?? []), ...added, 3],
    ];
    for (const [row, text] of parents.entries()) {
      const anew = await alone.prefill([text]);
      assert.ok(relativeError(moved.subarray(row * V, (row + 1) * V), anew) < 1e-5, `row ${row} after reorder()`);
    }
    await engine.dispose();
  });
}

for (const name of ["pjrt", "tensorflow", "tensorflow/xla"] as const) {
  test(`advance() goes by the weights of the moment where they change, on ${name}`, async (t) => {
    const opened = await openGolden(name, "changing");
    if (typeof opened === "string") return t.skip(opened);
    const { engine, decoder } = opened;
    const cache = await decoder.open([3, 3], 8);
    const alone = await decoder.open([4], 8);
    const prompt = golden.greedy.slice(0, 3);
    await cache.prefill([prompt, prompt]);
    await cache.advance([4, 90]);
    const names = ["transformer.wte.weight", "transformer.h.0.mlp.c_fc.weight"];
    const twice = [...(await engine.readVariables(names))].map(([weight, values]) => {
      return [
        weight,
        { shape: weightShapes(config).get(weight) as number[], values: values.map((x) => 2 * x) },
      ] as const;
    });
    await engine.createVariables(new Map(twice));
    await cache.prefill([prompt, prompt]);
    const logits = await cache.advance([4, 90]);
    for (const [row, token] of [4, 90].entries()) {
      const anew = await alone.prefill([[...prompt, token]]);
      assert.ok(relativeError(logits.subarray(row * V, (row + 1) * V), anew) < 1e-5, `row ${row}`);
    }
    await engine.dispose();
  });
}

test("open() hands a cache out again once it was given back, and not before", async () => {
  const opened = await openGolden("cpu");
  assert.ok(typeof opened !== "string");
  const { engine, decoder } = opened;
  const first = await decoder.open([5], 20);
  const second = await decoder.open([5], 20);
  assert.notEqual(first, second);
  first.release();
  assert.equal(await decoder.open([7], 22), first);
  await engine.dispose();
});

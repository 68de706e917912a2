/** Decoding with a cache against PyTorch's greedy tokens, and against reading the whole text again, on every engine. */
import assert from "node:assert/strict";
import { test } from "node:test";
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

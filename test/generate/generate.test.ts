/** The loop that writes: rows as if alone, streaming on demand, ends of every kind, and a context that fills up. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { Decoder } from "../../src/generate/decoder.js";
import { type GeneratedPiece, generateRows, type PromptRow } from "../../src/generate/generate.js";
import { type GenerateOptions, resolveOptions } from "../../src/generate/options.js";
import { golden } from "../golden.js";
import { characters, config, openGolden } from "./golden-decoder.js";

const opened = await openGolden("tensorflow");
const fallback = typeof opened === "string" ? await openGolden("cpu") : opened;
assert.ok(typeof fallback !== "string");
const { engine, decoder } = fallback;
after(() => engine.dispose());

const writer = { decoder, tokenizer: characters, positions: config.positions };
const run = (rows: readonly PromptRow[], options: GenerateOptions) =>
  generateRows(writer, rows, resolveOptions(options));

async function collect(rows: readonly PromptRow[], options: GenerateOptions) {
  const results = rows.map(() => ({ text: "", tokens: [] as number[], finish: "" }));
  for await (const piece of run(rows, options)) {
    const result = results[piece.row] as (typeof results)[number];
    assert.equal(result.finish, "", "nothing follows a row's last piece");
    result.text += piece.text;
    result.tokens.push(...piece.tokens.map(({ id }) => id));
    result.finish = piece.finishReason ?? "";
  }
  return results;
}
const start = golden.greedy.slice(0, 3);
const added = golden.greedy.slice(3);

test("generateRows() at temperature 0 writes PyTorch's tokens and stops at maxNewTokens", async () => {
  const [row] = await collect([{ tokens: start, seed: 1 }], { temperature: 0, maxNewTokens: added.length });
  assert.deepEqual(row, { text: characters.decode(added), tokens: added, finish: "length" });
});

test("generateRows() writes each row of a batch as if it were alone", async () => {
  const rows = [start, [9], [80, 3, 3, 61, 9, 12, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 7]].map((tokens, i) => ({
    tokens,
    seed: i,
  }));
  // More than the positions, so that rows of different lengths are cut at different steps.
  for (const options of [
    { temperature: 1.3, maxNewTokens: 70 },
    { temperature: 0.9, topK: 9, repetitionPenalty: 1.2, noRepeatNgram: 3, maxNewTokens: 40 },
  ]) {
    const together = await collect(rows, options);
    for (const [i, row] of rows.entries())
      assert.deepEqual(together[i], (await collect([row], options))[0], `row ${i}`);
    assert.notEqual(together[0]?.text, together[1]?.text);
  }
});

test("generateRows() goes on from the later half of a full context, as if it were read anew", async () => {
  const [row] = await collect([{ tokens: start, seed: 1 }], { temperature: 0, maxNewTokens: 60 });
  const context = [...start];
  const expected: number[] = [];
  while (expected.length < 60) {
    if (context.length > config.positions) context.splice(0, context.length - config.positions / 2);
    const cache = await decoder.open([context.length], 0);
    const logits = await cache.prefill([context]);
    cache.release();
    const token = logits.indexOf(Math.max(...logits));
    context.push(token);
    expected.push(token);
  }
  assert.deepEqual(row?.tokens, expected);
});

test("generateRows() ends before a stop string, wherever the pieces fall, and says so", async () => {
  const text = characters.decode(added);
  const stop = text.slice(5, 8);
  const at = text.indexOf(stop);
  const [row] = await collect([{ tokens: start, seed: 1 }], {
    temperature: 0,
    maxNewTokens: 20,
    stop: ["never¶", stop],
  });
  assert.equal(row?.text, text.slice(0, at));
  assert.equal(row?.finish, "stop");
});

test("generateRows() ends at the end of text, without it", async () => {
  // High temperature on 97 tokens: some seed ends early.
  for (let seed = 0; ; seed++) {
    const [row] = await collect([{ tokens: start, seed }], { temperature: 5, maxNewTokens: 60 });
    assert.ok(!row?.text.includes("¶"));
    if (row?.finish !== "stop") continue;
    assert.ok(row.tokens.length < 60);
    break;
  }
});

test("generateRows() computes only what is asked for", async () => {
  let steps = 0;
  const counting = {
    open: async (...words: Parameters<Decoder["open"]>) => {
      const cache = await decoder.open(...words);
      const { advance } = cache;
      cache.advance = (tokens) => {
        steps++;
        return advance.call(cache, tokens);
      };
      return cache;
    },
  } as Decoder;
  const pieces = generateRows(
    { ...writer, decoder: counting },
    [{ tokens: start, seed: 1 }],
    resolveOptions({ maxNewTokens: 20 }),
  );
  for (const expected of [0, 1, 2]) {
    await pieces.next();
    await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal(steps, expected);
  }
  await pieces.return();
});

test("generateRows() stops at an abort, with its reason, and gives its cache back", async () => {
  const stopping = new AbortController();
  const pieces: GeneratedPiece[] = [];
  const reason = new Error("enough");
  const reading = (async () => {
    for await (const piece of run([{ tokens: start, seed: 1 }], { maxNewTokens: 50, signal: stopping.signal })) {
      pieces.push(piece);
      if (pieces.length === 3) stopping.abort(reason);
    }
  })();
  await assert.rejects(reading, reason);
  assert.equal(pieces.length, 3);
  const cache = await decoder.open([3], 50);
  const another = await decoder.open([3], 50);
  assert.notEqual(cache, another);
  cache.release();
  another.release();
});

test("generateRows() tells the model's own probabilities when asked", async () => {
  const pieces: GeneratedPiece[] = [];
  for await (const piece of run([{ tokens: start, seed: 1 }], { temperature: 0, maxNewTokens: 4, alternatives: 2 }))
    pieces.push(piece);
  const cache = await decoder.open([3], 0);
  const logits = await cache.prefill([start]);
  cache.release();
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  const [first] = pieces[0]?.tokens ?? [];
  assert.ok(Math.abs((first?.logProbability ?? 0) - ((logits[first?.id ?? 0] ?? 0) - total)) < 1e-5);
  const best = [...logits.keys()].sort((a, b) => (logits[b] ?? 0) - (logits[a] ?? 0)).slice(0, 2);
  assert.deepEqual(
    first?.alternatives?.map(({ id }) => id),
    best,
  );
});

const refused: [GenerateOptions, RegExp][] = [
  [
    { maxNewTokens: 0 },
    /^Cannot generate text: maxNewTokens 0, expected an integer ≥ 1\. Fix: set maxNewTokens: 60\.$/,
  ],
  [{ seed: 0.5 }, /^Cannot generate text: seed 0\.5, expected an integer\. Fix: set seed: 42\.$/],
  [{ stop: ["a", ""] }, /^Cannot generate text: an empty stop string, expected strings of at least one character\./],
  [{ beams: 0 }, /^Cannot generate text: beams 0, expected an integer from 1 to 64\. Fix: set beams: 4\.$/],
  [
    { beams: 2, temperature: 0.7, topK: 5 },
    /^Cannot generate text: beams 2 with temperature, topK, expected one or the other/,
  ],
  [{ lengthPenalty: Number.NaN }, /^Cannot generate text: lengthPenalty NaN, expected a number\./],
  [
    { alternatives: 21 },
    /^Cannot generate text: alternatives 21, expected an integer from 0 to 20\. Fix: set alternatives: 5\.$/,
  ],
  [{ minP: 2 }, /^Cannot use minP: 2, expected a number from 0 to 1\. Fix: set minP: 0\.05, or 0 for all\.$/],
  [{ repetitionPenalty: 0 }, /^Cannot use repetitionPenalty: 0, expected a number above 0\./],
  [{ noRepeatNgram: -1 }, /^Cannot use noRepeatNgram: -1, expected an integer of 0 or more\./],
];
for (const [options, message] of refused) {
  test(`resolveOptions() refuses ${JSON.stringify(options)}`, () => {
    assert.throws(() => resolveOptions(options), { name: "RangeError", message });
  });
}

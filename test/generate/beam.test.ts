/** Beam search against transformers' on the tiny golden model (test/fixtures/generation/beams.py). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { searchBeams } from "../../src/generate/beam.js";
import { packageRoot } from "../../src/paths.js";
import { openGolden } from "./golden-decoder.js";

interface Case {
  readonly prompt: number[];
  readonly end: number;
  readonly options: {
    readonly num_beams: number;
    readonly length_penalty?: number;
    readonly repetition_penalty?: number;
    readonly no_repeat_ngram_size?: number;
  };
  readonly tokens: number[];
}
const path = join(packageRoot(), "test/fixtures/generation/beams.json");
const { cases }: { cases: Case[] } = JSON.parse(readFileSync(path, "utf8"));
const opened = await openGolden("tensorflow");
after(() => typeof opened !== "string" && opened.engine.dispose());

test(`searchBeams() finds what transformers finds in ${cases.length} searches`, async (t) => {
  if (typeof opened === "string") return t.skip(opened);
  for (const { prompt, end, options, tokens } of cases) {
    const found = await searchBeams(opened.decoder, prompt, {
      beams: options.num_beams,
      lengthPenalty: options.length_penalty ?? 1,
      sampling: {
        repetitionPenalty: options.repetition_penalty ?? 1,
        noRepeatNgram: options.no_repeat_ngram_size ?? 0,
      },
      maxNewTokens: 12,
      endOfTextId: end,
      positions: 32,
      signal: undefined,
    });
    const expected = tokens.at(-1) === end ? tokens.slice(0, -1) : tokens;
    assert.deepEqual(found.tokens, expected, JSON.stringify({ prompt, end, options }));
    assert.equal(found.finishReason, tokens.at(-1) === end ? "stop" : "length");
  }
});

test("searchBeams() refuses what does not fit the model's positions", async (t) => {
  if (typeof opened === "string") return t.skip(opened);
  const options = { beams: 2, lengthPenalty: 1, sampling: {}, maxNewTokens: 30, endOfTextId: 96, positions: 32 };
  await assert.rejects(searchBeams(opened.decoder, [1, 2, 3], { ...options, signal: undefined }), {
    name: "RangeError",
    message:
      "Cannot search beams: 3 prompt tokens and maxNewTokens 30, expected at most the model's 32 positions in all. " +
      "Fix: shorten the prompt, or set maxNewTokens: 29.",
  });
});

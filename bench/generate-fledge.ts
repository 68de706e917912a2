/** Fledge's side of bench/generate.ts, in a process of its own. Prints tokens a second, the median of the rounds. */
import { openModel } from "../src/generate/text-model.js";

const { folder, rows, promptTokens, newTokens, rounds } = JSON.parse(process.argv[2] ?? "") as {
  readonly folder: string;
  readonly rows: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly rounds: number;
};
const model = await openModel(folder);
const prompts = Array.from({ length: rows }, (_, row) => ({
  prompt: Array.from({ length: promptTokens }, (_, i) => (row * 31 + i * 7) % 4000),
  seed: 1,
}));
const rates: number[] = [];
for (let round = 0; round <= rounds; round++) {
  const began = performance.now();
  let tokens = 0;
  for await (const piece of model.streamBatch(prompts, { temperature: 0, maxNewTokens: newTokens })) {
    tokens += piece.tokens.length;
  }
  // The first round compiles.
  if (round > 0) rates.push((1000 * tokens) / (performance.now() - began));
}
console.log(rates.sort((a, b) => a - b)[rounds >> 1]);
await model.dispose();

/** transformers.js' side of bench/generate.ts, in a process of its own. Prints tokens a second, the median of the rounds. */
import { basename, dirname } from "node:path";
import { AutoModelForCausalLM, env, Tensor } from "@xenova/transformers";

const { folder, rows, promptTokens, newTokens, rounds } = JSON.parse(process.argv[2] ?? "") as {
  readonly folder: string;
  readonly rows: number;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly rounds: number;
};
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const model = await AutoModelForCausalLM.from_pretrained(basename(folder), { dtype: "fp32" });
const ids = BigInt64Array.from({ length: rows * promptTokens }, (_, at) => {
  const row = Math.floor(at / promptTokens);
  return BigInt((row * 31 + (at % promptTokens) * 7) % 4000);
});
const input_ids = new Tensor("int64", ids, [rows, promptTokens]);
const attention_mask = new Tensor("int64", new BigInt64Array(rows * promptTokens).fill(1n), [rows, promptTokens]);
const rates: number[] = [];
for (let round = 0; round <= rounds; round++) {
  const began = performance.now();
  const options = { max_new_tokens: newTokens, min_new_tokens: newTokens, do_sample: false };
  await model.generate({ input_ids, attention_mask, ...options } as never);
  if (round > 0) rates.push((1000 * rows * newTokens) / (performance.now() - began));
}
console.log(rates.sort((a, b) => a - b)[rounds >> 1]);
await model.dispose();

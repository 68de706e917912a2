/** A small checkpoint with recognisable numbers, shared by the checkpoint tests and the process that they kill. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sizeOf } from "../../src/engine/program.js";
import { type Gpt2Config, weightShapes } from "../../src/model/gpt2-config.js";
import type { saveCheckpoint } from "../../src/train/checkpoint.js";

export const config: Gpt2Config = {
  vocabularySize: 11,
  positions: 8,
  width: 4,
  layers: 1,
  heads: 2,
  layerNormEpsilon: 1e-5,
  endOfTextId: 10,
};

/** A checkpoint whose every number is `step` plus a share that tells weights and moments apart. */
export function tinyCheckpoint(step: number, tokenizerFolder: string): Parameters<typeof saveCheckpoint>[1] {
  const filled = (value: number): Map<string, Float32Array> =>
    new Map([...weightShapes(config)].map(([name, shape]) => [name, new Float32Array(sizeOf(shape)).fill(value)]));
  return {
    step,
    runId: "run",
    config,
    weights: filled(step),
    optimizer: { m: filled(step + 0.25), v: filled(step + 0.5) },
    state: { epoch: 0.1, bestLoss: 1 / 3, hashes: { split: "abc" } },
    tokenizerFolder,
  };
}

/** A folder with a tokenizer.json; what is in it does not matter here. */
export async function tokenizerIn(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "tokenizer.json"), "{}");
  return folder;
}

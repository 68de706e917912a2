/** A folder of a small GPT-2 without weights, for runs that begin with random ones: a shape, and the base model's tokenizer. */
import { cp, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Gpt2Config, toHuggingFaceConfig } from "../src/model/gpt2-config.js";
import { packageRoot } from "../src/paths.js";

type Shape = Pick<Gpt2Config, "positions" | "width" | "layers" | "heads"> & { readonly vocabularySize?: number };

/** Writes config.json and tokenizer.json into a new folder. */
export async function writeModelFolder(folder: string, { vocabularySize = 4096, ...shape }: Shape): Promise<void> {
  await mkdir(folder);
  await cp(join(packageRoot(), "models/fledge-base/tokenizer.json"), join(folder, "tokenizer.json"));
  const config = { ...shape, vocabularySize, layerNormEpsilon: 1e-5, endOfTextId: 4095 };
  await writeFile(join(folder, "config.json"), JSON.stringify(toHuggingFaceConfig(config)));
}

/**
 * A pretrained GPT-2. In: a model's name or its folder in Hugging Face form. Out: its configuration and its weights as 32-bit
 * floats under their full Hugging Face names, all there and of the right shape, from one safetensors file or several. Where the
 * folder comes from is find-model.ts' work; nothing is put on an engine.
 * Names: transformers' GPT2LMHeadModel; files on the Hub often lack the prefix `transformer.`.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { exists, readJson, sha256File } from "../files.js";
import { problem } from "../message.js";
import {
  type FindModelOptions,
  type FoundModel,
  findModel,
  missingWeights,
  type ShardIndex,
  shardsOf,
} from "./find-model.js";
import { type Gpt2Config, headName, parseGpt2Config, weightShapes } from "./gpt2-config.js";
import { readSafetensorsHeader, streamSafetensors, type TensorEntry, toFloat32 } from "./safetensors.js";

/** A model as read from disk. */
export interface PretrainedModel extends FoundModel {
  readonly config: Gpt2Config;
  /** Row-major weights by their full name, in the order of the model. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Of model.safetensors, or of the list of its files: the model's identity in checkpoints and reports. */
  readonly sha256: string;
}

// The output head; files of a tied model may hold it as a copy of the embedding.
const HEAD = "lm_head.weight";

/**
 * Loads a model by name or folder.
 *
 * @param name `fledge-base`, the path of a folder, or a name of the Hub
 * @param options `revision` of the Hub, and `onProgress` of a download.
 * @returns configuration, weights (float32; F16, BF16 and F64 are converted one tensor at a time), identity and origin.
 * @throws RangeError for an unknown or unsupported model; TypeError naming each missing, extra or mis-shaped weight;
 * SyntaxError for a damaged file; HubError when the Hub refuses.
 * @example
 * const { config, weights } = await loadPretrained("fledge-base");
 */
export async function loadPretrained(name: string, options: FindModelOptions = {}): Promise<PretrainedModel> {
  const found = await findModel(name, options);
  const { folder } = found;
  const configPath = join(folder, "config.json");
  const config = parseGpt2Config(await readJson(configPath, "the model's configuration"), configPath);
  const files = await findWeights(folder);

  const shapes = weightShapes(config);
  const entries: TensorEntry[] = [];
  for (const path of files.paths) entries.push(...(await readSafetensorsHeader(path)).entries);
  checkWeights(files.path, entries, shapes);

  const read = new Map<string, Float32Array>();
  let head: Float32Array | undefined;
  for (const path of files.paths) {
    for await (const [name, tensor] of streamSafetensors(path, ({ name }) => !isBuffer(name))) {
      const values = toFloat32(tensor, `weight "${name}" of ${path}`);
      if (name === HEAD && headName(config) !== HEAD) head = values;
      else read.set(fullName(name), values);
    }
  }
  const embedding = read.get("transformer.wte.weight");
  if (head !== undefined && embedding !== undefined && !sameValues(head, embedding)) {
    const found = "an output head of its own (lm_head.weight differs from transformer.wte.weight)";
    const fix = `set "tie_word_embeddings": false in ${configPath} to use that head`;
    const cannot = `load ${files.path}`;
    throw new RangeError(problem({ cannot, found, expected: "the tied head of its config.json", fix }));
  }
  const weights = new Map<string, Float32Array>();
  for (const name of shapes.keys()) {
    const values = read.get(name);
    if (values !== undefined) weights.set(name, values);
  }
  return { ...found, config, weights, sha256: await identityOf(files) };
}

/** The files of a model's weights. */
interface WeightFiles {
  /** The only file, or the index of several. */
  readonly path: string;
  readonly paths: readonly string[];
}

async function findWeights(folder: string): Promise<WeightFiles> {
  const path = join(folder, "model.safetensors");
  if (await exists(path)) return { path, paths: [path] };
  const indexPath = `${path}.index.json`;
  if (!(await exists(indexPath))) throw missingWeights(new Set(await readdir(folder)), folder);
  const index = shardsOf(await readFile(indexPath, "utf8"), indexPath);
  await checkShards(folder, index, indexPath);
  return { path: indexPath, paths: index.files.map((file) => join(folder, file)) };
}

// Every tensor in the file that the index names, and no other.
async function checkShards(folder: string, { files, fileOf }: ShardIndex, indexPath: string): Promise<void> {
  const left = new Map(fileOf);
  for (const file of files) {
    for (const { name } of (await readSafetensorsHeader(join(folder, file))).entries) {
      if (left.get(name) !== file) {
        const found = `tensor "${name}" in ${file}`;
        const expected = `it in ${fileOf.get(name) ?? "no file"}, as the index says`;
        const fix = "use the files that were saved together";
        throw new SyntaxError(problem({ cannot: `load ${indexPath}`, found, expected, fix }));
      }
      left.delete(name);
    }
  }
  const [missing] = left;
  if (missing === undefined) return;
  const found = `no tensor "${missing[0]}" in ${missing[1]}`;
  const fix = "use the files that were saved together";
  throw new SyntaxError(problem({ cannot: `load ${indexPath}`, found, expected: "it there, as the index says", fix }));
}

async function identityOf({ path, paths }: WeightFiles): Promise<string> {
  if (paths.length === 1 && paths[0] === path) return sha256File(path);
  const hash = createHash("sha256");
  for (const file of paths) hash.update(await sha256File(file));
  return hash.digest("hex");
}

// Causal masks that old versions of transformers stored with the weights.
function isBuffer(name: string): boolean {
  return /(^|\.)h\.\d+\.attn\.(bias|masked_bias)$/.test(name);
}

function fullName(name: string): string {
  return name === HEAD || name.startsWith("transformer.") ? name : `transformer.${name}`;
}

function sameValues(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

// Every disagreement between file and configuration in one message, the first eight in full.
function checkWeights(
  path: string,
  entries: readonly TensorEntry[],
  shapes: ReadonlyMap<string, readonly number[]>,
): void {
  const seen = new Set<string>();
  const faults: string[] = [];
  for (const { name, shape } of entries) {
    if (isBuffer(name)) continue;
    const full = fullName(name);
    const expected = shapes.get(full === HEAD ? "transformer.wte.weight" : full);
    if (expected === undefined) faults.push(`${name} [${shape.join(", ")}] belongs to no GPT-2 of this size`);
    else if (seen.has(full)) faults.push(`${full} is there with and without "transformer."`);
    else if (expected.join() !== shape.join()) {
      faults.push(`${name} has shape [${shape.join(", ")}] where config.json asks for [${expected.join(", ")}]`);
    }
    seen.add(full);
  }
  for (const [name, shape] of shapes) {
    if (!seen.has(name)) faults.push(`${name} [${shape.join(", ")}] is missing`);
  }
  if (faults.length === 0) return;
  const more = faults.length > 8 ? [`and ${faults.length - 8} more`] : [];
  const found = [...faults.slice(0, 8), ...more].join("; ");
  const expected = `the ${shapes.size} weights that config.json describes`;
  const fix = "use the config.json and model.safetensors that were saved together";
  throw new TypeError(problem({ cannot: `load ${path}`, found, expected, fix }));
}

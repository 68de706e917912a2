/**
 * A pretrained GPT-2 from disk. In: a model's name or its folder in Hugging Face form. Out: its configuration and its
 * weights as 32-bit floats under their full Hugging Face names, all there and of the right shape. It downloads nothing and
 * puts nothing on an engine. Names: transformers' GPT2LMHeadModel; files on the Hub often lack the prefix `transformer.`.
 */
import { statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { exists, readJson, sha256File } from "../files.js";
import { nearest, problem } from "../message.js";
import { packageRoot } from "../paths.js";
import { type Gpt2Config, headName, parseGpt2Config, weightShapes } from "./gpt2-config.js";
import { readSafetensorsHeader, streamSafetensors, type TensorEntry, toFloat32 } from "./safetensors.js";

/** A model as read from disk. */
export interface PretrainedModel {
  readonly folder: string;
  readonly config: Gpt2Config;
  /** Row-major weights by their full name, in the order of {@link weightShapes}. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Of model.safetensors: the model's identity in checkpoints and reports. */
  readonly sha256: string;
}

/** The model that travels with Fledge. */
export const EMBEDDED_MODEL = "fledge-base";

// The output head; files of a tied model may hold it as a copy of the embedding.
const HEAD = "lm_head.weight";

// Known by name, but only on the Hub.
const HUB_MODELS = ["distilgpt2", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "PingVortex/VLM-1"];

/**
 * Finds the folder of a model.
 *
 * @param name `fledge-base`, or the path of a folder with config.json and model.safetensors.
 * @returns the absolute path of the folder.
 * @throws RangeError when no such model can be had, with the nearest known name.
 * @example
 * resolveModel("fledge-base"); // ".../models/fledge-base"
 */
export function resolveModel(name: string): string {
  const folder = name === EMBEDDED_MODEL ? join(packageRoot(), "models", EMBEDDED_MODEL) : resolve(name);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  const refuse = (found: string, fix: string): RangeError => {
    const expected = `"${EMBEDDED_MODEL}" or the folder of a saved GPT-2`;
    return new RangeError(problem({ cannot: `load model "${name}"`, found, expected, fix }));
  };
  if (name === EMBEDDED_MODEL) throw refuse(`no folder ${folder}`, "run npm run pretrain to make it");
  const hubName = HUB_MODELS.find((model) => model.toLowerCase() === name.toLowerCase());
  if (hubName !== undefined) {
    const found = "a model of the Hugging Face Hub, from which this version cannot download yet";
    const save = `GPT2LMHeadModel.from_pretrained("${hubName}").save_pretrained("./${basename(hubName)}")`;
    throw refuse(found, `use "${EMBEDDED_MODEL}", or save it from Python with ${save} and give that folder`);
  }
  const near = nearest(name, [EMBEDDED_MODEL, ...HUB_MODELS]);
  const found = `no folder ${folder}${near === undefined ? "" : `; the nearest known name is "${near}"`}`;
  throw refuse(found, `use "${EMBEDDED_MODEL}" or the path of a folder`);
}

/**
 * Loads a model by name or folder.
 *
 * @param nameOrFolder see {@link resolveModel}.
 * @returns configuration, weights (float32; F16, BF16 and F64 are converted one tensor at a time) and identity.
 * @throws RangeError for an unknown or unsupported model; TypeError naming each missing, extra or mis-shaped weight;
 * SyntaxError for a damaged file.
 * @example
 * const { config, weights } = await loadPretrained("fledge-base");
 */
export async function loadPretrained(nameOrFolder: string): Promise<PretrainedModel> {
  const folder = resolveModel(nameOrFolder);
  const configPath = join(folder, "config.json");
  const config = parseGpt2Config(await readJson(configPath, "the model's configuration"), configPath);
  const path = join(folder, "model.safetensors");
  if (!(await exists(path))) throw await missingWeights(folder);

  const shapes = weightShapes(config);
  const { entries } = await readSafetensorsHeader(path);
  checkWeights(path, entries, shapes);

  const read = new Map<string, Float32Array>();
  let head: Float32Array | undefined;
  for await (const [name, tensor] of streamSafetensors(path, ({ name }) => !isBuffer(name))) {
    const values = toFloat32(tensor, `weight "${name}" of ${path}`);
    if (name === HEAD && headName(config) !== HEAD) head = values;
    else read.set(fullName(name), values);
  }
  const embedding = read.get("transformer.wte.weight");
  if (head !== undefined && embedding !== undefined && !sameValues(head, embedding)) {
    const found = "an output head of its own (lm_head.weight differs from transformer.wte.weight)";
    const fix = `set "tie_word_embeddings": false in ${configPath} to use that head`;
    throw new RangeError(problem({ cannot: `load ${path}`, found, expected: "the tied head of its config.json", fix }));
  }
  const weights = new Map<string, Float32Array>();
  for (const name of shapes.keys()) {
    const values = read.get(name);
    if (values !== undefined) weights.set(name, values);
  }
  return { folder, config, weights, sha256: await sha256File(path) };
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

async function missingWeights(folder: string): Promise<Error> {
  const has = async (name: string): Promise<boolean> => exists(join(folder, name));
  let found = "no model.safetensors";
  if (await has("pytorch_model.bin")) found = "weights in PyTorch's pickle form (pytorch_model.bin)";
  if (await has("model.safetensors.index.json")) found = "weights in several files (model.safetensors.index.json)";
  const fix = 'save it again from Python with model.save_pretrained(folder, max_shard_size="50GB")';
  return new Error(problem({ cannot: `load the model in ${folder}`, found, expected: "one model.safetensors", fix }));
}

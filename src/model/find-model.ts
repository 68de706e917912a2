/**
 * From a model's name to a folder with its files. In: `fledge-base`, a path, or a name of the Hugging Face Hub with a
 * revision. Out: the folder, and what is known of where it came from. From the Hub it brings configuration, tokenizer, card
 * and weights as safetensors; weights that are only there as pickle are refused. It reads no weights.
 */
import { statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { TOKENIZER_FILES } from "../data/tokenizer-file.js";
import { isHubName, openRepository, type Repository, type RepositoryOptions, readCard } from "../hub/repository.js";
import { nearest, problem } from "../message.js";
import { packageRoot } from "../paths.js";

/** The model that travels with Fledge. */
export const EMBEDDED_MODEL = "fledge-base";

/** A model on this disk. */
export interface FoundModel {
  /** Absolute path; holds config.json. */
  readonly folder: string;
  /** Where it came from, with revision and commit when from the Hub. */
  readonly origin: string;
  /** What its card states. */
  readonly licence: string;
  /** What its user should know, such as that it has another name now; absent where there is nothing. */
  readonly notes?: readonly string[];
}

/** How to get a model of the Hub. */
export interface FindModelOptions extends RepositoryOptions {
  /** Branch, tag, `refs/pr/<number>` or commit of the Hub (default `main`). */
  readonly revision?: string | undefined;
  /** Whether its weights are wanted too (default true). */
  readonly weights?: boolean | undefined;
}

// Well known; a name without owner that is nearly one of these is a slip of the hand.
const KNOWN_MODELS = [EMBEDDED_MODEL, "distilgpt2", "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "PingVortex/VLM-1"];

// What a GPT-2 may have beside its weights.
const SMALL_FILES = ["config.json", "generation_config.json", ...TOKENIZER_FILES];
const INDEX = "model.safetensors.index.json";

/**
 * Finds a model, downloading it when it is one of the Hub and not in the cache.
 *
 * @param name `fledge-base`, the path of a folder with config.json and safetensors, or a name of the Hub: `distilgpt2`.
 * @throws RangeError when the name can be none of these, or the model has no safetensors; HubError when the Hub refuses.
 * @example
 * (await findModel("fledge-base")).folder.endsWith("fledge-base"); // true
 */
export async function findModel(name: string, options: FindModelOptions = {}): Promise<FoundModel> {
  const isEmbedded = name === EMBEDDED_MODEL;
  const folder = isEmbedded ? join(packageRoot(), "models", EMBEDDED_MODEL) : resolve(name);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
    if (isEmbedded) return { folder, origin: "embedded in Fledge", licence: "Apache-2.0" };
    return { folder, origin: `folder ${folder}`, licence: "not stated" };
  }
  const near = KNOWN_MODELS.includes(name) ? undefined : nearest(name, KNOWN_MODELS);
  const isSlip = near !== undefined && !name.includes("/");
  if (!isEmbedded && isHubName(name) && !isSlip) return downloadModel(name, options);
  const hint = near === undefined ? "" : `; the nearest known name is "${near}"`;
  const expected = `"${EMBEDDED_MODEL}", the folder of a saved GPT-2, or a model of the Hugging Face Hub such as "distilgpt2"`;
  const fix = isEmbedded
    ? "run npm run pretrain to make it"
    : `use "${near ?? EMBEDDED_MODEL}" or the path of a folder`;
  throw new RangeError(problem({ cannot: `load model "${name}"`, found: `no folder ${folder}${hint}`, expected, fix }));
}

async function downloadModel(name: string, options: FindModelOptions): Promise<FoundModel> {
  const { revision = "main", weights = true } = options;
  const repository = await openRepository({ kind: "model", name, revision }, options);
  try {
    const there = new Set(repository.files.map(({ path }) => path));
    if (!there.has("config.json")) {
      const found = "a repository without config.json";
      const fix = 'choose a GPT-2 that transformers saved, such as "distilgpt2"';
      throw new RangeError(problem({ cannot: `load model "${name}"`, found, expected: "a GPT-2", fix }));
    }
    if (weights && !there.has("model.safetensors") && !there.has(INDEX)) throw noSafetensors(repository, there);
    for (const file of SMALL_FILES) if (there.has(file)) await repository.fetch(file);
    const { licence } = await readCard(repository);
    if (weights) for (const file of await weightFiles(repository, there)) await repository.fetch(file);
    const { folder, origin, notes } = repository;
    return { folder, origin, licence, ...(notes.length > 0 && { notes }) };
  } finally {
    await repository.close();
  }
}

async function weightFiles(repository: Repository, there: ReadonlySet<string>): Promise<string[]> {
  if (there.has("model.safetensors")) return ["model.safetensors"];
  const index = await readFile(await repository.fetch(INDEX), "utf8");
  return shardsOf(index, `${repository.name}/${INDEX}`).files;
}

/** Which tensors lie in which file. */
export interface ShardIndex {
  /** Names of the files, each once, sorted. */
  readonly files: string[];
  /** Tensor → file. */
  readonly fileOf: ReadonlyMap<string, string>;
}

/**
 * Reads the index of weights that were saved in several files.
 *
 * @param text of model.safetensors.index.json
 * @param path for the message
 * @throws SyntaxError when it is no such index
 */
export function shardsOf(text: string, path: string): ShardIndex {
  const refuse = (found: string, cause?: unknown): never => {
    const expected = 'a "weight_map" from tensors to .safetensors files beside it';
    const fix = "copy or download the file again";
    throw new SyntaxError(problem({ cannot: `read ${path}`, found, expected, fix }), { cause });
  };
  let json: { readonly weight_map?: unknown } | null;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse("text that is not JSON", error);
  }
  const map = json?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map)) return refuse("no weight_map");
  const fileOf = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== "string" || !/^[\w-][\w.-]*\.safetensors$/.test(file)) {
      return refuse(`${JSON.stringify(file)} for tensor "${tensor}"`);
    }
    fileOf.set(tensor, file);
  }
  return { files: [...new Set(fileOf.values())].sort(), fileOf };
}

/**
 * Words what weights are there instead of safetensors.
 *
 * @param there names of the files beside config.json
 * @param model how the model is called
 */
export function missingWeights(there: ReadonlySet<string>, model: string): RangeError {
  const pickle = ["pytorch_model.bin", "pytorch_model.bin.index.json"].find((file) => there.has(file));
  const found = pickle
    ? `weights only in PyTorch's pickle form (${pickle}), which can run any code when it is opened`
    : "no weights";
  const save = `AutoModelForCausalLM.from_pretrained("${model}").save_pretrained("my-model")`;
  const tokenizer = `AutoTokenizer.from_pretrained("${model}").save_pretrained("my-model")`;
  const fix = `save it from Python, if you trust it, with ${save} and ${tokenizer}, and use modelName: "./my-model"`;
  return new RangeError(problem({ cannot: `load model "${model}"`, found, expected: "model.safetensors", fix }));
}

function noSafetensors({ name, revision }: Repository, there: ReadonlySet<string>): RangeError {
  const { message } = missingWeights(there, name);
  // The Hub's own robot opens such pull requests for many repositories.
  const other =
    revision === "main" ? ', or look for a pull request "Adding `safetensors`" and use modelRevision: "refs/pr/1"' : "";
  return new RangeError(message.replace(/\.$/, `${other}.`));
}

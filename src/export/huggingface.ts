/**
 * A model as a folder that Python's transformers and transformers.js load. In: configuration, weights, the folder of its
 * tokenizer, a model card. Out: config.json, generation_config.json, model.safetensors, tokenizer files, README.md, all there
 * or none. It writes no ONNX and draws nothing; plots come in as finished files.
 */
import { copyFile, readdir, stat } from "node:fs/promises";
import { join, relative, resolve } from "node:path";
import { TOKENIZER_FILES } from "../data/tokenizer-file.js";
import { sizeOf } from "../engine/program.js";
import { diskProblem, exists, type FileContent, writeFileAtomic, writeFolderAtomic } from "../files.js";
import { problem } from "../message.js";
import { type Gpt2Config, toHuggingFaceConfig, weightShapes } from "../model/gpt2-config.js";
import { type TensorData, writeSafetensors } from "../model/safetensors.js";

/** A model to be written. */
export interface ModelContent {
  readonly config: Gpt2Config;
  /** By full Hugging Face name; a tied head is not among them. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  /** Where tokenizer.json and its companions are copied from. */
  readonly tokenizerFolder: string;
}

/** What a saved model folder holds besides the model. */
export interface ModelFolderContent extends ModelContent {
  /** README.md, from `modelCard()`. */
  readonly card: string;
  /** Knobs of the run, written as training_args.json. */
  readonly trainingArguments?: Readonly<Record<string, unknown>>;
  /** More files by name: `training_plot.png`. */
  readonly extraFiles?: ReadonlyMap<string, FileContent>;
}

/**
 * Saves a model so that the folder is at every moment the old model or the new one. Other files in an old folder stay.
 *
 * @param folder where to; it is made when missing, its parents too.
 * @throws RangeError when the folder is not one to replace (it holds a project, or this process works in it); Error when
 * the tokenizer is missing or the disk refuses; the old folder is then untouched.
 * @returns the absolute path of the folder.
 * @example
 * await saveModelFolder("./final_model", { config, weights, tokenizerFolder: base.folder, card: "# My model" });
 */
export async function saveModelFolder(folder: string, content: ModelFolderContent): Promise<string> {
  await checkModelFolder(folder);
  await writeFolderAtomic(
    folder,
    async (temporary) => {
      await writeModelFiles(temporary, content);
      await writeFileAtomic(join(temporary, "README.md"), content.card);
      if (content.trainingArguments) await writeJson(join(temporary, "training_args.json"), content.trainingArguments);
      for (const [name, file] of content.extraFiles ?? []) await writeFileAtomic(join(temporary, name), file);
    },
    { keepOthers: true },
  ).catch((error: unknown) => {
    throw diskProblem(`save the model in ${resolve(folder)}`, error);
  });
  return resolve(folder);
}

/**
 * Writes the files that make a folder loadable as a model into an existing folder. Checkpoints use it too.
 *
 * @throws Error when `tokenizerFolder` has no tokenizer.json, nor vocab.json with merges.txt; TypeError when a weight is missing
 * or of the wrong size.
 */
export async function writeModelFiles(
  folder: string,
  { config, weights, tokenizerFolder }: ModelContent,
): Promise<void> {
  const lies = (name: string) => exists(join(tokenizerFolder, name));
  if (!(await lies("tokenizer.json")) && !((await lies("vocab.json")) && (await lies("merges.txt")))) {
    const found = `no tokenizer.json in ${tokenizerFolder}`;
    const fix = "give as tokenizerFolder the folder of the model that the run started from";
    throw new Error(problem({ cannot: "save the model", found, expected: "the tokenizer it was trained with", fix }));
  }
  await writeJson(join(folder, "config.json"), toHuggingFaceConfig(config));
  await writeJson(join(folder, "generation_config.json"), {
    bos_token_id: config.endOfTextId,
    eos_token_id: config.endOfTextId,
    pad_token_id: config.endOfTextId,
  });
  await writeSafetensors(join(folder, "model.safetensors"), shapedTensors(config, weights));
  for (const name of TOKENIZER_FILES) {
    if (await lies(name)) await copyFile(join(tokenizerFolder, name), join(folder, name));
  }
}

/**
 * Gives each of a model's arrays its shape, in canonical order.
 *
 * @param prefix put before each name in the result: `m.` for the optimiser's first moment.
 * @throws TypeError naming an array that is missing, unknown or of the wrong size.
 */
export function shapedTensors(
  config: Gpt2Config,
  arrays: ReadonlyMap<string, Float32Array>,
  prefix = "",
): Map<string, TensorData> {
  const shapes = weightShapes(config);
  const refuse = (found: string): TypeError => {
    const expected = `the ${shapes.size} arrays of this model`;
    return new TypeError(
      problem({ cannot: "save the model", found, expected, fix: "pass every weight under its name" }),
    );
  };
  const extra = [...arrays.keys()].find((name) => !shapes.has(name));
  if (extra !== undefined) throw refuse(`"${extra}" that is no weight of it`);
  const tensors = new Map<string, TensorData>();
  for (const [name, shape] of shapes) {
    const data = arrays.get(name);
    if (data === undefined) throw refuse(`no "${name}"`);
    const elements = sizeOf(shape);
    if (data.length !== elements) throw refuse(`${data.length} numbers in "${name}" instead of ${elements}`);
    tensors.set(prefix + name, { dtype: "F32", shape, data });
  }
  return tensors;
}

async function writeJson(path: string, value: Readonly<Record<string, unknown>>): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(value, null, 2)}\n`);
}

/**
 * Refuses a folder that is not one to replace: saving moves the old folder aside, which must not happen to a project, a
 * home or the folder we stand in. Ask before a long run, not after it.
 *
 * @throws RangeError saying what lies there
 */
export async function checkModelFolder(folder: string): Promise<void> {
  const fix = 'give a folder of its own, such as "./final_model"';
  const refuse = (found: string, expected: string): RangeError =>
    new RangeError(problem({ cannot: `save the model in ${folder}`, found, expected, fix }));
  const stats = await stat(folder).catch(() => undefined);
  if (stats === undefined) return;
  if (!stats.isDirectory()) throw refuse("a file of that name", "a folder");
  const towards = relative(resolve(folder), process.cwd());
  if (!towards.startsWith("..")) throw refuse("the folder that this process works in", "another folder");
  const entries = await readdir(folder);
  const ours = entries.find((name) => ["README.md", "config.json", ...TOKENIZER_FILES].includes(name));
  if (ours !== undefined && !entries.includes("model.safetensors")) {
    throw refuse(`a ${ours} but no model.safetensors`, "an empty folder or a saved model");
  }
}

/**
 * What the exports to other programs share: which model, into which folder, in which precisions, and the writing of a file
 * that is whole or not there. The formats themselves are elsewhere.
 */
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { TOKENIZER_FILES } from "../data/tokenizer-file.js";
import { diskProblem, exists, type FileContent, writeFileAtomic } from "../files.js";
import { isHubName } from "../hub/repository.js";
import { problem } from "../message.js";
import { loadPretrained, type PretrainedModel } from "../model/pretrained.js";

/** A file that an export wrote. */
export interface ExportedFile {
  readonly path: string;
  readonly bytes: number;
}

/** What may be chosen for an export. */
export interface ExportOptions<Dtype extends string> {
  /** How weights are stored; a file for each. */
  readonly dtypes?: readonly Dtype[];
  /** Folder to write into, made when missing; a must for a model that is given by name. Default: the model's own. */
  readonly into?: string;
}

/**
 * Opens the model of an export and makes the folder ready: one of its own also gets configuration and tokenizer.
 *
 * @param name a folder, or any name that `loadPretrained` knows, which then needs `into`
 * @returns the model, and the absolute path of the folder
 * @throws RangeError for a name without `into`; as `loadPretrained`
 */
export async function openForExport(
  name: string,
  into: string | undefined,
): Promise<{ readonly model: PretrainedModel; readonly target: string }> {
  if (into === undefined && isHubName(name) && !(await exists(name))) {
    const found = "a model that lies in no folder of yours";
    const fix = `give a folder to write into, as into: "./${name.split("/").at(-1)}" or --into`;
    throw new RangeError(problem({ cannot: `export "${name}"`, found, expected: "the folder of a saved model", fix }));
  }
  const model = await loadPretrained(name);
  const target = resolve(into ?? name);
  if (target !== resolve(model.folder)) {
    try {
      await mkdir(target, { recursive: true });
      for (const file of ["config.json", "generation_config.json", ...TOKENIZER_FILES]) {
        if (await exists(join(model.folder, file))) await copyFile(join(model.folder, file), join(target, file));
      }
    } catch (error) {
      throw diskProblem(`export into ${target}`, error);
    }
  }
  return { model, target };
}

/** Writes one file of an export, and its folder. */
export async function writeExport(path: string, content: FileContent, bytes: number): Promise<ExportedFile> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFileAtomic(path, content);
  } catch (error) {
    throw diskProblem(`write ${path}`, error);
  }
  return { path, bytes };
}

/**
 * Refuses a dtype that a format does not have.
 *
 * @param format as people say it: `ONNX`
 * @throws RangeError naming those that it has
 */
export function checkDtypes(asked: readonly string[], known: readonly string[], format: string): void {
  const unknown = asked.find((dtype) => !known.includes(dtype));
  if (unknown === undefined && asked.length > 0) return;
  const found = unknown === undefined ? "no dtype" : `dtype "${unknown}"`;
  const fix = `choose among ${known.join(", ")}`;
  throw new RangeError(problem({ cannot: `export as ${format}`, found, expected: known.join(", "), fix }));
}

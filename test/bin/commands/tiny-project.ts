/** A model and a text so small that a run takes two seconds, and the `fledge` command on them as real processes. */
import { type ChildProcess, spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { packageRoot } from "../../../src/paths.js";
import { writeModelFolder } from "../../model-folder.js";

/** The command, compiled. */
export const fledgeMain = join(packageRoot(), "dist/bin/fledge.js");

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Writes a GPT-2 of one layer and a text into a folder; returns the options of a run on them. */
export async function tinyProject(folder: string): Promise<readonly string[]> {
  const modelName = join(folder, "tiny");
  await writeModelFolder(modelName, { positions: 64, width: 16, layers: 1, heads: 2 });
  const text = join(folder, "letters.txt");
  const paragraphs = Array.from(
    { length: 400 },
    (_, i) => `Letter ${i} counts ${i * i} and ${i * 7} things of the day.`,
  );
  await writeFile(text, paragraphs.join("\n\n"));
  return [
    ...["--model-name", modelName, "--initial-weights", "random", "--dataset-name", text, "--data-gate", "warn"],
    ...["--block-size", "32", "--batch-size", "2", "--learning-rate", "5e-3", "--num-epochs", "1"],
    ...["--evaluate-every-steps", "20", "--early-stopping-patience", "0", "--mixed-precision", "false"],
  ];
}

/** Starts `fledge` with words in a folder; `said` grows while it runs. */
export function start(
  words: readonly string[],
  folder: string,
  program: string = process.execPath,
  before: readonly string[] = [fledgeMain],
) {
  const environment = { ...process.env, TF_CPP_MIN_LOG_LEVEL: "2" };
  const child = spawn(program, [...before, ...words], { cwd: folder, env: environment });
  const said = { out: "", err: "" };
  child.stdout.on("data", (data) => (said.out += data));
  child.stderr.on("data", (data) => (said.err += data));
  const ended = new Promise<Ended>((resolve) => child.on("close", (code) => resolve({ code, ...said })));
  return { child, said, ended };
}

/** Waits until something holds, or the process has ended. */
export async function until(child: ChildProcess, holds: () => boolean): Promise<void> {
  while (!holds() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
}

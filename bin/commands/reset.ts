/**
 * `fledge reset`: deletes what the course wrote, after asking. In: the words after `fledge reset`, a yes on the terminal. Out: what was
 * deleted. It touches nothing but notebooks/output, and no notebook.
 */
import { existsSync } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { problem } from "../../src/message.js";
import { packageRoot } from "../../src/paths.js";
import { formatBytes } from "../../src/view/format.js";
import type { Command } from "../command.js";

/** The command. */
export const reset: Command = {
  help: `Usage: fledge reset [--yes]

Deletes notebooks/output, where the notebooks of the course write: trained models, checkpoints, logs, plots. It says what
lies there and asks first. The notebooks themselves stay as they are.

  --yes   do not ask
`,
  async run(words) {
    const unknown = words.find((word) => word !== "--yes");
    if (unknown !== undefined) {
      const fix = "run `fledge reset`, or `fledge reset --yes`";
      throw new RangeError(problem({ cannot: `use ${unknown}`, found: "no such option", expected: "--yes", fix }));
    }
    return resetOutputs(join(packageRoot(), "notebooks", "output"), words.includes("--yes") ? async () => "y" : ask);
  },
};

/**
 * Deletes a folder of outputs.
 *
 * @param folder what the course wrote
 * @param answer asks the question and gives the answer; anything but y or yes keeps the folder
 * @returns the exit code: 0 when nothing is left, 1 when the answer was no
 */
export async function resetOutputs(folder: string, answer: (question: string) => Promise<string>): Promise<number> {
  if (!existsSync(folder)) {
    process.stdout.write(`There is nothing to delete: no ${folder}.\n`);
    return 0;
  }
  const entries = await readdir(folder);
  const size = formatBytes(await sizeOf(folder));
  process.stdout.write(`${folder} holds ${size}: ${entries.join(", ") || "nothing"}.\n`);
  const said = await answer("Delete it? [y/N] ");
  if (!/^y(es)?$/i.test(said.trim())) {
    process.stdout.write("Kept.\n");
    return 1;
  }
  await rm(folder, { recursive: true });
  process.stdout.write("Deleted. Run the notebooks again from the first.\n");
  return 0;
}

async function sizeOf(folder: string): Promise<number> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const sizes = files
    .filter((file) => file.isFile())
    .map(async (file) => (await stat(join(file.parentPath ?? file.path, file.name))).size);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

/**
 * `fledge kernel install | uninstall | list`: puts the TypeScript kernel where Jupyter looks for it. In: the words after
 * `fledge kernel`. Out: lines of text and an exit code. What is installed is kernel/install.ts's business; this file only
 * knows the places. Source of the places: Jupyter's own documentation, "Common directories and file locations".
 */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, join, resolve } from "node:path";
import { installKernel, KERNEL_NAME, userDataFolder } from "../../kernel/install.js";
import { problem } from "../../src/message.js";
import { packageRoot } from "../../src/paths.js";
import type { Command } from "../command.js";

/** The command. */
export const kernel: Command = {
  help: `Usage: fledge kernel install|uninstall|list [option]

  install      put the TypeScript kernel, and its Plotly renderer, where Jupyter looks for them
  uninstall    remove them again
  list         say where they are installed

  --user         (default) for you, in every Jupyter
  --prefix DIR   into DIR/share/jupyter
  --sys-prefix   into the active virtual environment
`,
  async run(words) {
    await kernelCommand(words, (line) => process.stdout.write(`${line}\n`));
    return 0;
  },
};

/** Folders below a Jupyter data folder that are ours. */
const OURS = [join("kernels", KERNEL_NAME), join("labextensions", "fledge-plotly")];

/**
 * Runs one of the three commands.
 *
 * @param words after `fledge kernel`
 * @param say takes each line of output
 * @throws RangeError for a word or option that it does not know
 */
export async function kernelCommand(words: readonly string[], say: (line: string) => void): Promise<void> {
  const [verb = "", ...options] = words;
  if (verb === "list") {
    const found = knownFolders().filter((folder) => existsSync(join(folder, "kernels", KERNEL_NAME, "kernel.json")));
    for (const folder of found) say(join(folder, "kernels", KERNEL_NAME));
    if (found.length === 0) say("The kernel is not installed. Install it with `fledge kernel install`.");
    return;
  }
  if (verb !== "install" && verb !== "uninstall") {
    const expected = "install, uninstall or list";
    const fix = "run `fledge help kernel`";
    throw new RangeError(problem({ cannot: `run "kernel ${verb}"`, found: "no such command", expected, fix }));
  }
  const dataDir = dataFolder(options);
  if (verb === "install") {
    installKernel({ dataDir });
    say(`Installed the kernel "${KERNEL_NAME}" in ${dataDir}.`);
    return;
  }
  const present = OURS.map((path) => join(dataDir, path)).filter((path) => existsSync(path));
  for (const path of present) await rm(path, { recursive: true });
  say(present.length > 0 ? `Removed ${present.join(" and ")}.` : `Nothing to remove in ${dataDir}.`);
}

/**
 * The Jupyter data folder that the options name.
 *
 * @param options --user (default), --prefix DIR or --sys-prefix
 * @throws RangeError for anything else, or --sys-prefix without a virtual environment
 */
export function dataFolder(options: readonly string[]): string {
  const [option = "--user", value] = options;
  if (option === "--user" && options.length <= 1) return userDataFolder();
  if (option === "--prefix" && value && options.length === 2) return join(resolve(value), "share", "jupyter");
  if (option === "--sys-prefix" && options.length === 1) {
    const active = process.env.VIRTUAL_ENV || process.env.CONDA_PREFIX;
    if (active) return join(active, "share", "jupyter");
    const found = "no active virtual environment";
    const fix = "activate one, or use --prefix DIR";
    throw new RangeError(problem({ cannot: "use --sys-prefix", found, expected: "VIRTUAL_ENV or CONDA_PREFIX", fix }));
  }
  const expected = "--user, --prefix DIR or --sys-prefix";
  const fix = "run `fledge help kernel`";
  throw new RangeError(problem({ cannot: "choose a folder for the kernel", found: options.join(" "), expected, fix }));
}

function knownFolders(): string[] {
  const { VIRTUAL_ENV, CONDA_PREFIX, JUPYTER_PATH } = process.env;
  const prefixes = [join(packageRoot(), ".venv"), VIRTUAL_ENV, CONDA_PREFIX].filter((prefix) => prefix !== undefined);
  const extra = JUPYTER_PATH?.split(delimiter) ?? [];
  return [...new Set([userDataFolder(), ...prefixes.map((prefix) => join(prefix, "share", "jupyter")), ...extra])];
}

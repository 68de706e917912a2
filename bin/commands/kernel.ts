/**
 * `fledge kernel install | uninstall | list`: puts the TypeScript kernel where Jupyter looks for it. In: the words after
 * `fledge kernel`. Out: lines of text and an exit code. What is installed is kernel/install.ts's business; this file only
 * knows the places. Source of the places: Jupyter's own documentation, "Common directories and file locations".
 */
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import {
  installedKernels,
  installKernel,
  KERNEL_NAME,
  type KernelPlace,
  uninstallKernel,
  userDataFolder,
} from "../../kernel/install.js";
import { problem } from "../../src/message.js";
import { packageRoot } from "../../src/paths.js";
import type { Command } from "../command.js";

/** The command. */
export const kernel: Command = {
  help: `Usage: fledge kernel install|uninstall|list [options]

  install      put the TypeScript kernel, the cured tslab and the Plotly renderer where Jupyter looks for them
  uninstall    remove them again
  list         say where they are installed

  --user           (default) for you, in every Jupyter
  --prefix DIR     into DIR/share/jupyter
  --sys-prefix     into the active virtual environment
  --data-dir DIR   into a Jupyter data folder
  --name NAME      (default fledge) what Jupyter calls the kernel; tslab is NAME-tslab

  fledge kernel install --sys-prefix --name fledge-dev
`,
  async run(words) {
    await kernelCommand(words, (line) => process.stdout.write(`${line}\n`));
    return 0;
  },
};

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
    const found = knownFolders().flatMap(installedKernels);
    for (const folder of found) say(folder);
    if (found.length === 0) say("The kernel is not installed. Install it with `fledge kernel install`.");
    return;
  }
  if (verb !== "install" && verb !== "uninstall") {
    const expected = "install, uninstall or list";
    const fix = "run `fledge help kernel`";
    throw new RangeError(problem({ cannot: `run "kernel ${verb}"`, found: "no such command", expected, fix }));
  }
  const place = kernelPlace(options);
  const paths = verb === "install" ? installKernel(place) : uninstallKernel(place);
  for (const path of paths) say(`${verb === "install" ? "wrote" : "removed"} ${path}`);
  if (verb === "install") say(`Jupyter knows the kernel as "${place.name}", and tslab as "${place.name}-tslab".`);
  if (paths.length === 0) say(`Nothing to remove in ${place.dataDir}.`);
}

/**
 * What the options name.
 *
 * @param options --user (default), --prefix DIR, --sys-prefix or --data-dir DIR; --name NAME
 * @throws RangeError for anything else, or --sys-prefix without a virtual environment
 */
export function kernelPlace(options: readonly string[]): Required<KernelPlace> {
  const { values, places } = parsed(options);
  const name = values.name ?? KERNEL_NAME;
  if (places > 1) throw unknownOptions(options);
  if (values["data-dir"] !== undefined) return { name, dataDir: resolve(values["data-dir"]) };
  if (values.prefix !== undefined) return { name, dataDir: join(resolve(values.prefix), "share", "jupyter") };
  if (!values["sys-prefix"]) return { name, dataDir: userDataFolder() };
  const active = process.env.VIRTUAL_ENV || process.env.CONDA_PREFIX;
  if (active) return { name, dataDir: join(active, "share", "jupyter") };
  const found = "no active virtual environment";
  const fix = "activate one, or use --prefix DIR";
  throw new RangeError(problem({ cannot: "use --sys-prefix", found, expected: "VIRTUAL_ENV or CONDA_PREFIX", fix }));
}

function parsed(options: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...options],
      options: {
        user: { type: "boolean" },
        "sys-prefix": { type: "boolean" },
        prefix: { type: "string" },
        "data-dir": { type: "string" },
        name: { type: "string" },
      },
    });
    return { values, places: Object.keys(values).filter((name) => name !== "name").length };
  } catch {
    throw unknownOptions(options); // parseArgs says less about what would be right
  }
}

function unknownOptions(options: readonly string[]): RangeError {
  const expected = "one of --user, --prefix DIR, --sys-prefix and --data-dir DIR, and --name NAME";
  const fix = "run `fledge help kernel`";
  return new RangeError(problem({ cannot: "choose a folder for the kernel", found: options.join(" "), expected, fix }));
}

function knownFolders(): string[] {
  const { VIRTUAL_ENV, CONDA_PREFIX, JUPYTER_PATH } = process.env;
  const prefixes = [join(packageRoot(), ".venv"), VIRTUAL_ENV, CONDA_PREFIX].filter((prefix) => prefix !== undefined);
  const extra = JUPYTER_PATH?.split(delimiter) ?? [];
  return [...new Set([userDataFolder(), ...prefixes.map((prefix) => join(prefix, "share", "jupyter")), ...extra])];
}

/**
 * Makes the kernel known to Jupyter. In: a Jupyter data folder. Out: a kernelspec, and the JupyterLab extension that draws
 * Plotly figures. Needs no Python. `node dist/kernel/install.js --user | --sys-prefix | --prefix P | --data-dir D`.
 * Source: jupyter-client documentation, "Kernel specs"; JupyterLab documentation, "Prebuilt extensions".
 */
import { copyFileSync, existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { homedir, platform } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { problem } from "../src/message.js";
import { packageRoot } from "../src/paths.js";
import { plotlyFile } from "../src/view/html.js";

/** Name under which Jupyter knows the kernel. */
export const KERNEL_NAME = "fledge";

/** Content of kernel.json. */
export interface KernelSpec {
  readonly argv: readonly string[];
  readonly display_name: string;
  readonly language: string;
  readonly interrupt_mode: "message";
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** The kernelspec of this copy of Fledge. */
export function kernelSpec(): KernelSpec {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  return {
    argv: [process.execPath, main, "{connection_file}"],
    display_name: "TypeScript (Fledge)",
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false },
  };
}

/**
 * Installs the kernelspec and the Plotly renderer.
 *
 * @param dataDir Jupyter data folder, such as `<prefix>/share/jupyter`
 * @returns the files that were written
 * @throws Error when a file cannot be written
 * @example
 * installKernel({ dataDir: ".venv/share/jupyter" });
 */
export function installKernel({ dataDir }: { readonly dataDir: string }): string[] {
  const written: string[] = [];
  const place = (path: string, write: (path: string) => void) => {
    try {
      mkdirSync(dirname(path), { recursive: true });
      write(path);
    } catch (error) {
      const found = error instanceof Error ? error.message : String(error);
      const fix = "choose a folder that you may write to, with --user or --prefix";
      throw new Error(problem({ cannot: `write "${path}"`, found, expected: "a writable Jupyter data folder", fix }));
    }
    written.push(path);
  };
  const spec = `${JSON.stringify(kernelSpec(), undefined, 2)}\n`;
  place(join(dataDir, "kernels", KERNEL_NAME, "kernel.json"), (path) => writeFileSync(path, spec));
  const renderer = join(packageRoot(), "kernel", "plotly-renderer");
  const extension = join(dataDir, "labextensions", "fledge-plotly");
  for (const file of ["package.json", join("static", "remoteEntry.js")]) {
    place(join(extension, file), (path) => copyFileSync(join(renderer, file), path));
  }
  place(join(extension, "static", "plotly.min.js"), (path) => copyFileSync(plotlyFile(), path));
  return written;
}

/** The folder in which Jupyter looks for a user's own kernels. Source: jupyter_core.paths. */
export function userDataFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (platform() === "darwin") return join(homedir(), "Library", "Jupyter");
  if (platform() === "win32") return join(process.env.APPDATA ?? homedir(), "jupyter");
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "jupyter");
}

/**
 * The data folder that a command line chooses; without an option, the user's own.
 *
 * @param commandLine `--user`, `--sys-prefix`, `--prefix P` or `--data-dir D`
 * @param packageFolder Fledge's folder, whose `.venv` stands in for an active environment
 * @throws Error when --sys-prefix finds no environment
 */
export function chosenDataFolder(
  commandLine: readonly string[],
  environment: NodeJS.ProcessEnv,
  packageFolder: string,
): string {
  const { values } = parseArgs({
    args: [...commandLine],
    options: {
      user: { type: "boolean" },
      "sys-prefix": { type: "boolean" },
      prefix: { type: "string" },
      "data-dir": { type: "string" },
    },
  });
  if (values["data-dir"] !== undefined) return values["data-dir"];
  if (values.prefix !== undefined) return join(values.prefix, "share", "jupyter");
  if (!values["sys-prefix"]) return userDataFolder();
  const active = environment.VIRTUAL_ENV ?? environment.CONDA_PREFIX;
  const prefix = [active, join(packageFolder, ".venv")].find((folder) => folder !== undefined && existsSync(folder));
  if (prefix !== undefined) return join(prefix, "share", "jupyter");
  const expected = "an active virtual environment, or .venv in Fledge's folder";
  throw new Error(problem({ cannot: "install with --sys-prefix", found: "neither", expected, fix: "use --user" }));
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    for (const path of installKernel({ dataDir: chosenDataFolder(process.argv.slice(2), process.env, packageRoot()) }))
      process.stdout.write(`wrote ${path}\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}

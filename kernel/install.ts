/**
 * Makes the kernel known to Jupyter. In: a Jupyter data folder. Out: its kernelspec, that of tslab with our cures, and the
 * JupyterLab extension that draws Plotly figures; and all of it removed again. Needs no Python; knows no command line.
 * Source: jupyter-client documentation, "Kernel specs"; JupyterLab documentation, "Prebuilt extensions".
 */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, platform } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { problem } from "../src/message.js";
import { packageRoot } from "../src/paths.js";
import { plotlyFile } from "../src/view/html.js";

/** Name under which Jupyter knows the kernel. */
export const KERNEL_NAME = "fledge";
const RENDERER = join("labextensions", "fledge-plotly");

/** Content of kernel.json. */
export interface KernelSpec {
  readonly argv: readonly string[];
  readonly display_name: string;
  readonly language: string;
  readonly interrupt_mode: "message" | "signal";
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Where a kernel is installed. */
export interface KernelPlace {
  /** Jupyter data folder, such as `<prefix>/share/jupyter`. */
  readonly dataDir: string;
  /** Name under which Jupyter knows the kernel; default `fledge`. */
  readonly name?: string;
}

/** The kernelspec of this copy of Fledge. @param name the kernel's name, shown when it is not the usual one */
export function kernelSpec(name: string = KERNEL_NAME): KernelSpec {
  const main = fileURLToPath(new URL("./main.js", import.meta.url));
  return {
    argv: [process.execPath, main, "{connection_file}"],
    display_name: name === KERNEL_NAME ? "TypeScript (Fledge)" : `TypeScript (${name})`,
    language: "typescript",
    interrupt_mode: "message",
    metadata: { debugger: false, fledge: "kernel" },
  };
}

/** The kernelspec of the real tslab, with our cures loaded before it. It takes interrupts as signals only. */
export function tslabSpec(): KernelSpec {
  const require = createRequire(import.meta.url);
  const tslab = join(dirname(require.resolve("tslab/package.json")), "bin", "tslab");
  const cures = join(packageRoot(), "kernel", "tslab", "preload.cjs");
  return {
    argv: [process.execPath, "--require", cures, tslab, "kernel", "--config-path", "{connection_file}"],
    display_name: "TypeScript (tslab)",
    language: "typescript",
    interrupt_mode: "signal",
    metadata: { debugger: false, fledge: "tslab" },
  };
}

/**
 * Installs both kernelspecs and the Plotly renderer.
 *
 * @returns the files that were written
 * @throws RangeError for a name that Jupyter would not take, Error when a file cannot be written
 * @example
 * installKernel({ dataDir: ".venv/share/jupyter" });
 */
export function installKernel({ dataDir, name = KERNEL_NAME }: KernelPlace): string[] {
  checkName(name);
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
  const specs = { [name]: kernelSpec(name), [tslabName(name)]: tslabSpec() };
  for (const [folder, spec] of Object.entries(specs)) {
    const text = `${JSON.stringify(spec, undefined, 2)}\n`;
    place(join(dataDir, "kernels", folder, "kernel.json"), (path) => writeFileSync(path, text));
  }
  const renderer = join(packageRoot(), "kernel", "plotly-renderer");
  const extension = join(dataDir, RENDERER);
  for (const file of ["package.json", join("static", "remoteEntry.js")]) {
    place(join(extension, file), (path) => copyFileSync(join(renderer, file), path));
  }
  place(join(extension, "static", "plotly.min.js"), (path) => copyFileSync(plotlyFile(), path));
  return written;
}

/**
 * Removes what `installKernel` wrote; the renderer only with the last of our kernels.
 *
 * @returns the folders that were removed
 * @throws RangeError for a name that Jupyter would not take
 */
export function uninstallKernel({ dataDir, name = KERNEL_NAME }: KernelPlace): string[] {
  checkName(name);
  const remove = (folders: readonly string[]) => {
    const present = folders.map((folder) => join(dataDir, folder)).filter((folder) => existsSync(folder));
    for (const folder of present) rmSync(folder, { recursive: true });
    return present;
  };
  const removed = remove([name, tslabName(name)].map((each) => join("kernels", each)));
  return installedKernels(dataDir).length > 0 ? removed : [...removed, ...remove([RENDERER])];
}

/** Folders of our kernelspecs in a Jupyter data folder. */
export function installedKernels(dataDir: string): string[] {
  const kernels = join(dataDir, "kernels");
  if (!existsSync(kernels)) return [];
  return readdirSync(kernels)
    .map((name) => join(kernels, name))
    .filter((folder) => isOurs(join(folder, "kernel.json")));
}

function isOurs(file: string): boolean {
  try {
    return JSON.parse(readFileSync(file, "utf8")).metadata?.fledge !== undefined;
  } catch {
    return false; // no kernelspec at all
  }
}

function tslabName(name: string): string {
  return `${name}-tslab`;
}

// Source: jupyter-client documentation, "Kernel specs": the letters that a kernel's name may have.
function checkName(name: string): void {
  if (/^[\w.-]+$/.test(name) && !/^\.+$/.test(name)) return;
  const expected = "letters, digits, dots, hyphens and underscores";
  throw new RangeError(
    problem({ cannot: `name the kernel "${name}"`, found: "other letters", expected, fix: "use --name fledge" }),
  );
}

/** The folder in which Jupyter looks for a user's own kernels. Source: jupyter_core.paths. */
export function userDataFolder(): string {
  if (process.env.JUPYTER_DATA_DIR) return process.env.JUPYTER_DATA_DIR;
  if (platform() === "darwin") return join(homedir(), "Library", "Jupyter");
  if (platform() === "win32") return join(process.env.APPDATA ?? homedir(), "jupyter");
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), ".local", "share"), "jupyter");
}

/**
 * What this machine has to compute with: TensorFlow's folder, a PJRT plugin, an NVIDIA GPU. In: environment variables and the Python
 * environments that they name. Out: paths, or undefined. It loads no library and chooses nothing (see choose.ts).
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { problem } from "../message.js";
import { packageRoot } from "../paths.js";
import { libraryFiles } from "./tensorflow-library.js";

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A GPU that `nvidia-smi` answers for. */
export interface Gpu {
  readonly name: string;
  /** `8.0` for Ampere, the first that multiplies bfloat16. */
  readonly computeCapability: number;
}

/** The first NVIDIA GPU, asked from `nvidia-smi`. */
export function findGpu(environment: Environment = process.env): Gpu | undefined {
  const question = ["--query-gpu=name,compute_cap", "--format=csv,noheader"];
  try {
    const options = { encoding: "utf8", stdio: "pipe", timeout: 10_000, env: { ...environment } } as const;
    const [name, capability] = (execFileSync("nvidia-smi", question, options).split("\n")[0] ?? "").split(",");
    return name ? { name: name.trim(), computeCapability: Number.parseFloat(capability ?? "0") } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Finds the `tensorflow` folder of a Python environment: FLEDGE_TENSORFLOW, the package's `.venv`, the working folder's,
 * the active virtual environment, then whatever `python3` would import.
 */
export function findTensorFlow(environment: Environment = process.env): string | undefined {
  if (environment.FLEDGE_TENSORFLOW !== undefined) return environment.FLEDGE_TENSORFLOW;
  const folders = sitePackages(environment).map((folder) => join(folder, "tensorflow"));
  return folders.find((folder) => libraryFiles(folder)) ?? askPython();
}

/**
 * Finds a PJRT plugin: FLEDGE_PJRT_PLUGIN, else that of pip's jax-cuda13-plugin or jax-cuda12-plugin where there is an NVIDIA GPU, else
 * libtpu's where there is a TPU (asked for elsewhere, it would look for one on the network).
 */
export function findPjrtPlugin(environment: Environment, gpu: Gpu | undefined): string | undefined {
  if (environment.FLEDGE_PJRT_PLUGIN) return environment.FLEDGE_PJRT_PLUGIN;
  const cuda = ["13", "12"].map((major) => join("jax_plugins", `xla_cuda${major}`, "xla_cuda_plugin.so"));
  const hasTpu = existsSync("/dev/accel0") || existsSync("/dev/vfio/0");
  const wanted = [...(gpu ? cuda : []), ...(hasTpu ? [join("libtpu", "libtpu.so")] : [])];
  const folders = wanted.length > 0 ? sitePackages(environment) : [];
  return folders.flatMap((folder) => wanted.map((file) => join(folder, file))).find((file) => existsSync(file));
}

/** Says that there is no plugin, and how to get one. */
export function missingPlugin(gpu: Gpu | undefined): Error {
  return new Error(
    problem({
      cannot: "open the PJRT engine",
      found: gpu ? `${gpu.name}, and no PJRT plugin` : "no NVIDIA GPU, no TPU and no FLEDGE_PJRT_PLUGIN",
      expected: "a PJRT plugin for a device of this machine",
      fix: gpu
        ? "run `.venv/bin/pip install 'jax-cuda12-plugin[with-cuda]'`, or set FLEDGE_PJRT_PLUGIN to the plugin's file"
        : "set FLEDGE_PJRT_PLUGIN to the plugin's file, or unset FLEDGE_ENGINE",
    }),
  );
}

/** Says that there is no TensorFlow, and how to get one. */
export function missingTensorFlow(): Error {
  return new Error(
    problem({
      cannot: "open the compiled engine",
      found: "no TensorFlow in .venv, VIRTUAL_ENV or python3",
      expected: "the TensorFlow that pip installs (Linux or macOS)",
      fix: "run `npm run setup`, or set FLEDGE_TENSORFLOW to the tensorflow folder of a Python environment",
    }),
  );
}

function sitePackages(environment: Environment): string[] {
  const roots = [join(packageRoot(), ".venv"), join(process.cwd(), ".venv"), environment.VIRTUAL_ENV];
  return roots.flatMap((root) => {
    const lib = root && join(root, "lib");
    if (!lib || !existsSync(lib)) return [];
    const pythons = readdirSync(lib).filter((name) => name.startsWith("python"));
    return pythons.map((name) => join(lib, name, "site-packages"));
  });
}

function askPython(): string | undefined {
  const script = "import importlib.util as u; s = u.find_spec('tensorflow'); print(s.submodule_search_locations[0])";
  try {
    const folder = execFileSync("python3", ["-c", script], { encoding: "utf8", stdio: "pipe", timeout: 10_000 }).trim();
    return libraryFiles(folder) ? folder : undefined;
  } catch {
    return undefined;
  }
}

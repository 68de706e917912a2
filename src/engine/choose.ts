/**
 * Picks the engine and the precision, and says why. In: what the machine has, FLEDGE_ENGINE and FLEDGE_TENSORFLOW. Out: an
 * open engine with its reason in one line. Order: TensorFlow (compiled), TensorFlow.js in WebAssembly, in JavaScript.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as tf from "@tensorflow/tfjs";
import { nearest, problem } from "../message.js";
import { packageRoot } from "../paths.js";
import { openEager } from "./eager.js";
import { type Engine, type EngineName, engineNames, type Form, formNames, type Precision } from "./engine.js";
import { openTensorFlow } from "./tensorflow.js";
import { libraryFiles } from "./tensorflow-library.js";

/** What was picked and why. */
export interface EngineChoice {
  readonly engine: Engine;
  /** One line for people: `tensorflow: TensorFlow 2.21.0 on CPU, bfloat16 products (processor has amx_bf16)`. */
  readonly reason: string;
}

/** What may be forced. */
export interface EngineOptions {
  /** Default: environment variable FLEDGE_ENGINE, else the best that can be opened. */
  readonly engine?: EngineName;
  /** true = bfloat16 products, false = float32, "auto" (default) = bfloat16 where the processor or GPU gains from it. */
  readonly mixedPrecision?: boolean | "auto";
  /** What TensorFlow runs; default: environment variable FLEDGE_FORM, else "graph". */
  readonly form?: Form;
  /** Default: process.env. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * Opens the best engine that this machine has.
 *
 * @throws RangeError for an engine name that does not exist
 * @throws Error when a forced engine cannot be opened
 * @example
 * const { engine, reason } = await chooseEngine();
 */
export async function chooseEngine(options: EngineOptions = {}): Promise<EngineChoice> {
  const environment = options.environment ?? process.env;
  // Else TensorFlow.js recommends an engine that is not used here, in every notebook.
  tf.enableProdMode();
  const forced = options.engine ?? engineName(environment.FLEDGE_ENGINE);
  const form = options.form ?? formName(environment.FLEDGE_FORM) ?? "graph";
  const why = forced ? "forced" : undefined;
  if (forced === "wasm" || forced === "cpu") return say(await openEager(forced), why);
  const folder = findTensorFlow(environment);
  const { precision, because } = choosePrecision(options.mixedPrecision ?? "auto");
  try {
    if (!folder) throw missingTensorFlow();
    return say(openTensorFlow({ folder, precision, form }), why ? `${why}; ${because}` : because);
  } catch (error) {
    if (forced) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    return say(await openEager("wasm"), `compiled engine not available: ${reason}`);
  }
}

/**
 * Finds the `tensorflow` folder of a Python environment: FLEDGE_TENSORFLOW, the package's `.venv`, the working folder's,
 * the active virtual environment, then whatever `python3` would import.
 */
export function findTensorFlow(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string | undefined {
  if (environment.FLEDGE_TENSORFLOW !== undefined) return environment.FLEDGE_TENSORFLOW;
  const environments = [join(packageRoot(), ".venv"), join(process.cwd(), ".venv"), environment.VIRTUAL_ENV];
  const folders = environments.flatMap((folder) => (folder ? sitePackages(folder) : []));
  const found = folders.map((folder) => join(folder, "tensorflow")).find((folder) => libraryFiles(folder));
  return found ?? askPython();
}

function sitePackages(environment: string): string[] {
  const lib = join(environment, "lib");
  if (!existsSync(lib)) return [];
  return readdirSync(lib)
    .filter((name) => name.startsWith("python"))
    .map((name) => join(lib, name, "site-packages"));
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

/** Checks the value of FLEDGE_ENGINE; empty or unset means automatic. */
export function engineName(text: string | undefined): EngineName | undefined {
  return knownName("engine", "FLEDGE_ENGINE", text, engineNames);
}

/** Checks the value of FLEDGE_FORM; empty or unset means automatic. */
export function formName(text: string | undefined): Form | undefined {
  return knownName("form", "FLEDGE_FORM", text, formNames);
}

function knownName<Name extends string>(
  what: string,
  variable: string,
  text: string | undefined,
  names: readonly [Name, ...Name[]],
): Name | undefined {
  if (text === undefined || text === "" || text === "auto") return undefined;
  const known = names.find((name) => name === text);
  if (known) return known;
  throw new RangeError(
    problem({
      cannot: `choose the ${what}`,
      found: `${variable}="${text}"`,
      expected: `one of ${names.join(", ")}, or auto`,
      fix: `set ${variable}=${nearest(text, names) ?? names[0]}`,
    }),
  );
}

/** Precision of the products, with its reason. */
export function choosePrecision(
  wanted: boolean | "auto",
  processorFlags = readProcessorFlags(),
): { precision: Precision; because: string } {
  if (wanted === true) return { precision: "bfloat16", because: "mixed precision asked for" };
  if (wanted === false) return { precision: "float32", because: "mixed precision off" };
  const native = ["amx_bf16", "avx512_bf16"].find((flag) => processorFlags.has(flag));
  return native
    ? { precision: "bfloat16", because: `mixed precision because this processor has ${native}` }
    : { precision: "float32", because: "full precision because this processor has no bfloat16 units" };
}

function readProcessorFlags(): Set<string> {
  if (!existsSync("/proc/cpuinfo")) return new Set();
  const line = /^flags\s*:(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"));
  return new Set(line?.[1]?.trim().split(" "));
}

function missingTensorFlow(): Error {
  return new Error(
    problem({
      cannot: "open the compiled engine",
      found: "no TensorFlow in .venv, VIRTUAL_ENV or python3",
      expected: "the TensorFlow that pip installs (Linux or macOS)",
      fix: "run `npm run setup`, or set FLEDGE_TENSORFLOW to the tensorflow folder of a Python environment",
    }),
  );
}

function say(engine: Engine, because?: string): EngineChoice {
  return { engine, reason: `${engine.name}: ${engine.description}${because ? ` (${because})` : ""}` };
}

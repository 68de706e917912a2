/**
 * Picks the engine and the precision, and says why. In: what the machine has, FLEDGE_ENGINE and FLEDGE_TENSORFLOW. Out: an
 * open engine with its reason in one line. Order: PJRT on a GPU or TPU, TensorFlow, TensorFlow.js in WebAssembly, in JavaScript.
 */
import { existsSync, readFileSync } from "node:fs";
import * as tf from "@tensorflow/tfjs";
import { nearest, problem } from "../message.js";
import { openEager } from "./eager.js";
import {
  type Engine,
  type EngineName,
  engineNames,
  type Form,
  formNames,
  type Parallelism,
  type Precision,
} from "./engine.js";
import {
  type Environment,
  findGpu,
  findPjrtPlugin,
  findTensorFlow,
  type Gpu,
  missingPlugin,
  missingTensorFlow,
} from "./find.js";
import { chooseForm, programCache } from "./forms.js";
import { openPjrt } from "./pjrt.js";
import { byXla, openTensorFlow, type TensorFlowOptions } from "./tensorflow.js";
import { type CompileEvent, watchCompiles } from "./watch-compile.js";

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
  /** What TensorFlow runs; default: environment variable FLEDGE_FORM, else what was measured here, else "graph". */
  readonly form?: Form;
  /** How TensorFlow uses the processor's cores; default "between", and always so with a GPU. */
  readonly parallelism?: Parallelism;
  /** Called when a program is compiled, before and after, so that a wait can be shown. */
  readonly onCompile?: (event: CompileEvent) => void;
  /** Default: process.env. */
  readonly environment?: Environment;
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
  const choice = await chooseUnwatched(options);
  if (!options.onCompile) return choice;
  const atFirstRun = choice.engine.name === "tensorflow" && choice.engine.description.endsWith(byXla);
  return { ...choice, engine: watchCompiles(choice.engine, options.onCompile, atFirstRun) };
}

async function chooseUnwatched(options: EngineOptions): Promise<EngineChoice> {
  const environment = options.environment ?? process.env;
  // Else TensorFlow.js recommends an engine that is not used here, in every notebook.
  tf.enableProdMode();
  const forced = options.engine ?? engineName(environment.FLEDGE_ENGINE);
  const wantedForm = options.form ?? formName(environment.FLEDGE_FORM);
  if (forced === "wasm" || forced === "cpu") return say(await openEager(forced), "forced");
  if (forced === "tfjs-node") return say(await openEager(forced, findTensorFlow(environment)), "forced");
  const gpu = findGpu(environment);
  const { precision, because } = choosePrecision(options.mixedPrecision ?? "auto", readProcessorFlags(), gpu);
  const { form, because: formReason } = wantedForm
    ? { form: wantedForm, because: `${wantedForm} form asked for` }
    : chooseForm(environment, precision);
  const device = gpu ? gpu.name : "no NVIDIA GPU found";
  const why = (engine: Engine, reason?: string) => {
    const formOf = engine.name === "tensorflow" && formReason;
    return [forced && "forced", because, device, formOf, reason].filter(Boolean).join("; ");
  };
  const failures: string[] = [];
  for (const open of [
    () => forced !== "tensorflow" && openPlugin(environment, gpu, precision, forced === "pjrt"),
    () =>
      forced !== "pjrt" &&
      openGraph(environment, { precision, form, parallelism: gpu ? "between" : options.parallelism }),
  ]) {
    try {
      const engine = open();
      if (engine) return say(engine, why(engine, failures[0] && `not pjrt: ${failures[0]}`));
    } catch (error) {
      if (forced) throw error;
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  return say(await openEager("wasm"), `compiled engine not available: ${failures.at(-1)}`);
}

function openPlugin(environment: Environment, gpu: Gpu | undefined, precision: Precision, needed: boolean) {
  const plugin = findPjrtPlugin(environment, gpu);
  if (!plugin && needed) throw missingPlugin(gpu);
  return plugin && openPjrt({ plugin, precision, cacheFolder: programCache(environment) });
}

function openGraph(environment: Environment, options: Omit<TensorFlowOptions, "folder">): Engine {
  const folder = findTensorFlow(environment);
  if (!folder) throw missingTensorFlow();
  return openTensorFlow({ folder, ...options });
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
  gpu?: Gpu,
): { precision: Precision; because: string } {
  if (wanted === true) return { precision: "bfloat16", because: "mixed precision asked for" };
  if (wanted === false) return { precision: "float32", because: "mixed precision off" };
  if (gpu) {
    // Ampere is the first with bfloat16 units.
    return gpu.computeCapability >= 8
      ? {
          precision: "bfloat16",
          because: `mixed precision because the GPU has compute capability ${gpu.computeCapability}`,
        }
      : { precision: "float32", because: "full precision because the GPU has no bfloat16 units" };
  }
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

function say(engine: Engine, because?: string): EngineChoice {
  return { engine, reason: `${engine.name}: ${engine.description}${because ? ` (${because})` : ""}` };
}

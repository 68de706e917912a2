/** The engines and forms that this machine can open, so that every model test runs on each; the missing ones say why. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { chooseEngine, type EngineOptions } from "../src/engine/choose.js";
import { type Engine, engineNames as known } from "../src/engine/engine.js";
import { findGpu, findPjrtPlugin, findTensorFlow } from "../src/engine/find.js";
import { packageRoot } from "../src/paths.js";

/** An engine, or TensorFlow with the form that XLA compiles. */
export type TestedEngine = (typeof known)[number] | "tensorflow/xla";

const gpu = findGpu();

/** Every engine in each of its forms, best first. */
export const engineNames: readonly TestedEngine[] = known.flatMap((name): TestedEngine[] =>
  name === "tensorflow" ? [name, "tensorflow/xla"] : [name],
);

/** What opens an engine in full precision. */
export function engineOptions(name: TestedEngine): EngineOptions {
  if (name === "tensorflow/xla") return { engine: "tensorflow", form: "xla", mixedPrecision: false };
  if (name === "pjrt") return { engine: name, mixedPrecision: false, environment: pjrtEnvironment() };
  return { engine: name, form: "graph", mixedPrecision: false };
}

/** Opens an engine in full precision, or says why it cannot be. */
export async function openForTest(name: TestedEngine): Promise<Engine | string> {
  try {
    return (await chooseEngine(engineOptions(name))).engine;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The environment with a PJRT plugin: that of the user or of the GPU, else XLA's own for the CPU, which pip brings for the tests. */
export function pjrtEnvironment(): Readonly<Record<string, string | undefined>> {
  const beside = join(dirname(findTensorFlow() ?? ""), "lammps_jax_pjrt_cpu", "pjrt_c_api_cpu_plugin.so");
  const plugin = findPjrtPlugin(process.env, gpu) ?? (existsSync(beside) ? beside : undefined);
  return { ...process.env, FLEDGE_PJRT_PLUGIN: plugin, FLEDGE_CACHE: join(packageRoot(), ".fledge", "test-programs") };
}

/** The engines and forms that this machine can open, so that every model test runs on each; the missing ones say why. */
import { chooseEngine, type EngineOptions } from "../src/engine/choose.js";
import { type Engine, engineNames as known } from "../src/engine/engine.js";

/** An engine, or TensorFlow with the form that XLA compiles. */
export type TestedEngine = (typeof known)[number] | "tensorflow/xla";

/** Every engine in each of its forms, best first. */
export const engineNames: readonly TestedEngine[] = known.flatMap((name): TestedEngine[] =>
  name === "tensorflow" ? [name, "tensorflow/xla"] : [name],
);

/** What opens an engine in full precision. */
export function engineOptions(name: TestedEngine): EngineOptions {
  if (name === "tensorflow/xla") return { engine: "tensorflow", form: "xla", mixedPrecision: false };
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

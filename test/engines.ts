/** The engines that this machine can open, so that every model test runs on each; the missing ones are named. */
import { chooseEngine } from "../src/engine/choose.js";
import { type Engine, type EngineName, engineNames } from "../src/engine/engine.js";

/** Opens an engine in full precision, or says why it cannot be. */
export async function openForTest(engine: EngineName): Promise<Engine | string> {
  try {
    return (await chooseEngine({ engine, mixedPrecision: false })).engine;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

export { engineNames };

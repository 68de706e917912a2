/**
 * Tells when a program is compiled and how long that took, so that a wait can be shown. In: an engine and a callback. Out: the same
 * engine, watched. It draws nothing and keeps no programs.
 */
import { setImmediate } from "node:timers/promises";
import type { CompiledStep, Engine, HostArray } from "./engine.js";

/** A program is being compiled, or has been. */
export interface CompileEvent {
  readonly type: "compile";
  readonly phase: "start" | "end";
  /** The name that the program was compiled under. */
  readonly program: string;
  /** At the end: how long it took. */
  readonly seconds?: number;
}

/**
 * Watches an engine.
 *
 * @param atFirstRun whether the first run of a program compiles it too, as TensorFlow's XLA form does
 * @param now milliseconds; default the process' own clock
 */
export function watchCompiles(
  engine: Engine,
  onCompile: (event: CompileEvent) => void,
  atFirstRun: boolean,
  now: () => number = () => performance.now(),
): Engine {
  const timed = async <Result>(program: string, action: () => Promise<Result>): Promise<Result> => {
    const began = now();
    onCompile({ type: "compile", phase: "start", program });
    await setImmediate(); // tracing blocks: who draws the wait must have drawn it before
    const result = await action();
    onCompile({ type: "compile", phase: "end", program, seconds: (now() - began) / 1000 });
    return result;
  };
  const compile: Engine["compile"] = async (name, inputs, step, ...rest) => {
    const compiled = await timed(name, () => engine.compile(name, inputs, step, ...rest));
    if (!atFirstRun) return compiled;
    let first = true;
    const run = (values: Readonly<Record<string, HostArray>>) => {
      if (!first) return compiled.run(values);
      first = false;
      return timed(name, () => compiled.run(values));
    };
    return { ...compiled, run: run as CompiledStep["run"] } as typeof compiled;
  };
  return {
    name: engine.name,
    description: engine.description,
    ...(engine.tiling && { tiling: engine.tiling }),
    createVariables: (variables) => engine.createVariables(variables),
    deleteVariables: (names) => engine.deleteVariables(names),
    readVariables: (names) => engine.readVariables(names),
    compile,
    deviceMemory: () => engine.deviceMemory?.(),
    dispose: () => engine.dispose(),
  };
}

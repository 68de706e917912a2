/**
 * A process that disposes of models while they write and measure. In: an engine and how often. Out: how each call ended, as JSON.
 * What it proves is that it comes to its end: a use of freed memory would take it down.
 */
import { argv } from "node:process";
import { TextModel } from "../../src/generate/text-model.js";
import type { TestedEngine } from "../engines.js";
import { characters, config, openGolden } from "./golden-decoder.js";

const [, , engineName = "tensorflow", rounds = "1"] = argv;
const ends: Record<string, number> = {};
const count = (end: string) => {
  ends[end] = (ends[end] ?? 0) + 1;
};

for (let round = 0; round < Number(rounds); round++) {
  const opened = await openGolden(engineName as TestedEngine);
  if (typeof opened === "string") throw new Error(opened);
  const model = new TextModel("golden", config, characters, opened.engine, "", "fixed");
  let pieces = 0;
  let dispose = () => {};
  const disposed = new Promise<void>((resolve, reject) => {
    dispose = () => void model.dispose().then(resolve, reject);
  });
  const write = async (rows: number, beams = 1) => {
    const prompts = Array.from({ length: rows }, (_, seed) => ({ prompt: [1, 2, 3], seed }));
    for await (const _ of model.streamBatch(prompts, { maxNewTokens: 20, beams })) {
      // After another number of pieces each round: while a step runs, is compiled, or begins.
      if (pieces++ === round % 60) dispose();
    }
  };
  const calls = [write(1), write(2), write(5), write(1, 3), model.perplexity("abc"), model.nextLogits([1])];
  await Promise.all(
    calls.map((call) =>
      call.then(
        () => count("finished"),
        (error: Error) => count(error.message),
      ),
    ),
  );
  dispose();
  await disposed;
}
console.log(JSON.stringify(ends));

/**
 * `fledge generate MODEL [PROMPT]`: a model continues a text on standard output. In: the words after `fledge generate`, or the
 * prompt on standard input. Out: the prompt and what the model adds, piece by piece. A thin layer over `TextModel`.
 */
import { text } from "node:stream/consumers";
import { openModel, type TextModel } from "../../src/generate/text-model.js";
import type { Command } from "../command.js";
import { numberOf, readWords, samplingHelp, withDefaults } from "./generation-words.js";

/** The command. */
export const generate: Command = {
  help: `Usage: fledge generate MODEL [PROMPT] [options]

MODEL is a folder such as ./final_model, or fledge-base. Without PROMPT it is read from standard input.

${samplingHelp}  --beams N                the likeliest text among N kept side by side, instead of drawing
  --length-penalty X       with beams: more favours longer texts (1)
  --number N               that many texts, with seeds one after the other (1)
  --only-new               print what was added, without the prompt

Example: fledge generate ./final_model "My fellow citizens" --temperature 0.7 --seed 3
`,
  async run(words) {
    const { positionals, sampling, own, flags } = readWords("generate", words, ["number"], ["only-new"]);
    const [name = "fledge-base", ...prompt] = positionals;
    const start = prompt.length > 0 ? prompt.join(" ") : process.stdin.isTTY ? "" : await text(process.stdin);
    const count = own.number === undefined ? 1 : numberOf("generate", "number", own.number);
    const stopping = new AbortController();
    process.once("SIGINT", () => stopping.abort());
    const model = await openModel(name);
    try {
      const options = { ...withDefaults(sampling, 100), signal: stopping.signal };
      for (let i = 0; i < count; i++) {
        if (count > 1) process.stdout.write(`${i > 0 ? "\n" : ""}--- seed ${(sampling.seed ?? 42) + i} ---\n`);
        await write(model, start, { ...options, seed: (sampling.seed ?? 42) + i }, flags.has("only-new"));
      }
      return 0;
    } catch (error) {
      if (!stopping.signal.aborted) throw error;
      process.stdout.write("\n");
      return 130;
    } finally {
      await model.dispose();
    }
  },
};

async function write(model: TextModel, start: string, options: Parameters<TextModel["stream"]>[1], onlyNew: boolean) {
  if (!onlyNew) process.stdout.write(start);
  for await (const piece of model.stream(start, options)) process.stdout.write(piece);
  process.stdout.write("\n");
}

/**
 * `fledge serve MODEL`: an OpenAI-compatible server for one model, until Ctrl-C. In: the words after `fledge serve`. Out: one line
 * with the address, then nothing. The server itself is src/serve/.
 */
import { once } from "node:events";
import { basename, resolve } from "node:path";
import { openModel } from "../../src/generate/text-model.js";
import { serve as startServer } from "../../src/serve/server.js";
import type { Command } from "../command.js";
import { numberOf, readWords } from "./generation-words.js";

/** The command. */
export const serve: Command = {
  help: `Usage: fledge serve MODEL [options]

Answers /v1/completions, /v1/chat/completions and /v1/models as OpenAI does, and shows a page to try the model at /.
MODEL is a folder such as ./final_model, or fledge-base.

  --port N            port to listen on; 0 for any that is free (8080)
  --host ADDRESS      address to listen on; there is no password, so think before you change it (127.0.0.1)
  --name NAME         the model's name for clients (the folder's)
  --concurrency N     requests that generate at once (4)
  --waiting N         requests that may wait; the next gets status 429 (64)

Example: fledge serve ./final_model --port 8080
`,
  async run(words) {
    const names = ["port", "host", "name", "concurrency", "waiting"];
    const { positionals, own } = readWords("serve", words, names);
    const [folder = "fledge-base"] = positionals;
    const counts: Record<string, number> = {};
    for (const name of ["port", "concurrency", "waiting"]) {
      const value = own[name];
      if (value !== undefined) counts[name] = numberOf("serve", name, value);
    }
    const model = await openModel(folder);
    try {
      const modelId = own.name ?? basename(resolve(folder));
      const server = await startServer({
        model,
        modelId,
        ...counts,
        ...(own.host !== undefined && { host: own.host }),
      });
      process.stdout.write(
        `${modelId} answers at ${server.url}/v1, and on the page ${server.url}\n(${model.engineReason}; Ctrl-C ends it)\n`,
      );
      await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
      await server.close();
      return 0;
    } finally {
      await model.dispose();
    }
  },
};

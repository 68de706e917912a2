/**
 * `fledge chat MODEL`: a conversation in the terminal. In: the words after `fledge chat`, then lines. Out: the model's answers as
 * they come. Ctrl-C stops an answer; the next one leaves. The transcript that a base model continues is src/serve/transcript.ts.
 */
import { createInterface, type Interface } from "node:readline";
import type { GenerateOptions } from "../../src/generate/options.js";
import { openModel, type TextModel } from "../../src/generate/text-model.js";
import { problem } from "../../src/message.js";
import { type ChatMessage, transcript, transcriptStops } from "../../src/serve/transcript.js";
import type { Command } from "../command.js";
import { readWords, samplingHelp, withDefaults } from "./generation-words.js";

const COMMANDS = `/reset        forget the conversation
/seed N       draw with another seed
/again        answer the last question once more, with the next seed
/show         print the transcript that the model continues
/exit         leave (Ctrl-D does too)
`;

/** The command. */
export const chat: Command = {
  help: `Usage: fledge chat MODEL [options]

MODEL is a folder such as ./final_model, or fledge-base. Ctrl-C stops an answer, the next one leaves. Arrow up brings lines back.

${samplingHelp}  --system TEXT            a text that the conversation begins with

In the conversation:
${COMMANDS.replace(/^/gm, "  ").trimEnd()}

Example: fledge chat ./final_model --temperature 0.7
`,
  async run(words) {
    const { positionals, sampling, own } = readWords("chat", words, ["system"]);
    const [name = "fledge-base"] = positionals;
    const model = await openModel(name);
    try {
      process.stdout.write(
        `${name} (${model.engineReason})\nA base model continues a dialogue; it was not taught to answer. /help lists the commands.\n`,
      );
      await converse(new Conversation(model, withDefaults(sampling, 120), own.system));
      return 0;
    } finally {
      await model.dispose();
    }
  },
};

/** A conversation: the messages so far, and how answers are drawn. */
export class Conversation {
  messages: ChatMessage[] = [];
  seed: number;

  constructor(
    private readonly model: TextModel,
    private readonly options: GenerateOptions,
    private readonly system?: string,
  ) {
    this.seed = options.seed ?? 42;
  }

  /** The text that the model continues; the oldest turns are dropped until an answer has room. */
  prompt(): string {
    const head: ChatMessage[] = this.system === undefined ? [] : [{ role: "system", content: this.system }];
    const room =
      this.model.config.positions - Math.min(this.options.maxNewTokens ?? 1, this.model.config.positions / 2);
    for (let first = 0; ; first++) {
      const text = transcript([...head, ...this.messages.slice(first)]);
      const last = first >= this.messages.length - 1;
      if (last || this.model.tokenizer.encode(text).length <= room) return text;
    }
  }

  /** Answers a question piece by piece; what was said before an abort counts. */
  async *answer(question: string, signal: AbortSignal): AsyncGenerator<string, void, void> {
    this.messages.push({ role: "user", content: question });
    const stop = [...transcriptStops, ...[this.options.stop ?? []].flat()];
    let content = "";
    try {
      for await (const piece of this.model.stream(this.prompt(), { ...this.options, seed: this.seed, stop, signal })) {
        const shown = content === "" ? piece.trimStart() : piece;
        content += shown;
        yield shown;
      }
    } finally {
      this.messages.push({ role: "assistant", content });
    }
  }

  /**
   * Does what a line that begins with "/" says.
   *
   * @returns what to print; undefined to leave; `{ ask }` for a question to answer
   * @throws RangeError for an unknown command or a wrong number
   */
  command(line: string): string | { readonly ask: string } | undefined {
    const [name = "", value = ""] = line.slice(1).trim().split(/\s+/, 2);
    switch (name) {
      case "help":
        return COMMANDS;
      case "reset":
        this.messages = [];
        return "The conversation begins anew.\n";
      case "seed":
        if (!/^-?\d{1,15}$/.test(value)) {
          const found = value === "" ? "no number" : value;
          throw new RangeError(problem({ cannot: "set the seed", found, expected: "an integer", fix: "type /seed 7" }));
        }
        this.seed = Number(value);
        return `Seed ${this.seed}.\n`;
      case "again": {
        const asked = this.messages.findLastIndex(({ role }) => role === "user");
        const question = this.messages[asked];
        if (!question) return "Nothing was asked yet.\n";
        this.messages = this.messages.slice(0, asked);
        this.seed++;
        return { ask: question.content };
      }
      case "show":
        return `${this.prompt()}\n`;
      case "exit":
      case "quit":
        return undefined;
      default: {
        const fix = "type /help";
        throw new RangeError(
          problem({
            cannot: `run "/${name}"`,
            found: "no such command",
            expected: "/help, /reset, /seed, /again, /show or /exit",
            fix,
          }),
        );
      }
    }
  }
}

async function converse(conversation: Conversation): Promise<void> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "\n> ", historySize: 500 });
  let answering: AbortController | undefined;
  let pressed = false;
  let leaving = false;
  lines.on("SIGINT", () => {
    answering?.abort();
    leaving = pressed;
    pressed = true;
    if (leaving) return lines.close();
    if (answering) return;
    process.stdout.write("\n(Ctrl-C again, or Ctrl-D, leaves)");
    lines.prompt();
  });
  lines.prompt();
  for await (const line of lines) {
    pressed = false;
    try {
      const result = line.startsWith("/") ? conversation.command(line) : line.trim() === "" ? "" : { ask: line };
      if (result === undefined) break;
      if (typeof result === "string") process.stdout.write(result);
      else {
        answering = new AbortController();
        await say(conversation, result.ask, answering.signal, lines);
      }
    } catch (error) {
      if (!answering?.signal.aborted) process.stdout.write(`${error instanceof Error ? error.message : error}\n`);
    } finally {
      answering = undefined;
    }
    if (leaving) break;
    lines.prompt();
  }
  lines.close();
  process.stdout.write("\n");
}

async function say(conversation: Conversation, question: string, signal: AbortSignal, lines: Interface): Promise<void> {
  // Lines typed meanwhile wait; readline hands them out afterwards.
  lines.setPrompt("\n> ");
  try {
    for await (const piece of conversation.answer(question, signal)) process.stdout.write(piece);
  } finally {
    process.stdout.write(signal.aborted ? " (stopped; Ctrl-C again leaves)\n" : "\n");
  }
}

#!/usr/bin/env node
/**
 * The `fledge` command. In: the words after `fledge`. Out: text and an exit code: 0 well, 1 something is wrong, 2 wrong usage.
 * It only finds the command and prints help; the work is in the files of commands/, each loaded when it is asked for.
 */
import { argv, stderr, stdout } from "node:process";
import { nearest, problem } from "../src/message.js";
import type { CommandEntry } from "./command.js";

const COMMANDS: ReadonlyMap<string, CommandEntry> = new Map([
  [
    "train",
    {
      summary: "fine-tune a model, with every knob as an option",
      load: async () => (await import("./commands/train.js")).train,
    },
  ],
  [
    "resume",
    {
      summary: "go on with a run that was stopped, exactly where it stood",
      load: async () => (await import("./commands/resume.js")).resume,
    },
  ],
  [
    "sweep",
    {
      summary: "compare runs with other knobs, or find a learning rate",
      load: async () => (await import("./commands/sweep.js")).sweep,
    },
  ],
  [
    "eval",
    {
      summary: "measure a model on held-out text",
      load: async () => (await import("./commands/eval.js")).evaluate,
    },
  ],
  [
    "inspect",
    {
      summary: "look a text over before it is trained on",
      load: async () => (await import("./commands/inspect.js")).inspect,
    },
  ],
  [
    "generate",
    {
      summary: "let a model continue a text",
      load: async () => (await import("./commands/generate.js")).generate,
    },
  ],
  [
    "chat",
    {
      summary: "talk with a model in the terminal",
      load: async () => (await import("./commands/chat.js")).chat,
    },
  ],
  [
    "serve",
    {
      summary: "answer OpenAI's API with a model, and show a page to try it",
      load: async () => (await import("./commands/serve.js")).serve,
    },
  ],
  [
    "export",
    {
      summary: "write a saved model as ONNX or GGUF",
      load: async () => (await import("./commands/export.js")).exportModel,
    },
  ],
  [
    "push",
    {
      summary: "send a saved model to the Hugging Face Hub",
      load: async () => (await import("./commands/push.js")).pushModel,
    },
  ],
  [
    "doctor",
    {
      summary: "say whether this machine can run the course, with the fix where it cannot",
      load: async () => (await import("./commands/doctor.js")).doctor,
    },
  ],
  [
    "kernel",
    {
      summary: "install, uninstall or list the TypeScript kernel for Jupyter",
      load: async () => (await import("./commands/kernel.js")).kernel,
    },
  ],
  [
    "reset",
    {
      summary: "delete what the notebooks of the course wrote, after asking",
      load: async () => (await import("./commands/reset.js")).reset,
    },
  ],
]);

async function main(words: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = words;
  if (isHelp(name)) {
    const about = rest[0] === undefined ? undefined : await find(rest[0]).load();
    stdout.write(about?.help ?? overview());
    return 0;
  }
  const command = await find(name).load();
  if (rest.some((word) => word === "--help" || word === "-h")) {
    stdout.write(command.help);
    return 0;
  }
  return command.run(rest);
}

function isHelp(word: string): boolean {
  return word === "help" || word === "--help" || word === "-h";
}

function find(name: string): CommandEntry {
  const entry = COMMANDS.get(name);
  if (entry) return entry;
  const names = [...COMMANDS.keys(), "help"];
  const near = nearest(name, names);
  const found = "no such command";
  const fix = near ? `run \`fledge ${near}\`` : "run `fledge help`";
  throw new RangeError(problem({ cannot: `run "${name}"`, found, expected: names.join(", "), fix }));
}

function overview(): string {
  const width = Math.max(...[...COMMANDS.keys()].map((name) => name.length)) + 2;
  const lines = [...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}`);
  return `Usage: fledge <command>

${lines.join("\n")}

\`fledge help <command>\` says more about one. The course starts with npm run course; JupyterLab with npm run lab.
`;
}

try {
  process.exitCode = await main(argv.slice(2));
} catch (error) {
  stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = error instanceof RangeError ? 2 : 1;
}

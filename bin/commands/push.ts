/**
 * `fledge push <folder> <owner/name>`: a saved model to the Hugging Face Hub. In: the words after `fledge push`, and the
 * answer to the one question. Out: the plan, then the address of the commit. Nothing leaves this machine before a yes.
 */
import { stdin, stdout } from "node:process";
import { createInterface } from "node:readline/promises";
import { parseArgs } from "node:util";
import { type PushPlan, planPush, push } from "../../src/export/push.js";
import { type HubSettings, hubSettings } from "../../src/hub/settings.js";
import { problem } from "../../src/message.js";
import { formatBytes } from "../../src/view/format.js";
import type { Command } from "../command.js";

/** The command. */
export const pushModel: Command = {
  help: `Usage: fledge push <folder> <owner/name> [options]

Sends a saved model to a repository of the Hugging Face Hub, in one commit. Shows first what will go, and asks.

  --dry-run       show what would go, send nothing
  --yes           do not ask
  --public        a repository made for it is open to everybody (default: only you see it)
  --message TEXT  first line of the commit (default: Upload a model trained with Fledge)

The token is HF_TOKEN, or what \`hf auth login\` has saved. HF_ENDPOINT names another Hub.

Example: fledge push ./final_model me/my-letters --dry-run
`,
  async run(words) {
    const ask = stdin.isTTY ? askPerson : undefined;
    return pushCommand(words, hubSettings(), (line) => stdout.write(`${line}\n`), ask);
  },
};

/**
 * Runs the command.
 *
 * @param words after `fledge push`
 * @param settings where the Hub is, and the token
 * @param say takes each line of output
 * @param ask puts a question to a person and gives the answer; absent where nobody can be asked
 * @returns the exit code: 1 when the person said no
 * @throws RangeError for wrong usage; as `planPush` and `push` do
 */
export async function pushCommand(
  words: readonly string[],
  settings: HubSettings,
  say: (line: string) => void,
  ask?: (question: string) => Promise<string>,
): Promise<number> {
  const { folder, repository, dryRun, yes, ...options } = readWords(words);
  const plan = await planPush(folder, repository, settings);
  for (const line of describe(plan, options.public)) say(line);
  if (dryRun) {
    say(
      settings.token === undefined
        ? "A dry run: nothing was sent. No token is set yet."
        : "A dry run: nothing was sent.",
    );
    return 0;
  }
  if (!yes && !(await agreed(plan, ask))) {
    say("Nothing was sent.");
    return 1;
  }
  const sent = new Set<string>();
  const onProgress = (path: string, share: number): void => {
    if (share < 1 || sent.has(path)) return;
    sent.add(path);
    say(`  sent ${path}`);
  };
  const { commitUrl, created } = await push(plan, settings, { ...options, onProgress });
  say(`${created ? "Made the repository and sent" : "Sent"} ${plan.files.length} files: ${commitUrl}`);
  return 0;
}

function describe({ files, bytes, url }: PushPlan, open: boolean): string[] {
  const width = Math.max(...files.map(({ path }) => path.length));
  return [
    `To ${url} (if it has to be made: ${open ? "open to everybody" : "private"})`,
    ...files.map((file) => `  ${file.path.padEnd(width)}  ${formatBytes(file.bytes)}`),
    `${files.length} files, ${formatBytes(bytes)}`,
  ];
}

async function agreed({ url }: PushPlan, ask?: (question: string) => Promise<string>): Promise<boolean> {
  if (ask) return /^y(es)?$/i.test((await ask(`Send them to ${url}? [y/N] `)).trim());
  const fix = "add --yes, or --dry-run to look first";
  throw new RangeError(problem({ cannot: "push", found: "nobody to ask", expected: "a yes", fix }));
}

async function askPerson(question: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stdout });
  try {
    return await lines.question(question);
  } finally {
    lines.close();
  }
}

interface Wanted {
  readonly folder: string;
  readonly repository: string;
  readonly dryRun: boolean;
  readonly yes: boolean;
  readonly public: boolean;
  readonly message?: string;
}

function readWords(words: readonly string[]): Wanted {
  const refuse = (found: string): RangeError => {
    const expected = "<folder> <owner/name> [--dry-run] [--yes] [--public] [--message TEXT]";
    return new RangeError(problem({ cannot: "push", found, expected, fix: "run `fledge help push`" }));
  };
  const flag = { type: "boolean", default: false } as const;
  const options = { "dry-run": flag, yes: flag, public: flag, message: { type: "string" } } as const;
  let parsed: ReturnType<typeof parse>;
  const parse = () => parseArgs({ args: [...words], options, allowPositionals: true });
  try {
    parsed = parse();
  } catch (error) {
    throw refuse((error as Error).message);
  }
  const { values, positionals } = parsed;
  const [folder, repository] = positionals;
  if (folder === undefined || repository === undefined || positionals.length > 2) {
    throw refuse(`${positionals.length} words`);
  }
  return {
    ...{ folder, repository, dryRun: values["dry-run"], yes: values.yes, public: values.public },
    ...(values.message !== undefined && { message: values.message }),
  };
}

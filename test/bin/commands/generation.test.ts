/** The commands that let a model write: `generate` from the command line, the conversation behind `chat`, and every wrong word. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, test } from "node:test";
import { Conversation } from "../../../bin/commands/chat.js";
import { readWords, withDefaults } from "../../../bin/commands/generation-words.js";
import { openModel } from "../../../src/generate/text-model.js";
import { packageRoot } from "../../../src/paths.js";

const model = await openModel("fledge-base");
after(() => model.dispose());
const never = new AbortController().signal;

test("fledge generate prints the prompt from standard input and what the model adds", async () => {
  const words = ["generate", "fledge-base", "--seed", "3", "--max-new-tokens", "8", "--number", "2"];
  const command = join(packageRoot(), "dist/bin/fledge.js");
  const printed = execFileSync(process.execPath, [command, ...words], { input: "My fellow", encoding: "utf8" });
  const options = withDefaults({ maxNewTokens: 8 }, 8);
  const texts = [
    await model.generate("My fellow", { ...options, seed: 3 }),
    await model.generate("My fellow", { ...options, seed: 4 }),
  ];
  assert.equal(printed, `--- seed 3 ---\n${texts[0]}\n\n--- seed 4 ---\n${texts[1]}\n`);
});

test("Conversation continues the transcript, and its commands change it", async () => {
  const conversation = new Conversation(model, { maxNewTokens: 10, seed: 1 }, "A talk.");
  let said = "";
  for await (const piece of conversation.answer("Who goes there?", never)) said += piece;
  assert.equal(conversation.prompt(), `A talk.\n\nUser: Who goes there?\nAssistant: ${said.trim()}\nAssistant:`);
  assert.deepEqual(conversation.command("/again"), { ask: "Who goes there?" });
  assert.equal(conversation.seed, 2);
  assert.equal(conversation.command("/seed 12"), "Seed 12.\n");
  assert.throws(() => conversation.command("/seed x"), {
    message: "Cannot set the seed: x, expected an integer. Fix: type /seed 7.",
  });
  assert.throws(() => conversation.command("/fly"), {
    message: /^Cannot run "\/fly": no such command, expected \/help/,
  });
  assert.match(String(conversation.command("/reset")), /begins anew/);
  assert.equal(conversation.prompt(), "A talk.\n\nAssistant:");
  assert.equal(conversation.command("/again"), "Nothing was asked yet.\n");
  assert.equal(conversation.command("/exit"), undefined);
});

test("Conversation drops the oldest turns when the model's positions are full, and keeps what was said before a stop", async () => {
  const conversation = new Conversation(model, { maxNewTokens: 20, seed: 1 });
  conversation.messages = Array.from({ length: 40 }, (_, i) => ({
    role: i % 2 ? ("assistant" as const) : ("user" as const),
    content: `Turn ${i} ${"of many words ".repeat(8)}`,
  }));
  const length = model.tokenizer.encode(conversation.prompt()).length;
  assert.ok(length <= model.config.positions - 20 && length > 300, `${length} tokens`);
  const stopping = new AbortController();
  let said = "";
  const listening = (async () => {
    for await (const piece of conversation.answer("And now?", stopping.signal)) {
      said += piece;
      stopping.abort();
    }
  })();
  await assert.rejects(listening, { name: "AbortError" });
  assert.deepEqual(conversation.messages.at(-1), { role: "assistant", content: said });
});

// A terminal that shows what `chat` writes; Ctrl-C is the byte 3.
function terminal(words: readonly string[]) {
  const python = join(packageRoot(), ".venv/bin/python");
  const spawnPty = ["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"];
  const command = join(packageRoot(), "dist/bin/fledge.js");
  const child = spawn(python, [...spawnPty, process.execPath, command, "chat", ...words]);
  let shown = "";
  child.stdout.on("data", (data) => {
    shown += data;
  });
  const until = async (pattern: RegExp) => {
    while (!pattern.test(shown)) {
      const [end] = await Promise.race([once(child.stdout, "data"), once(child, "close").then(() => [undefined])]);
      if (end === undefined) assert.match(shown, pattern);
    }
  };
  return { type: (keys: string) => child.stdin.write(keys), until, ended: once(child, "close"), shown: () => shown };
}

test("chat: Ctrl-C stops an answer, the next one leaves, at the prompt or within the answer", async () => {
  const long = ["fledge-base", "--max-new-tokens", "100000", "--temperature", "1"];
  const atPrompt = terminal(long);
  await atPrompt.until(/\n> /);
  atPrompt.type("Tell me all\r");
  await atPrompt.until(/Tell me all\r+\n.{5}/);
  atPrompt.type("\u0003");
  await atPrompt.until(/\(stopped; Ctrl-C again leaves\)[\s\S]*> /);
  atPrompt.type("\u0003");
  assert.deepEqual(await atPrompt.ended, [0, null], atPrompt.shown());

  const within = terminal(long);
  await within.until(/\n> /);
  within.type("\u0003");
  await within.until(/Ctrl-C again, or Ctrl-D, leaves/);
  within.type("Tell me all\r"); // a line typed between them is no second press
  await within.until(/Tell me all\r+\n.{5}/);
  within.type("\u0003\u0003");
  assert.deepEqual(await within.ended, [0, null], within.shown());
});

test("readWords() refuses unknown options, missing values and values that are no numbers", () => {
  const refuse = (words: string[], message: string) =>
    assert.throws(() => readWords("chat", words), { name: "RangeError", message });
  refuse(
    ["m", "--temprature", "1"],
    'Cannot run "chat": --temprature, expected an option of this command. Fix: use --temperature.',
  );
  refuse(["m", "--top-k", "many"], 'Cannot use --top-k: "many", expected a number. Fix: run `fledge help chat`.');
  refuse(["m", "--top-k"], 'Cannot run "chat": --top-k without a value, expected a value. Fix: write --top-k=….');
  const { positionals, sampling } = readWords("chat", ["m", "--stop", "a", "--stop=b", "--min-p", "0.1"]);
  assert.deepEqual([positionals, sampling], [["m"], { minP: 0.1, stop: ["a", "b"] }]);
});

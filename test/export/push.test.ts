/** Sending a model to a Hub on the loopback interface: what arrives, beside what Python's huggingface_hub sends, and refusals. */
import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pushCommand } from "../../bin/commands/push.js";
import { planPush, push } from "../../src/export/push.js";
import { hubSettings } from "../../src/hub/settings.js";
import { copyOfBaseModel } from "./base-model.js";
import { type HubServer, READER, startHubServer, WRITER } from "./hub-server.js";
import { askPython, missingPython } from "./python.js";

let server: HubServer;
let root = "";
let folder = "";
before(async () => {
  server = await startHubServer();
  root = await copyOfBaseModel();
  folder = join(root, "final_model");
  await mkdir(join(folder, "onnx"));
  await writeFile(join(folder, "onnx/model.onnx"), Buffer.alloc(200_000, 7));
  await writeFile(join(folder, ".private"), "stays here");
});
after(async () => {
  await server.close();
  await rm(root, { recursive: true });
});

/** Settings as the environment gives them, without this machine's own token. */
function settings(token: string = WRITER, endpoint: string = server.endpoint) {
  return hubSettings({ HF_ENDPOINT: endpoint, HF_TOKEN: token, HF_HOME: root });
}

/** The command as a person runs it, with its lines and its exit code. */
async function run(words: readonly string[], given = settings(), ask?: (question: string) => Promise<string>) {
  const lines: string[] = [];
  const code = await pushCommand(words, given, (line) => lines.push(line), ask);
  return { code, text: lines.join("\n") };
}

test("fledge push --dry-run shows every file and sends nothing", async () => {
  const { code, text } = await run([folder, "me/dry", "--dry-run"]);
  assert.equal(code, 0);
  assert.match(text, /^To http:\/\/127\.0\.0\.1:\d+\/me\/dry \(if it has to be made: private\)\n/);
  assert.match(text, / {2}onnx\/model\.onnx +200 kB\n/);
  assert.match(text, /\n10 files, 17\.\d MB\nA dry run: nothing was sent\.$/);
  assert.ok(!text.includes(".private"));
  assert.deepEqual(server.requests, []);
  assert.match((await run([folder, "me/dry", "--dry-run"], settings(""))).text, /No token is set yet\.$/);
});

test("fledge push asks, and a no sends nothing", async () => {
  const questions: string[] = [];
  const { code, text } = await run([folder, "me/asked"], settings(), async (question) => {
    questions.push(question);
    return "n";
  });
  assert.deepEqual([code, questions], [1, [`Send them to ${server.endpoint}/me/asked? [y/N] `]]);
  assert.match(text, /Nothing was sent\.$/);
  assert.deepEqual(server.requests, []);
  await assert.rejects(run([folder, "me/asked"]), {
    name: "RangeError",
    message: "Cannot push: nobody to ask, expected a yes. Fix: add --yes, or --dry-run to look first.",
  });
});

test("fledge push makes a private repository, sends large files by LFS and in parts, and commits all at once", async () => {
  const { code, text } = await run([folder, "me/letters", "--message", "First"], settings(), async () => "y");
  assert.equal(code, 0);
  assert.match(text, / {2}sent model\.safetensors\n/);
  assert.match(
    text,
    /\nMade the repository and sent 10 files: http:\/\/127\.0\.0\.1:\d+\/me\/letters\/commit\/[0-9a-f]{40}$/,
  );
  const repository = server.repositories.get("me/letters");
  assert.deepEqual([repository?.private, repository?.titles], [true, ["First"]]);
  const plan = await planPush(folder, "me/letters", settings());
  assert.deepEqual(
    [...(repository?.files.keys() ?? [])].sort(),
    plan.files.map(({ path }) => path),
  );
  for (const [path, content] of repository?.files ?? []) {
    assert.ok(content.equals(await readFile(join(folder, path))), path);
  }
  assert.equal(server.requests.filter((request) => /^PUT \/storage\/[0-9a-f]{64}\/\d+$/.test(request)).length, 4);
});

test("push() of the same model again uploads no large file a second time, and one changed file changes alone", async () => {
  await writeFile(join(folder, "README.md"), "# Second\n");
  server.requests.length = 0;
  const { text } = await run([folder, "me/letters", "--yes"]);
  assert.match(text, /\nSent 10 files: /);
  assert.ok(!server.requests.some((request) => request.startsWith("PUT")));
  const files = server.repositories.get("me/letters")?.files;
  assert.equal(files?.get("README.md")?.toString(), "# Second\n");
});

test("Python's huggingface_hub sends the same folder to the same files, so the server speaks the Hub's language", async (context) => {
  const missing = await missingPython("huggingface_hub");
  if (missing) return context.skip(missing);
  const ours = server.repositories.get("me/letters")?.files as Map<string, Buffer>;
  server.objects.clear();
  await rm(join(folder, ".private"));
  await askPython("push_folder.py", server.endpoint, WRITER, "me/python", folder);
  const python = server.repositories.get("me/python")?.files as Map<string, Buffer>;
  assert.deepEqual([...python.keys()].sort(), [...ours.keys()].sort());
  for (const [path, content] of ours) assert.ok(python.get(path)?.equals(content), path);
});

test("push() --public opens a repository that it makes", async () => {
  await run([folder, "me/open", "--yes", "--public"]);
  assert.equal(server.repositories.get("me/open")?.private, false);
});

test("planPush() refuses a name the Hub does not allow, and a folder without a model", async () => {
  for (const name of ["letters", "me/", "/letters", "me/a b", "me/-x", "https://huggingface.co/me/x"]) {
    await assert.rejects(planPush(folder, name, settings()), {
      name: "RangeError",
      message: /repository ".+", expected a name of the Hub\. Fix: give it as owner\/name/,
    });
  }
  await assert.rejects(planPush(root, "me/letters", settings()), {
    name: "RangeError",
    message:
      /^Cannot push .+: no config\.json in it, expected the folder of a saved model\. Fix: give the finalModelDir/,
  });
});

test("push() says what to do without a token, with a wrong one, with one that may not write, and without a Hub", async () => {
  const plan = await planPush(folder, "me/refused", settings());
  await assert.rejects(push(plan, settings("")), {
    name: "RangeError",
    message:
      /^Cannot push to .+: no token of the Hugging Face Hub, expected one in HF_TOKEN\. Fix: make one that may write/,
  });
  await assert.rejects(
    push(plan, settings("hf_wrong")),
    /HTTP 401, Invalid credentials, expected a valid token\. Fix: make/,
  );
  await assert.rejects(push(plan, settings(READER)), /HTTP 403, .+, expected a token that may write there\. Fix: give/);
  assert.ok(!server.repositories.has("me/refused"));
  const nowhere = "http://127.0.0.1:9";
  const lost = await planPush(folder, "me/refused", settings(WRITER, nowhere));
  await assert.rejects(
    push(lost, settings(WRITER, nowhere)),
    /expected an answer from http:\/\/127\.0\.0\.1:9\. Fix: check/,
  );
});

test("fledge push refuses wrong usage with what it expects", async () => {
  await assert.rejects(run([folder]), /Cannot push: 1 words, expected <folder> <owner\/name>/);
  await assert.rejects(run([folder, "me/x", "--force"]), /Cannot push: Unknown option '--force'/);
});

/** Saved model folders: loaded back by Fledge, by Python's transformers (same logits) and by transformers.js (same tokens). */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AutoTokenizer, env } from "@xenova/transformers";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { type ModelFolderContent, saveModelFolder } from "../../src/export/huggingface.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";
import { golden, goldenFolder } from "../golden.js";
import { clearQuestions, ownTexts, question } from "./base-model.js";
import { askPython, type LoadedFolder, missingPython } from "./python.js";

const tokenizerFolder = join(packageRoot(), "models/fledge-base");
const TEXT = "Fellow citizens: 1,000 words — naïve  spaces\n\n   and ends.";

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fledge-export-"));
});
after(() => rm(root, { recursive: true, force: true }));

async function goldenContent(): Promise<ModelFolderContent> {
  const { config, weights } = await loadPretrained(goldenFolder);
  return { config, weights, tokenizerFolder, card: "# A card\n", trainingArguments: { epochs: 3 } };
}

test("saveModelFolder() writes every file, and loadPretrained() reads the same model", async () => {
  const content = await goldenContent();
  const extraFiles = new Map([["training_plot.png", Buffer.from("png")]]);
  const folder = await saveModelFolder(join(root, "whole", "model"), { ...content, extraFiles });
  const files = ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"];
  assert.deepEqual((await readdir(folder)).sort(), [
    ...files,
    "tokenizer_config.json",
    "training_args.json",
    "training_plot.png",
  ]);
  const loaded = await loadPretrained(folder);
  assert.deepEqual(loaded.weights, content.weights);
  assert.deepEqual(loaded.config, content.config);
  assert.equal(await readFile(join(folder, "README.md"), "utf8"), "# A card\n");
});

test("saveModelFolder() replaces an old model, keeps other files, and keeps the old model when it fails", async () => {
  const content = await goldenContent();
  const folder = await saveModelFolder(join(root, "again"), content);
  await writeFile(join(folder, "notes.txt"), "mine");
  await saveModelFolder(folder, { ...content, card: "# Second\n" });
  assert.equal(await readFile(join(folder, "notes.txt"), "utf8"), "mine");
  const broken = { ...content, card: "# Third\n", weights: new Map() };
  await assert.rejects(saveModelFolder(folder, broken), {
    name: "TypeError",
    message: /no "transformer\.wte\.weight"/,
  });
  assert.equal(await readFile(join(folder, "README.md"), "utf8"), "# Second\n");
  assert.deepEqual((await loadPretrained(folder)).weights, content.weights);
  assert.deepEqual(
    (await readdir(root)).filter((name) => name.startsWith(".")),
    [],
  );
});

test("saveModelFolder() refuses a folder that is not its own to replace", async () => {
  const content = await goldenContent();
  const project = join(root, "project");
  await mkdir(project);
  await writeFile(join(project, "README.md"), "my project");
  const message =
    /a README\.md but no model\.safetensors, expected an empty folder or a saved model\. Fix: give a folder of its own/;
  await assert.rejects(saveModelFolder(project, content), { name: "RangeError", message });
  assert.equal(await readFile(join(project, "README.md"), "utf8"), "my project");
  await assert.rejects(saveModelFolder(".", content), /the folder that this process works in, expected another folder/);
  await assert.rejects(saveModelFolder("..", content), /the folder that this process works in/);
  await assert.rejects(saveModelFolder(join(project, "README.md"), content), /a file of that name, expected a folder/);
});

test("saveModelFolder() words what the disk refuses", async () => {
  const file = join(root, "file");
  await writeFile(file, "");
  const message =
    /^Cannot save the model in .+file\/model: .+, expected a folder that can be written\. Fix: make the folder/;
  await assert.rejects(saveModelFolder(join(file, "model"), await goldenContent()), { name: "Error", message });
});

test("a saved folder gives Python's transformers the golden logits within 1e-4 and the golden greedy tokens", async (context) => {
  const missing = await missingPython("torch, transformers");
  if (missing) return context.skip(missing);
  const folder = await saveModelFolder(join(root, "python"), await goldenContent());
  const mask = golden.batches.attention_mask[0] as number[][];
  const asked = {
    ids: golden.batches.input_ids[0],
    mask,
    prompt: golden.greedy.slice(0, 3),
    newTokens: 20,
    text: TEXT,
  };
  const questionPath = join(root, "question.json");
  await writeFile(questionPath, JSON.stringify(asked));
  const answer = await askPython<LoadedFolder>("load_folder.py", folder, questionPath);

  assert.deepEqual(answer.missing, []);
  assert.deepEqual(answer.unexpected, []);
  const { tensors } = await readSafetensors(join(goldenFolder, "forward_f64.safetensors"));
  const expected = tensors.get("logits")?.data as Float64Array; // [4, 16, 97]
  const vocabulary = 97;
  for (const [position, valid] of mask.flat().entries()) {
    if (valid === 0) continue; // what a padded position sees is each implementation's own
    for (let id = 0; id < vocabulary; id++) {
      const at = position * vocabulary + id;
      const difference = Math.abs((answer.logits[at] as number) - (expected[at] ?? Number.NaN));
      assert.ok(difference <= 1e-4, `logit ${id} of position ${position} differs by ${difference}`);
    }
  }
  assert.deepEqual(answer.greedy, golden.greedy);
  assert.deepEqual(answer.textIds, [...(await loadTokenizer(folder)).encode(TEXT)]);
});

test("a saved folder lets the pipeline of Python's transformers write Fledge's greedy texts and end at end-of-text", async (context) => {
  const missing = await missingPython("torch, transformers");
  if (missing) return context.skip(missing);
  const { config, weights } = await loadPretrained("fledge-base");
  const folder = await saveModelFolder(join(root, "base"), { config, weights, tokenizerFolder, card: "# Base\n" });
  const ask = [question, ...clearQuestions];
  const prompt = { ids: [[1]], mask: [[1]], prompt: [1], newTokens: 1, text: TEXT };
  await writeFile(join(root, "ask.json"), JSON.stringify({ ...prompt, ask }));
  const answer = await askPython<LoadedFolder>("load_folder.py", folder, join(root, "ask.json"));
  assert.deepEqual(answer.texts, await ownTexts(ask));
  assert.deepEqual(answer.endOfText, ["<|endoftext|>", 4095]);
});

test("a saved folder's tokenizer loads in transformers.js and gives the same tokens and text", async () => {
  const folder = await saveModelFolder(join(root, "javascript"), await goldenContent());
  env.allowRemoteModels = false;
  const tokenizer = await AutoTokenizer.from_pretrained(folder);
  const ids = tokenizer.encode(TEXT);
  assert.deepEqual(ids, [...(await loadTokenizer(folder)).encode(TEXT)]);
  assert.equal(tokenizer.decode(ids, { clean_up_tokenization_spaces: false }), TEXT);
});

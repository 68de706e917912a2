/** Models that Python's transformers saved in half precision or with a head of their own: loaded, trained, saved again. */
import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { datasetOf } from "../../src/data/dataset.js";
import { saveModelFolder } from "../../src/export/huggingface.js";
import { readJson } from "../../src/files.js";
import { train } from "../../src/fine-tune.js";
import { openModel } from "../../src/generate/text-model.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensorsHeader } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";
import type { TrainEvent } from "../../src/train/events.js";
import { askPython, type LoadedFolder, missingPython } from "./python.js";

interface Saved {
  readonly logits: readonly number[];
  readonly greedy: readonly number[];
}
type Answers = Readonly<Record<string, Saved>> & { readonly prompt: readonly number[] };

const root = await mkdtemp(join(tmpdir(), "fledge-python-saved-"));
after(() => rm(root, { recursive: true }));
const tokenizerFolder = join(packageRoot(), "models/fledge-base");
const missing = await missingPython("torch, transformers");
const answers = missing ? undefined : await askPython<Answers>("save_gpt2.py", root);

for (const name of ["float16", "bfloat16", "untied", "untied-bfloat16"]) {
  test(`openModel() gives a ${name} GPT-2 of Python's transformers its logits within 1e-4 and its greedy tokens`, async (context) => {
    if (!answers) return context.skip(missing);
    const folder = join(root, name);
    await cp(join(tokenizerFolder, "tokenizer.json"), join(folder, "tokenizer.json"));
    const { logits, greedy } = answers[name] as Saved;
    const model = await openModel(folder, { engine: "cpu" });
    const ours = await model.nextLogits(answers.prompt);
    const difference = Math.max(...ours.map((value, id) => Math.abs(value - (logits[id] as number))));
    assert.ok(difference <= 1e-4, `${difference}`);
    const tokens = [...answers.prompt];
    while (tokens.length < greedy.length) {
      const next = await model.nextLogits(tokens);
      tokens.push(next.indexOf(Math.max(...next)));
    }
    assert.deepEqual(tokens, greedy);
    await model.dispose();
  });
}

test("saveModelFolder() writes an untied head so that Python's transformers gives the same logits", async (context) => {
  if (!answers) return context.skip(missing);
  const { config, weights } = await loadPretrained(join(root, "untied"));
  assert.equal(config.untiedHead, true);
  const folder = await saveModelFolder(join(root, "again"), { config, weights, tokenizerFolder, card: "# Untied\n" });
  assert.equal((await readJson(join(folder, "config.json"), "it")).tie_word_embeddings, false);
  assert.deepEqual((await loadPretrained(folder)).weights, weights);
  const question = { ids: [answers.prompt], mask: [answers.prompt.map(() => 1)], prompt: answers.prompt };
  await writeFile(join(root, "question.json"), JSON.stringify({ ...question, newTokens: 12, text: "" }));
  const loaded = await askPython<LoadedFolder>("load_folder.py", folder, join(root, "question.json"));
  assert.deepEqual([loaded.missing, loaded.unexpected], [[], []]);
  const { logits, greedy } = answers.untied as Saved;
  const last = loaded.logits.slice(-logits.length);
  assert.ok(last.every((value, id) => Math.abs(value - (logits[id] as number)) <= 1e-5));
  assert.deepEqual(loaded.greedy, greedy);
});

test("train() learns an untied head apart from the embedding, and saves both", async (context) => {
  if (!answers) return context.skip(missing);
  const modelName = join(root, "untied");
  const documents = Array.from({ length: 8 }, (_, i) => ({ id: `${i}`, text: "One two three four. ".repeat(8 + i) }));
  const dataset = datasetOf({ name: "repeats", documents, origin: "this test", licence: "CC0" });
  const events: TrainEvent[] = [];
  const folders = { outputDir: join(root, "run"), finalModelDir: join(root, "tuned") };
  const knobs = { numEpochs: 2, blockSize: 16, learningRate: 1e-2, earlyStoppingPatience: 0, mixedPrecision: false };
  for await (const event of train({ modelName, ...folders, ...knobs }, { dataset })) events.push(event);
  const losses = events.flatMap((event) => (event.type === "evaluation" ? [event.validationLoss] : []));
  assert.ok((losses.at(-1) as number) < 0.9 * (losses[0] as number), `${losses}`);
  const before = (await loadPretrained(modelName)).weights;
  const tuned = await loadPretrained(folders.finalModelDir);
  for (const name of ["lm_head.weight", "transformer.wte.weight"]) {
    assert.notDeepEqual(tuned.weights.get(name), before.get(name), name);
  }
});

test("a saved folder stores a tied head once", async () => {
  const { entries } = await readSafetensorsHeader(join(tokenizerFolder, "model.safetensors"));
  assert.ok(!entries.some(({ name }) => name === "lm_head.weight"));
  const { config, weights } = await loadPretrained(tokenizerFolder);
  const folder = await saveModelFolder(join(root, "tied"), { config, weights, tokenizerFolder, card: "# Tied\n" });
  const bytes = await readFile(join(folder, "model.safetensors"));
  assert.ok(bytes.equals(await readFile(join(tokenizerFolder, "model.safetensors"))));
});

/** Models by name: embedded, in a folder, and from a Hub on loopback, with what is brought and what is refused. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { type HubSettings, hubSettings } from "../../src/hub/settings.js";
import { findModel } from "../../src/model/find-model.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { packageRoot } from "../../src/paths.js";
import { goldenFolder } from "../golden.js";
import { commitOf, startHub } from "../hub-server.js";

const embedded = join(packageRoot(), "models/fledge-base");
const small = {
  "config.json": await readFile(join(goldenFolder, "config.json")),
  "tokenizer.json": await readFile(join(embedded, "tokenizer.json")),
  "README.md": "---\nlicense: apache-2.0\n---\n",
};
const weights = await readFile(join(goldenFolder, "model.safetensors"));
const whole = { ...small, "model.safetensors": weights, "pytorch_model.bin": weights, "tf_model.h5": weights };
const hub = await startHub({
  "models/distilbert/distilgpt2": { files: whole, revisions: { "refs/pr/1": whole } },
  "models/distilgpt2": { files: {}, renamedTo: "distilbert/distilgpt2" },
  "models/PingVortex/VLM-1": { files: whole },
  "models/openai-community/gpt2-medium": { files: whole },
  "models/gpt2-medium": { files: {}, renamedTo: "openai-community/gpt2-medium" },
  "models/owner/pickle": { files: { ...small, "pytorch_model.bin": weights } },
  "models/owner/no-config": { files: { "model.safetensors": weights } },
});
const scratch = await mkdtemp(join(tmpdir(), "fledge-find-model-"));
after(async () => {
  await hub.close();
  await rm(scratch, { recursive: true });
});
const settings: HubSettings = hubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: scratch });

test("findModel() finds the embedded model and folders without a network", async () => {
  const offline = { settings: { ...settings, offline: true } };
  assert.deepEqual(await findModel("fledge-base", offline), {
    folder: embedded,
    origin: "embedded in Fledge",
    licence: "Apache-2.0",
  });
  assert.equal((await findModel(goldenFolder, offline)).folder, goldenFolder);
});

test("loadPretrained() brings a model of the Hub by name, only what it needs, and says where it came from", async () => {
  for (const name of ["distilgpt2", "gpt2-medium", "PingVortex/VLM-1"]) {
    const progress: string[] = [];
    const model = await loadPretrained(name, { settings, onProgress: ({ file }) => progress.push(file) });
    assert.deepEqual(model.weights, (await loadPretrained(goldenFolder)).weights);
    assert.equal(model.licence, "apache-2.0");
    // GPT-2's old names without owner; train() warns with these notes (fine-tune.ts).
    assert.equal(model.notes?.length ?? 0, name.includes("/") ? 0 : 1);
    if (model.notes) assert.match(model.notes[0] ?? "", /^The model ".+" is called "[\w-]+\/.+" now\. Use that name/);
    assert.ok(model.origin.endsWith(`revision main, commit ${commitOf(whole)}`), model.origin);
    assert.deepEqual((await readdir(model.folder)).sort(), [
      "README.md",
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
    assert.ok(progress.includes("model.safetensors"));
  }
});

test("findModel() takes a revision, leaves weights that nobody asked for, and works offline from the cache", async () => {
  const options = { settings: { ...settings, cacheFolder: join(scratch, "second") }, revision: "refs/pr/1" };
  const { folder, origin } = await findModel("distilgpt2", { ...options, weights: false });
  assert.deepEqual((await readdir(folder)).sort(), ["README.md", "config.json", "tokenizer.json"]);
  assert.match(origin, /distilgpt2, now distilbert\/distilgpt2, revision refs\/pr\/1, commit/);
  const offline = { ...options, settings: { ...options.settings, offline: true } };
  await assert.rejects(findModel("distilgpt2", offline), {
    name: "HubError",
    fault: "offline",
    message: /model\.safetensors not in the cache/,
  });
  await findModel("distilgpt2", options);
  assert.equal((await findModel("distilgpt2", offline)).folder, folder);
});

test("findModel() refuses pickle before it is downloaded, with the way round", async () => {
  await assert.rejects(findModel("owner/pickle", { settings }), {
    name: "RangeError",
    message:
      /^Cannot load model "owner\/pickle": weights only in PyTorch's pickle form \(pytorch_model\.bin\), which can run any code when it is opened, expected model\.safetensors\. Fix: save it from Python, if you trust it, with AutoModelForCausalLM\.from_pretrained\("owner\/pickle"\)\..+ modelName: "\.\/my-model", or look for a pull request "Adding `safetensors`" and use modelRevision: "refs\/pr\/1"\.$/,
  });
  assert.ok(!hub.requests.some(({ path }) => path.includes("pickle/resolve")));
});

test("findModel() refuses a repository without configuration", async () => {
  await assert.rejects(findModel("owner/no-config", { settings }), {
    message:
      'Cannot load model "owner/no-config": a repository without config.json, expected a GPT-2. Fix: choose a GPT-2 that transformers saved, such as "distilgpt2".',
  });
});

test("findModel() names the nearest model for a slip of the hand, and asks no network about a path", async () => {
  const expected =
    '"fledge-base", the folder of a saved GPT-2, or a model of the Hugging Face Hub such as "distilgpt2"';
  for (const [name, near] of [
    ["fledge-bas", "fledge-base"],
    ["distillgpt2", "distilgpt2"],
    ["GPT2", "gpt2"],
  ] as const) {
    await assert.rejects(findModel(name, { settings }), {
      name: "RangeError",
      message: `Cannot load model "${name}": no folder ${join(process.cwd(), name)}; the nearest known name is "${near}", expected ${expected}. Fix: use "${near}" or the path of a folder.`,
    });
  }
  await assert.rejects(findModel("./nowhere/at/all", { settings }), {
    message: `Cannot load model "./nowhere/at/all": no folder ${join(process.cwd(), "nowhere/at/all")}, expected ${expected}. Fix: use "fledge-base" or the path of a folder.`,
  });
});

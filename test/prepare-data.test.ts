/** prepareRun() with texts in files: in memory and streamed from disk, the same blocks; what streaming cannot do is refused. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { GateTally } from "../src/data/gate-tally.js";
import { train } from "../src/fine-tune.js";
import { fledgeCache } from "../src/paths.js";
import { prepareRun } from "../src/prepare.js";
import { writeModelFolder } from "./model-folder.js";

const folder = await mkdtemp(join(tmpdir(), "fledge-prepare-"));
after(() => rm(folder, { recursive: true }));
const datasetName = join(folder, "rows.jsonl");
const rows = Array.from({ length: 200 }, (_, i) =>
  JSON.stringify({ poem: `Row ${i} says ${"word ".repeat(i % 50)}${i * i}.` }),
);
await writeFile(datasetName, rows.join("\n"));
const settings = { datasetName, blockSize: 16, batchSize: 2, dataGate: "warn" } as const;
const options = { cacheFolder: folder };

test("prepareRun() packs the same blocks from disk as in memory, and says what it guessed and left undone", async () => {
  const memory = (await prepareRun({ ...settings, streaming: false }, options)).data;
  const disk = (await prepareRun({ ...settings, streaming: true }, options)).data;
  for (const part of ["train", "validation"] as const) {
    assert.equal(disk[part].count, memory[part].count);
    for (let i = 0; i < disk[part].count; i++) assert.deepEqual(disk[part].block(i), memory[part].block(i));
  }
  const guess = 'The text is column "poem": no other column holds text.';
  assert.ok(memory.remarks.includes(guess));
  assert.deepEqual([...disk.remarks].sort(), [...memory.remarks].sort(), "the gate finds the same in a stream");
});

test("prepareRun() finds held-out copies in a stream, and refuses as in memory", async () => {
  const copies = join(folder, "copies.jsonl");
  await writeFile(copies, [...rows, ...rows].join("\n"));
  const strict = { ...settings, datasetName: copies, dataGate: "refuse" } as const;
  for (const streaming of [false, true]) {
    await assert.rejects(prepareRun({ ...strict, streaming }, options), {
      name: "RangeError",
      message: /^Cannot measure this run: \d+ held-out documents \(.+\) also in the training text, expected/,
    });
  }
});

test("GateTally says what lay beyond its limits, and finds whole copies there too", () => {
  const tally = new GateTally({ heldCharacters: 5, learnedCharacters: 5, documents: 1 });
  tally.hold({ id: "held", text: "A text of more than five." });
  tally.learn({ id: "one", text: "Another of more than five, to ann@example.org." });
  tally.learn({ id: "two", text: " A text of more than five. " });
  const facts = tally.facts("document");
  assert.deepEqual(facts.leaked, ["held"]);
  assert.equal(facts.documents, 2);
  assert.equal(facts.holders.size, 0);
  assert.match(tally.notes()[0] ?? "", /first 5 characters held out and 5 learned.+first 1 documents; whole copies/);
});

test("train() on a token file learns with the losses of the run in memory", async () => {
  const modelName = join(folder, "tiny");
  await writeModelFolder(modelName, { positions: 32, width: 16, layers: 1, heads: 2 });
  const losses = async (streaming: boolean) => {
    const said: number[] = [];
    const folders = { outputDir: join(folder, `run-${streaming}`), finalModelDir: join(folder, `final-${streaming}`) };
    const run = {
      ...settings,
      ...folders,
      modelName,
      streaming,
      maxDocuments: 60,
      earlyStoppingPatience: 0,
      numEpochs: 1,
    };
    for await (const event of train({ ...run, initialWeights: "random", mixedPrecision: false }, options)) {
      if (event.type === "step") said.push(event.loss);
      if (event.type === "evaluation") said.push(event.validationLoss);
    }
    return said;
  };
  const memory = await losses(false);
  assert.ok(memory.length > 5);
  assert.deepEqual(await losses(true), memory);
});

test("prepareRun() refuses to look for repeats in a dataset that is streamed", async () => {
  await assert.rejects(prepareRun({ ...settings, streaming: true, deduplicate: true }, options), {
    name: "RangeError",
    message:
      /: deduplicate with [\d,]+ bytes that are streamed from disk, expected a text in memory to compare\. Fix: set deduplicate: false, or streaming: false if the text fits into memory\.$/,
  });
});

test("fledgeCache() takes FLEDGE_CACHE, then XDG_CACHE_HOME", () => {
  assert.equal(fledgeCache({ FLEDGE_CACHE: "/a", XDG_CACHE_HOME: "/b" }), "/a");
  assert.equal(fledgeCache({ XDG_CACHE_HOME: "/b" }), "/b/fledge");
});

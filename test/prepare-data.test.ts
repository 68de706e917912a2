/** prepareRun() with texts in files: in memory and streamed from disk, the same blocks; what streaming cannot do is refused. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fledgeCache } from "../src/paths.js";
import { prepareRun } from "../src/prepare.js";

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
  assert.deepEqual(disk.remarks, [
    guess,
    "The dataset is streamed from disk: it was not examined for leaks and repeats between its parts.",
  ]);
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

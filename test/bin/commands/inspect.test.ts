import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { loadDataset } from "../../../src/data/dataset.js";
import { packageRoot } from "../../../src/paths.js";

const folder = mkdtempSync(join(tmpdir(), "fledge-inspect-"));
after(() => rmSync(folder, { recursive: true }));
const { documents } = await loadDataset("sotu", { maxDocuments: 10 });

function fledge(...words: readonly string[]) {
  const command = join(packageRoot(), "dist", "bin", "fledge.js");
  return spawnSync(process.execPath, [command, ...words], {
    encoding: "utf8",
    env: { ...process.env, HF_HUB_OFFLINE: "1" },
  });
}

test("fledge inspect shows a folder of texts and what the gate says of it", () => {
  documents.forEach(({ text }, i) => {
    writeFileSync(join(folder, `${i}.txt`), text);
  });
  const { status, stdout, stderr } = fledge("inspect", folder, "--block-size", "128");
  assert.equal(stderr, "");
  assert.equal(status, 0);
  for (const caption of ["Totals \\(", "Languages \\(", "Repeats: none", "Personal data", "In blocks \\("])
    assert.match(stdout, new RegExp(`^${caption}`, "m"));
  assert.match(stdout, /^sha256 [0-9a-f]{64}$/m);
  assert.match(stdout, /^Documents by length in tokens\n( *[\d,]+ to [\d,]+ {2}#+ \d+\n)+/m);
  assert.match(stdout, /^tokens that cutting instead of joining would lose +[\d,]+$/m);
  assert.match(stdout, /The gate before training has nothing to say\.|^warning: /m);
});

test("fledge inspect ends with 1 where a run would be refused", () => {
  documents.forEach(({ text }, i) => {
    writeFileSync(join(folder, `copy-${i}.txt`), text);
  });
  const { status, stdout } = fledge("inspect", folder);
  assert.equal(status, 1);
  assert.match(stdout, /^error: Cannot measure this run: /m);
});

test("fledge inspect ends with 1 where a text fills no block, as a run would", () => {
  const letter = join(folder, "letter.txt");
  writeFileSync(letter, "Dear Anna, the boat came in late. Yours, K.\n");
  const { status, stdout } = fledge("inspect", letter);
  assert.equal(status, 1);
  assert.match(stdout, /^error: Cannot pack text into blocks: \d+ tokens in 1 document, expected at least 513/m);
});

test("fledge inspect refuses wrong usage, with the fix", () => {
  const none = fledge("inspect");
  assert.equal(none.status, 2);
  assert.equal(
    none.stderr,
    "Cannot inspect: no dataset, expected one. Fix: run `fledge inspect sotu`, or give a file or folder.\n",
  );
  const option = fledge("inspect", "sotu", "--blocksize", "3");
  assert.equal(option.status, 2);
  assert.match(option.stderr, /^Cannot .*--blocksize.*--block-size/);
});

test("fledge inspect reads the column that is named, and says that a dataset of the Hub needs a network", () => {
  const table = join(folder, "table.csv");
  writeFileSync(
    table,
    `note,poem\n${documents.map(({ id, text }) => `${id},"${text.replaceAll('"', '""')}"`).join("\n")}\n`,
  );
  const { status, stdout, stderr } = fledge("inspect", table, "--text-column", "poem", "--max-documents", "8");
  assert.equal(stderr, "");
  assert.equal(status, 0, stdout);
  const away = fledge("inspect", "owner/none", "--dataset-revision", "v1");
  assert.equal(away.status, 1);
  assert.match(away.stderr, /^Cannot download dataset "owner\/none" at revision "v1"/m);
});

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { loadDataset } from "../../src/data/dataset.js";
import { embeddedNames } from "../../src/data/embedded.js";
import { loadReadmes } from "../../src/data/embedded-readmes.js";
import { loadShakespeare } from "../../src/data/embedded-shakespeare.js";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { packageRoot } from "../../src/paths.js";

const root = packageRoot();
const scratch = mkdtempSync(join(tmpdir(), "fledge-embedded-"));
after(() => rmSync(scratch, { recursive: true }));

for (const name of embeddedNames) {
  test(`datasets/${name}/README.md gives the size and hash that "${name}" has`, async () => {
    const dataset = await loadDataset(name);
    const tokenizer = await loadTokenizer(join(root, "models", "fledge-base"));
    const page = readFileSync(join(root, "datasets", name, "README.md"), "utf8");
    const characters = dataset.documents.reduce((sum, { text }) => sum + text.length, 0);
    const tokens = dataset.documents.reduce((sum, { text }) => sum + tokenizer.encode(text).length, 0);
    for (const fact of [dataset.documents.length, characters, tokens].map((number) => number.toLocaleString("en")))
      assert.ok(page.includes(fact), `${fact} in ${name}`);
    assert.ok(page.includes(dataset.sha256), `${dataset.sha256} in ${name}`);
  });
}

test('loadDataset("shakespeare") is one document, without notes of the package', async () => {
  const { documents } = await loadDataset("shakespeare");
  assert.equal(documents.length, 1);
  const text = documents[0]?.text ?? "";
  assert.ok(text.startsWith("Actus Primus. Scoena Prima.") && text.endsWith("THE TRAGEDIE OF IVLIVS CaeSAR."));
  assert.ok(!text.includes("[The Tragedie"));
});

test("loadShakespeare() refuses other plays", async () => {
  for (const play of ["hamlet", "macbeth", "caesar"]) writeFileSync(join(scratch, `shakespeare-${play}.txt`), play);
  const hash = createHash("sha256").update("hamlet\n\n\nmacbeth\n\n\ncaesar").digest("hex");
  await assert.rejects(loadShakespeare(scratch), {
    name: "Error",
    message: new RegExp(`^Cannot load dataset "shakespeare": plays in .* with SHA-256 ${hash}, expected .*npm ci`),
  });
});

test("loadReadmes() refuses a package that is missing or another", async () => {
  const list = JSON.parse(readFileSync(join(root, "datasets/readmes/packages.json"), "utf8"));
  const [first, second] = list;
  mkdirSync(join(scratch, "datasets/readmes"), { recursive: true });
  writeFileSync(join(scratch, "datasets/readmes/packages.json"), JSON.stringify([first]));
  await assert.rejects(loadReadmes(scratch), {
    name: "Error",
    message: `Cannot load dataset "readmes": no ${first.name} in node_modules, expected that of version ${first.version}. Fix: run "npm ci" in the folder of Fledge.`,
  });
  const place = join(scratch, "node_modules", first.name, first.file);
  mkdirSync(dirname(place), { recursive: true });
  cpSync(join(root, "node_modules", second.name, second.file), place);
  await assert.rejects(loadReadmes(scratch), /another README\.md of .*, SHA-256 [0-9a-f]{64}/i);
});

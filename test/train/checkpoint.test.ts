/** Checkpoints: exact round trip, damage of every kind, processes killed while saving, pruning, unwritable folders. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { loadPretrained } from "../../src/model/pretrained.js";
import {
  checkpointName,
  listCheckpoints,
  loadCheckpoint,
  newestCheckpoint,
  pruneCheckpoints,
  saveCheckpoint,
} from "../../src/train/checkpoint.js";
import { openOutputDir } from "../../src/train/output-dir.js";
import { config, tinyCheckpoint, tokenizerIn } from "./tiny-checkpoint.js";

let root = "";
let tokenizerFolder = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fledge-checkpoint-"));
  tokenizerFolder = await tokenizerIn(join(root, "tokenizer"));
});
after(() => rm(root, { recursive: true, force: true }));

/** An output folder with checkpoints of these steps. */
async function run(name: string, ...steps: number[]): Promise<string> {
  const outputDir = join(root, name);
  await mkdir(outputDir);
  for (const step of steps) await saveCheckpoint(outputDir, tinyCheckpoint(step, tokenizerFolder));
  return outputDir;
}

test("saveCheckpoint() then loadCheckpoint() gives every number back", async () => {
  const outputDir = await run("round", 50);
  const folder = join(outputDir, "checkpoint-000050");
  const { tokenizerFolder: _, ...saved } = tinyCheckpoint(50, tokenizerFolder);
  assert.deepEqual(await loadCheckpoint(folder), { ...saved, folder });
  assert.deepEqual(await readdir(outputDir), [checkpointName(50)]);
});

test("saveCheckpoint() makes a folder that loads as a model, tokenizer included", async () => {
  const folder = join(await run("model", 3), checkpointName(3));
  const { config: loaded, weights } = await loadPretrained(folder);
  assert.deepEqual(loaded, config);
  assert.equal(weights.get("transformer.ln_f.bias")?.[0], 3);
  assert.ok((await readdir(folder)).includes("tokenizer.json"));
});

test("saveCheckpoint() replaces one of the same step", async () => {
  const outputDir = await run("twice", 5, 5);
  assert.deepEqual(await readdir(outputDir), ["checkpoint-000005"]);
  assert.equal((await loadCheckpoint(join(outputDir, "checkpoint-000005"))).step, 5);
});

test("saveCheckpoint() refuses what cannot come back, and leaves the folder as it was", async () => {
  const outputDir = await run("refused", 1);
  const whole = tinyCheckpoint(2, tokenizerFolder);
  const save = (change: Partial<typeof whole>): Promise<string> => saveCheckpoint(outputDir, { ...whole, ...change });
  await assert.rejects(save({ state: { bestLoss: Infinity } }), {
    name: "TypeError",
    message:
      "Cannot save the state: bestLoss Infinity, expected a finite number. Fix: leave bestLoss out until it has a value.",
  });
  const weights = new Map(whole.weights);
  weights.delete("transformer.wpe.weight");
  await assert.rejects(save({ weights }), {
    name: "TypeError",
    message: /save the model: no "transformer\.wpe\.weight", expected the 16 arrays/,
  });
  weights.set("transformer.wpe.weight", new Float32Array(3));
  await assert.rejects(save({ weights }), /3 numbers in "transformer\.wpe\.weight" instead of 32/);
  const optimizer = { ...whole.optimizer, v: new Map([...whole.optimizer.v, ["extra", new Float32Array(1)]]) };
  await assert.rejects(save({ optimizer }), /"extra" that is no weight of it/);
  await assert.rejects(
    save({ tokenizerFolder: root }),
    /no tokenizer\.json in .+, expected the tokenizer it was trained with\. Fix: give/,
  );
  assert.deepEqual(await readdir(outputDir), ["checkpoint-000001"]);
});

test("loadCheckpoint() refuses each file when it is missing, cut or altered by one bit", async () => {
  const folder = join(await run("whole", 1), checkpointName(1));
  const copy = join(root, "damaged");
  for (const name of (await readdir(folder)).filter((name) => name !== "manifest.json")) {
    const bytes = await readFile(join(folder, name));
    const damage = async (change: () => Promise<unknown>, message: RegExp): Promise<void> => {
      await rm(copy, { recursive: true, force: true });
      await cp(folder, copy, { recursive: true });
      await change();
      await assert.rejects(loadCheckpoint(copy), { name: "Error", message });
    };
    await damage(
      () => rm(join(copy, name)),
      new RegExp(`no ${name}, expected every file of its manifest\\. Fix: delete this folder`),
    );
    const shorter = bytes.subarray(0, -1);
    await damage(
      () => writeFile(join(copy, name), shorter),
      new RegExp(
        `${name} of ${shorter.length.toLocaleString("en")} bytes, expected ${bytes.length.toLocaleString("en")} bytes`,
      ),
    );
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await damage(
      () => writeFile(join(copy, name), bytes),
      new RegExp(`${name} with another sha256, expected [0-9a-f]{64}`),
    );
  }
});

test("loadCheckpoint() refuses a manifest that is missing, torn, foreign, newer or lists no files", async () => {
  const folder = join(await run("manifest", 1), checkpointName(1));
  const path = join(folder, "manifest.json");
  const manifest = JSON.parse(await readFile(path, "utf8"));
  const write = (value: unknown): Promise<void> => writeFile(path, JSON.stringify(value));
  await write({ ...manifest, version: 2 });
  await assert.rejects(loadCheckpoint(folder), {
    name: "RangeError",
    message: /version 2, expected version 1\. Fix: resume with/,
  });
  await write({ hello: "world" });
  await assert.rejects(loadCheckpoint(folder), /a manifest of another kind, expected one that Fledge wrote/);
  await write({ ...manifest, files: { "../../etc/passwd": { bytes: 1, sha256: "" } } });
  await assert.rejects(
    loadCheckpoint(folder),
    /a manifest without its files, expected config\.json, model\.safetensors/,
  );
  await writeFile(path, '{"format":');
  await assert.rejects(loadCheckpoint(folder), { name: "SyntaxError", message: /the checkpoint's manifest/ });
  await rm(path);
  await assert.rejects(loadCheckpoint(folder), /manifest\.json: no such file/);
});

test("newestCheckpoint() takes the newest whole one and names those it skipped", async () => {
  const outputDir = await run("newest", 9, 10, 100_000, 2_000_000);
  await rm(join(outputDir, "checkpoint-2000000", "state.json"));
  await writeFile(join(outputDir, "checkpoint-100000", "manifest.json"), "");
  const newest = await newestCheckpoint(outputDir);
  assert.equal(newest?.checkpoint.step, 10);
  assert.deepEqual(
    newest?.skipped.map(({ folder, reason }) => [
      folder.slice(outputDir.length + 1),
      /no state|empty file/.test(reason),
    ]),
    [
      ["checkpoint-2000000", true],
      ["checkpoint-100000", true],
    ],
  );
});

test("newestCheckpoint() is undefined without checkpoints, and refuses when all are damaged", async () => {
  assert.equal(await newestCheckpoint(join(root, "nowhere")), undefined);
  const outputDir = await run("all-damaged", 1);
  await rm(join(outputDir, checkpointName(1), "config.json"));
  await assert.rejects(
    newestCheckpoint(outputDir),
    /resume from .+: checkpoint-000001 \(.+no config\.json.+\), expected one whole checkpoint\. Fix: delete the checkpoint folders/,
  );
});

test("pruneCheckpoints() deletes all but those to keep, and never the last whole one", async () => {
  const outputDir = await run("prune", 1, 2, 3);
  await mkdir(join(outputDir, "mine"));
  assert.equal(
    (await pruneCheckpoints(outputDir, [join(outputDir, checkpointName(2)), "checkpoint-000003"])).length,
    1,
  );
  assert.deepEqual(await readdir(outputDir), ["checkpoint-000002", "checkpoint-000003", "mine"]);
  await rm(join(outputDir, checkpointName(3), "model.safetensors"));
  assert.deepEqual(await pruneCheckpoints(outputDir, ["checkpoint-000003"]), []);
  assert.deepEqual(await pruneCheckpoints(outputDir, []), [join(outputDir, "checkpoint-000003")]);
  assert.equal((await listCheckpoints(outputDir)).length, 1);
});

test("saveCheckpoint() words what the disk refuses", async () => {
  const file = join(root, "not-a-folder");
  await writeFile(file, "");
  const message = /^Cannot save checkpoint .+checkpoint-000001: .+, expected a folder that can be written\. Fix: make/;
  await assert.rejects(saveCheckpoint(file, tinyCheckpoint(1, tokenizerFolder)), { name: "Error", message });
});

test("saveCheckpoint() killed at any moment leaves a whole newest checkpoint and nothing for long", async () => {
  const outputDir = join(root, "killed");
  const script = fileURLToPath(new URL("./saving-process.js", import.meta.url));
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [script, outputDir, tokenizerFolder], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exited = once(child, "exit");
    await once(child.stdout, "data"); // at least one is saved
    await sleep((round * 7) % 60);
    child.kill("SIGKILL");
    await exited;
    await (await openOutputDir(outputDir)).close();
    const newest = await newestCheckpoint(outputDir);
    assert.ok(newest, "a whole checkpoint");
    assert.deepEqual(newest.skipped, []);
    const { step, weights, optimizer } = await loadCheckpoint(newest.checkpoint.folder);
    assert.equal(weights.get("transformer.wte.weight")?.[0], step);
    assert.equal(optimizer.v.get("transformer.ln_f.bias")?.[0], step + 0.5);
    assert.ok((await readdir(outputDir)).every((name) => name.startsWith("checkpoint-")));
  }
});

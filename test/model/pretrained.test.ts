/** Loading models from disk: the golden model, names with and without their prefix, and every refusal. */
import assert from "node:assert/strict";
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { sha256File } from "../../src/files.js";
import { loadPretrained, resolveModel } from "../../src/model/pretrained.js";
import { readSafetensors, type TensorData, writeSafetensors } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";

const golden = join(packageRoot(), "test/fixtures/golden-gpt2-tiny");
let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fledge-pretrained-"));
});
after(() => rm(root, { recursive: true, force: true }));

/** A copy of the golden model with its tensors changed. */
async function variant(name: string, change: (tensors: Map<string, TensorData>) => void): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  await cp(join(golden, "config.json"), join(folder, "config.json"));
  const { tensors } = await readSafetensors(join(golden, "model.safetensors"));
  change(tensors);
  await writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

test("loadPretrained() reads configuration, every weight in order, and the file's sha256", async () => {
  const { config, weights, folder, sha256 } = await loadPretrained(golden);
  assert.equal(folder, golden);
  assert.equal(config.layers, 2);
  const { tensors } = await readSafetensors(join(golden, "model.safetensors"));
  assert.deepEqual(
    [...weights],
    [...tensors].map(([name, { data }]) => [name, data]),
  );
  assert.equal(sha256, await sha256File(join(golden, "model.safetensors")));
});

test("loadPretrained() takes names without transformer., mask buffers and the tied head", async () => {
  const folder = await variant("hub", (tensors) => {
    for (const [name, tensor] of [...tensors]) {
      tensors.delete(name);
      tensors.set(name.replace(/^transformer\./, ""), tensor);
    }
    tensors.set("h.0.attn.bias", { dtype: "U8", shape: [1, 1, 4, 4], data: new Uint8Array(16) });
    tensors.set("h.1.attn.masked_bias", { dtype: "F32", shape: [], data: new Float32Array(1) });
    tensors.set("lm_head.weight", tensors.get("wte.weight") as TensorData);
  });
  assert.deepEqual((await loadPretrained(folder)).weights, (await loadPretrained(golden)).weights);
});

test("loadPretrained() refuses a head of its own where config.json says that it is tied", async () => {
  const folder = await variant("untied", (tensors) => {
    tensors.set("lm_head.weight", { dtype: "F32", shape: [97, 48], data: new Float32Array(97 * 48) });
  });
  await assert.rejects(loadPretrained(folder), {
    name: "RangeError",
    message:
      /an output head of its own .+, expected the tied head of its config\.json\. Fix: set "tie_word_embeddings": false in/,
  });
});

test("loadPretrained() converts bfloat16", async () => {
  const folder = await variant("bf16", (tensors) => {
    tensors.set("transformer.ln_f.bias", { dtype: "BF16", shape: [48], data: new Uint16Array(48).fill(0x3fc0) });
  });
  assert.equal((await loadPretrained(folder)).weights.get("transformer.ln_f.bias")?.[47], 1.5);
});

test("loadPretrained() names every missing, extra, doubled and mis-shaped weight with both shapes", async () => {
  const folder = await variant("faults", (tensors) => {
    tensors.delete("transformer.wpe.weight");
    tensors.set("transformer.ln_f.bias", { dtype: "F32", shape: [47], data: new Float32Array(47) });
    tensors.set("transformer.h.2.ln_1.bias", { dtype: "F32", shape: [1], data: new Float32Array(1) });
    tensors.set("ln_f.weight", { dtype: "F32", shape: [48], data: new Float32Array(48) });
  });
  await assert.rejects(loadPretrained(folder), (error: Error) => {
    assert.equal(error.name, "TypeError");
    for (const fault of [
      "transformer.wpe.weight [32, 48] is missing",
      "transformer.ln_f.bias has shape [47] where config.json asks for [48]",
      "transformer.h.2.ln_1.bias [1] belongs to no GPT-2 of this size",
      'transformer.ln_f.weight is there with and without "transformer."',
      "expected the 28 weights that config.json describes. Fix: use the config.json and model.safetensors that were",
    ]) {
      assert.ok(error.message.includes(fault), `${fault} in ${error.message}`);
    }
    return true;
  });
});

test("loadPretrained() shortens a long list of faults", async () => {
  const folder = await variant("strange", (tensors) => {
    tensors.clear();
  });
  await assert.rejects(loadPretrained(folder), /c_proj\.bias \[48\] is missing; and 20 more, expected/);
});

test("loadPretrained() refuses a safetensors file cut short", async () => {
  const folder = await variant("cut", () => undefined);
  const bytes = await readFile(join(folder, "model.safetensors"));
  await writeFile(join(folder, "model.safetensors"), bytes.subarray(0, 100_000));
  const message = /file of 100,000 bytes, cut short, expected 253,960 bytes/;
  await assert.rejects(loadPretrained(folder), { name: "SyntaxError", message });
});

test("loadPretrained() refuses a folder without configuration, or with one that is no JSON", async () => {
  const folder = join(root, "bare");
  await mkdir(folder);
  await assert.rejects(
    loadPretrained(folder),
    /the model's configuration .+config\.json: no such file, expected a readable JSON/,
  );
  await writeFile(join(folder, "config.json"), "{");
  await assert.rejects(loadPretrained(folder), {
    name: "SyntaxError",
    message: /expected one JSON object\. Fix: mend the file/,
  });
  await writeFile(join(folder, "config.json"), " ");
  await assert.rejects(loadPretrained(folder), /config\.json: an empty file/);
  await writeFile(join(folder, "config.json"), "[]");
  await assert.rejects(loadPretrained(folder), /config\.json: JSON of another kind/);
});

test("loadPretrained() says what to do with PyTorch's pickle and with several files", async () => {
  const folder = join(root, "pickle");
  await mkdir(folder);
  await cp(join(golden, "config.json"), join(folder, "config.json"));
  await assert.rejects(
    loadPretrained(folder),
    /no model\.safetensors, expected one model\.safetensors\. Fix: save it again/,
  );
  await writeFile(join(folder, "pytorch_model.bin"), "");
  await assert.rejects(loadPretrained(folder), /PyTorch's pickle form \(pytorch_model\.bin\)/);
  await writeFile(join(folder, "model.safetensors.index.json"), "{}");
  await assert.rejects(loadPretrained(folder), /weights in several files/);
});

test("resolveModel() finds a folder", () => {
  assert.equal(resolveModel(golden), golden);
});

test("resolveModel() says that models of the Hub cannot be downloaded yet, and what works", () => {
  for (const name of ["distilgpt2", "gpt2", "GPT2-medium", "PingVortex/VLM-1"]) {
    assert.throws(() => resolveModel(name), {
      name: "RangeError",
      message:
        /a model of the Hugging Face Hub, from which this version cannot download yet, expected "fledge-base" or the folder of a saved GPT-2\. Fix: use "fledge-base", or save it from Python with GPT2LMHeadModel\.from_pretrained\(".+"\)\.save_pretrained\("\.\/.+"\)/,
    });
  }
});

test("resolveModel() names the nearest model for an unknown name", () => {
  assert.throws(
    () => resolveModel("fledge-bas"),
    /Cannot load model "fledge-bas": .+the nearest known name is "fledge-base", expected/,
  );
  assert.throws(() => resolveModel("distillgpt2"), /nearest known name is "distilgpt2"/);
  assert.throws(
    () => resolveModel("./nowhere/at/all"),
    /no folder .+nowhere\/at\/all, expected .+ Fix: use "fledge-base" or the path/,
  );
});

/** Loading models from disk: the golden model, names with and without their prefix, and every refusal. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { sha256File } from "../../src/files.js";
import { loadPretrained } from "../../src/model/pretrained.js";
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

test("loadPretrained() refuses PyTorch's pickle with the reason and the way round", async () => {
  const folder = join(root, "pickle");
  await mkdir(folder);
  await cp(join(golden, "config.json"), join(folder, "config.json"));
  await assert.rejects(loadPretrained(folder), {
    name: "RangeError",
    message: /: no weights, expected model\.safetensors\. Fix: /,
  });
  await writeFile(join(folder, "pytorch_model.bin"), "");
  const save = (kind: string) => `${kind}.from_pretrained("${folder}").save_pretrained("my-model")`;
  await assert.rejects(loadPretrained(folder), {
    message:
      `Cannot load model "${folder}": weights only in PyTorch's pickle form (pytorch_model.bin), which can run any code when it is opened, expected model.safetensors. ` +
      `Fix: save it from Python, if you trust it, with ${save("AutoModelForCausalLM")} and ${save("AutoTokenizer")}, and use modelName: "./my-model".`,
  });
});

/** The golden model in two files and their index. */
async function sharded(
  name: string,
  changes: (map: Record<string, string>) => Record<string, string | undefined> = () => ({}),
): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  await cp(join(golden, "config.json"), join(folder, "config.json"));
  const { tensors } = await readSafetensors(join(golden, "model.safetensors"));
  const map: Record<string, string> = {};
  const parts = [new Map<string, TensorData>(), new Map<string, TensorData>()] as const;
  for (const [i, [tensor, data]] of [...tensors].entries()) {
    map[tensor] = `model-0000${(i % 2) + 1}-of-00002.safetensors`;
    parts[i % 2 === 0 ? 0 : 1].set(tensor, data);
  }
  for (const [i, part] of parts.entries())
    await writeSafetensors(join(folder, `model-0000${i + 1}-of-00002.safetensors`), part);
  const index = { metadata: {}, weight_map: { ...map, ...changes(map) } };
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
  return folder;
}

test("loadPretrained() reads weights in several files as it reads one", async () => {
  const model = await loadPretrained(await sharded("shards"));
  const whole = await loadPretrained(golden);
  assert.deepEqual(model.weights, whole.weights);
  assert.match(model.sha256, /^[0-9a-f]{64}$/);
  assert.notEqual(model.sha256, whole.sha256);
});

test("loadPretrained() refuses an index that is not its files'", async () => {
  const bias = "transformer.ln_f.bias";
  const faults: [
    criterion: string,
    change: (map: Record<string, string>) => Record<string, string | undefined>,
    message: RegExp,
  ][] = [
    [
      "moved",
      (map) => ({ [bias]: `model-0000${map[bias]?.includes("00001") ? 2 : 1}-of-00002.safetensors` }),
      /tensor "transformer\.ln_f\.bias" in .+, expected it in model-.+, as the index says/,
    ],
    [
      "unlisted",
      () => ({ [bias]: undefined }),
      /tensor "transformer\.ln_f\.bias" in .+, expected it in no file, as the index says\. Fix: use the files that were saved together/,
    ],
    [
      "absent",
      () => ({ more: "model-00001-of-00002.safetensors" }),
      /no tensor "more" in model-00001-of-00002\.safetensors, expected it there/,
    ],
    [
      "outside",
      () => ({ [bias]: "../model.safetensors" }),
      /"\.\.\/model\.safetensors" for tensor "transformer\.ln_f\.bias", expected a "weight_map"/,
    ],
  ];
  for (const [criterion, change, message] of faults) {
    await assert.rejects(loadPretrained(await sharded(criterion, change)), { name: "SyntaxError", message });
  }
  for (const [text, message] of [
    ["{", /text that is not JSON, expected/],
    ["[]", /no weight_map/],
  ] as const) {
    const folder = join(root, "shards");
    await writeFile(join(folder, "model.safetensors.index.json"), text);
    await assert.rejects(loadPretrained(folder), { name: "SyntaxError", message });
  }
});

test("loadPretrained() reads what Python's save_pretrained wrote in shards of float32, float16 and bfloat16", async () => {
  const code = `
import sys, torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel
torch.manual_seed(7)
config = GPT2Config(vocab_size=97, n_positions=32, n_embd=48, n_layer=2, n_head=4, bos_token_id=96, eos_token_id=96)
model = GPT2LMHeadModel(config)
for name, dtype in [("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)]:
    folder = sys.argv[1] + "/" + name
    model.to(dtype).save_pretrained(folder, max_shard_size="60KB")
    save_file({n: p.float().contiguous() for n, p in model.named_parameters()}, folder + "/expected.safetensors")
`;
  const python = join(packageRoot(), process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python");
  const folder = join(root, "python");
  await promisify(execFile)(python, ["-c", code, folder]);
  for (const dtype of ["float32", "float16", "bfloat16"]) {
    const saved = join(folder, dtype);
    assert.ok((await readdir(saved)).filter((name) => /^model-\d+-of-\d+\.safetensors$/.test(name)).length > 1, dtype);
    const { weights } = await loadPretrained(saved);
    const { tensors } = await readSafetensors(join(saved, "expected.safetensors"));
    assert.equal(weights.size, 28);
    for (const [name, values] of weights) assert.deepEqual(values, tensors.get(name)?.data, `${dtype} ${name}`);
  }
});

/** Exported ONNX files: ONNX's checker, PyTorch's logits with and without the cache, transformers.js' text. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { env, pipeline } from "@xenova/transformers";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { saveModelFolder } from "../../src/export/huggingface.js";
import { checkOnnxSize, exportOnnx, fittingDtypes } from "../../src/export/onnx.js";
import { sha256File } from "../../src/files.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { readSafetensors } from "../../src/model/safetensors.js";
import { packageRoot } from "../../src/paths.js";
import { golden, goldenFolder } from "../golden.js";
import { clearQuestions, copyOfBaseModel, ownTexts, question } from "./base-model.js";
import { askPython, missingPython } from "./python.js";

env.allowRemoteModels = false;
const root = await copyOfBaseModel();
after(() => rm(root, { recursive: true }));
const folder = join(root, "final_model");
const files = await exportOnnx(folder);

interface Described {
  readonly inputs: Readonly<Record<string, readonly [type: string, shape: readonly (number | string)[]]>>;
  readonly outputs: Described["inputs"];
  readonly domains: readonly string[];
  readonly embeddings: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
}

test("exportOnnx() writes three files that ONNX's checker accepts, with the inputs and outputs of transformers.js", async (context) => {
  const missing = await missingPython("onnx");
  if (missing) return context.skip(missing);
  const described = await askPython<Record<string, Described>>("check_onnx.py", ...files.map(({ path }) => path));
  assert.deepEqual(Object.keys(described), ["model.onnx", "model_fp16.onnx", "model_quantized.onnx"]);
  const cache = (prefix: string, length: string) =>
    [0, 1, 2, 3].flatMap((layer) =>
      ["key", "value"].map((part) => [`${prefix}.${layer}.${part}`, ["FLOAT", ["B", 4, length, 64]]] as const),
    );
  const inputs = {
    input_ids: ["INT64", ["B", "T"]],
    attention_mask: ["INT64", ["B", "S"]],
    position_ids: ["INT64", ["B", "T"]],
    ...Object.fromEntries(cache("past_key_values", "P")),
  };
  const outputs = { logits: ["FLOAT", ["B", "T", 4096]], ...Object.fromEntries(cache("present", "S")) };
  const weights = await sha256File(join(folder, "model.safetensors"));
  for (const [name, one] of Object.entries(described)) {
    assert.deepEqual([one.inputs, one.outputs], [inputs, outputs], name);
    assert.deepEqual(one.domains, [""], "operators of ONNX's own set only");
    assert.equal(one.embeddings.length, 1, `the tied head is stored once: ${one.embeddings}`);
    assert.equal(one.metadata.weights_sha256, weights);
  }
  const [whole = 0, half = 0, byte = 0] = files.map(({ bytes }) => bytes);
  assert.ok(half < 0.51 * whole && byte < 0.29 * whole, `${whole}, ${half}, ${byte} bytes`);
});

/** Inputs of one call; padded positions carry a 0 in the mask. */
function feeds(ids: readonly number[][], mask: readonly number[][], past: Record<string, Tensor>, start = 0) {
  const integers = (rows: readonly number[][]) =>
    new Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]?.length ?? 0]);
  const positions = ids.map((row) => row.map((_, i) => start + i));
  return { input_ids: integers(ids), attention_mask: integers(mask), position_ids: integers(positions), ...past };
}

function emptyCache(batch: number): Record<string, Tensor> {
  const names = [0, 1].flatMap((layer) => ["key", "value"].map((part) => `past_key_values.${layer}.${part}`));
  return Object.fromEntries(names.map((name) => [name, new Tensor("float32", new Float32Array(0), [batch, 4, 0, 12])]));
}

test("exportOnnx()'s fp32 form gives PyTorch's logits within 1e-4, at once and token by token through the cache", async () => {
  const { config, weights } = await loadPretrained(goldenFolder);
  const tokenizerFolder = join(packageRoot(), "models/fledge-base");
  const saved = await saveModelFolder(join(root, "golden"), { config, weights, tokenizerFolder, card: "# Golden\n" });
  const [file] = await exportOnnx(saved, { dtypes: ["fp32"] });
  const session = await InferenceSession.create(file?.path as string, { intraOpNumThreads: 1 });
  const ids = golden.batches.input_ids[0] as number[][];
  const mask = golden.batches.attention_mask[0] as number[][];
  const { tensors } = await readSafetensors(join(goldenFolder, "forward_f64.safetensors"));
  const expected = tensors.get("logits")?.data as Float64Array; // [4, 16, 97]
  const [T, V] = [16, config.vocabularySize];

  const compare = (logits: ArrayLike<number>, row: number, position: number, at: number) => {
    if (mask[row]?.[position] === 0) return; // what a padded position sees is each implementation's own
    for (let id = 0; id < V; id++) {
      const wanted = expected[(row * T + position) * V + id] as number;
      const difference = Math.abs((logits[at * V + id] as number) - wanted);
      assert.ok(difference <= 1e-4, `row ${row}, position ${position}, token ${id}: ${difference}`);
    }
  };
  const whole = await session.run(feeds(ids, mask, emptyCache(ids.length)));
  const logits = whole.logits?.data as Float32Array;
  for (let at = 0; at < ids.length * T; at++) compare(logits, Math.floor(at / T), at % T, at);

  let past = emptyCache(ids.length);
  for (let position = 0; position < T; position++) {
    const column = ids.map((row) => [row[position] as number]);
    const seen = mask.map((row) => row.slice(0, position + 1));
    const answer = await session.run(feeds(column, seen, past, position));
    for (let row = 0; row < ids.length; row++) compare(answer.logits?.data as Float32Array, row, position, row);
    past = Object.fromEntries(
      Object.keys(past).map((name) => [name, answer[name.replace("past_key_values", "present")] as Tensor]),
    );
  }
  await session.release();
});

for (const dtype of ["fp32", "fp16", "q8"] as const) {
  test(`transformers.js writes the same greedy text as Fledge from the ${dtype} form`, async () => {
    const questions = dtype === "q8" ? clearQuestions : [question, ...clearQuestions];
    const write = await pipeline("text-generation", folder, { dtype });
    const texts: string[] = [];
    for (const { prompt, newTokens } of questions) {
      const [answer] = await write(prompt, { max_new_tokens: newTokens, do_sample: false });
      texts.push((answer as { generated_text: string }).generated_text);
    }
    await write.dispose();
    assert.deepEqual(texts, await ownTexts(questions));
  });
}

test("exportOnnx() refuses a dtype that it does not have, and none", async () => {
  await assert.rejects(exportOnnx(folder, { dtypes: ["q4" as "fp32"] }), {
    name: "RangeError",
    message: 'Cannot export as ONNX: dtype "q4", expected fp32, fp16, int8. Fix: choose among fp32, fp16, int8.',
  });
  await assert.rejects(exportOnnx(folder, { dtypes: [] }), /no dtype, expected fp32, fp16, int8/);
});

test("fittingDtypes() leaves out what one file cannot hold", () => {
  assert.deepEqual(fittingDtypes(354_823_168), ["fp32", "fp16", "int8"], "gpt2-medium");
  assert.deepEqual(fittingDtypes(774_030_080), ["fp16", "int8"], "gpt2-large");
  assert.deepEqual(fittingDtypes(1_557_611_200), ["int8"], "gpt2-xl");
});

test("checkOnnxSize() refuses what one ONNX file cannot hold, and names the smaller forms", () => {
  checkOnnxSize("model.onnx", "fp32", 2_147_483_647);
  assert.throws(() => checkOnnxSize("model.onnx", "fp32", 2_147_483_648), {
    name: "RangeError",
    message:
      'Cannot write model.onnx: 2,147,483,648 bytes, expected at most 2,147,483,647, the most that one ONNX file can hold. Fix: ask for dtypes: ["fp16" or "int8"].',
  });
});

test("exportOnnx() says that a folder cannot be written", async () => {
  const blocked = await mkdtemp(join(tmpdir(), "fledge-onnx-"));
  after(() => rm(blocked, { recursive: true }));
  const { config, weights } = await loadPretrained(goldenFolder);
  const tokenizerFolder = join(packageRoot(), "models/fledge-base");
  const saved = await saveModelFolder(join(blocked, "model"), { config, weights, tokenizerFolder, card: "# Golden\n" });
  await writeFile(join(saved, "onnx"), "a file where a folder belongs");
  await assert.rejects(exportOnnx(saved, { dtypes: ["int8"] }), /^Error: Cannot write .+model_quantized\.onnx: /);
});

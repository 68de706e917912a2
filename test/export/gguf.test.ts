/** Exported GGUF files, loaded by llama.cpp (node-llama-cpp's prebuilt library): its tokens and greedy text are Fledge's. */
import assert from "node:assert/strict";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { getLlama, type Llama, LlamaLogLevel, readGgufFileInfo, type Token } from "node-llama-cpp";
import { loadTokenizer } from "../../src/data/tokenizer.js";
import { exportGguf } from "../../src/export/gguf.js";
import { saveModelFolder } from "../../src/export/huggingface.js";
import { loadPretrained } from "../../src/model/pretrained.js";
import { packageRoot } from "../../src/paths.js";
import { goldenFolder } from "../golden.js";
import { clearQuestions, copyOfBaseModel, ownTexts, type Question, question } from "./base-model.js";

const TEXT = "Fellow citizens: 1,000 words — naïve  spaces\n\n   and ends.";
const root = await copyOfBaseModel();
const folder = join(root, "final_model");
const files = await exportGguf(folder, { dtypes: ["f32", "f16", "q8_0"] });
let llama: Llama;
before(async () => {
  // One thread: several wait for each other by spinning, which starves a machine that does other work too.
  const quiet = { progressLogs: false, logLevel: LlamaLogLevel.error };
  llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: 1, ...quiet });
});
after(async () => {
  await llama.dispose();
  await rm(root, { recursive: true });
});

/** llama.cpp's greedy texts, prompts included, and its tokens of TEXT. */
async function asked(modelPath: string, questions: readonly Question[]) {
  const model = await llama.loadModel({ modelPath });
  const tokenizer = await loadTokenizer(folder);
  const texts: string[] = [];
  for (const { prompt, newTokens } of questions) {
    const context = await model.createContext({ contextSize: 128, threads: 1 });
    const written: number[] = [];
    for await (const token of context.getSequence().evaluate(model.tokenize(prompt), { temperature: 0 })) {
      if (model.isEogToken(token)) break;
      written.push(token);
      if (written.length === newTokens) break;
    }
    texts.push(prompt + tokenizer.decode(written));
    await context.dispose();
  }
  const ids = model.tokenize(TEXT);
  const ends = [model.tokens.eos, model.isEogToken(tokenizer.endOfTextId as Token)];
  await model.dispose();
  return { texts, ids, ends, own: [...tokenizer.encode(TEXT)], endOfTextId: tokenizer.endOfTextId };
}

for (const { path } of files) {
  const name = /model-(.+)\.gguf$/.exec(path)?.[1] as string;
  test(`llama.cpp loads the ${name} form: the same tokens, the same end of text, the same greedy text`, async () => {
    const questions = name === "q8_0" ? clearQuestions : [question, ...clearQuestions];
    const { texts, ids, ends, own, endOfTextId } = await asked(path, questions);
    assert.deepEqual(ids, own);
    assert.deepEqual(ends, [endOfTextId, true]);
    assert.deepEqual(texts, await ownTexts(questions));
  });
}

test("exportGguf() names architecture, sizes and tokenizer, and says truly how many bytes it wrote", async () => {
  const [whole, half, byte] = files;
  for (const { path, bytes } of files) assert.equal((await readFile(path)).length, bytes);
  assert.ok((half?.bytes as number) < 0.53 * (whole?.bytes as number));
  assert.ok((byte?.bytes as number) < 0.3 * (whole?.bytes as number));
  const { metadata, fullTensorInfo } = await readGgufFileInfo(byte?.path as string, { logWarnings: false });
  assert.equal(metadata.general.architecture, "gpt2");
  assert.equal(metadata.general.file_type, 7);
  const { tokens, token_type: kinds, merges, pre } = metadata.tokenizer.ggml;
  assert.deepEqual([tokens.length, kinds?.length, pre, kinds?.[4095]], [4096, 4096, "gpt-2", 3]);
  assert.ok(merges && merges.length > 3000);
  const embedding = fullTensorInfo?.find(({ name }) => name === "token_embd.weight");
  assert.deepEqual(embedding?.dimensions, [256, 4096]);
  assert.ok(!fullTensorInfo?.some(({ name }) => name === "output.weight"), "the tied head is stored once");
});

test("exportGguf() keeps rows that fill no block in 16 bits, marks ids without a token as unused, and llama.cpp loads it", async () => {
  const { config, weights } = await loadPretrained(goldenFolder); // rows of 48, 97 ids
  const wide = { ...config, vocabularySize: 4100, untiedHead: true };
  const grown = new Map(weights);
  for (const name of ["transformer.wte.weight", "lm_head.weight"])
    grown.set(name, new Float32Array(4100 * 48).fill(0.1));
  const tokenizerFolder = join(packageRoot(), "models/fledge-base");
  const content = { config: wide, weights: grown, tokenizerFolder, card: "# Wide\n" };
  const saved = await saveModelFolder(join(root, "wide"), content);
  const [file] = await exportGguf(saved, { dtypes: ["q8_0"] });
  const path = file?.path as string;
  const { metadata, fullTensorInfo } = await readGgufFileInfo(path, { logWarnings: false });
  const { tokens, token_type: kinds } = metadata.tokenizer.ggml;
  assert.deepEqual([tokens[4099], kinds?.[4099]], ["[unused 4099]", 5]);
  const typeOf = (name: string) => fullTensorInfo?.find((tensor) => tensor.name === name)?.ggmlType;
  assert.deepEqual(
    [typeOf("output.weight"), typeOf("blk.1.ffn_down.weight"), typeOf("blk.0.attn_qkv.bias")],
    [1, 8, 0],
  );
  const model = await llama.loadModel({ modelPath: path });
  assert.equal(model.embeddingVectorSize, 48);
  await model.dispose();
});

test("exportGguf() refuses a dtype that it does not have", async () => {
  await assert.rejects(exportGguf(folder, { dtypes: ["q4_0" as "f32"] }), {
    name: "RangeError",
    message: 'Cannot export as GGUF: dtype "q4_0", expected f32, f16, q8_0. Fix: choose among f32, f16, q8_0.',
  });
});

test("exportGguf() refuses a tokenizer with more tokens than the model", async () => {
  const { config, weights } = await loadPretrained(goldenFolder);
  const tokenizerFolder = join(packageRoot(), "models/fledge-base");
  const saved = await saveModelFolder(join(root, "small"), { config, weights, tokenizerFolder, card: "# Small\n" });
  await assert.rejects(exportGguf(saved), {
    name: "RangeError",
    message:
      /^Cannot export as GGUF: a tokenizer of 4,096 tokens, expected at most the model's vocabulary of 97\. Fix: put/,
  });
});

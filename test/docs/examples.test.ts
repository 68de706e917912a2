/**
 * Every `@example` in the doc blocks of src/ is run, in an empty folder with a small model and text at hand. In: the sources.
 * What a line's comment gives as its value is compared, where it is JavaScript.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import type { TextModel } from "../../src/generate/text-model.js";
import { packageRoot } from "../../src/paths.js";
import { filesBelow } from "../project/sources.js";

/** Examples that are not run, by file, with the reason. */
const notRun: Readonly<Record<string, string>> = {
  "src/data/token-file.ts": "a source is made from a dataset's name by prepareRun",
  "src/export/push.ts": "sends to the Hub, which tests must not",
  "src/hub/repository.ts": "asks the Hub, which tests must not",
};

interface Example {
  readonly path: string;
  readonly code: string;
}

const root = packageRoot();
const examples = filesBelow(["src"], [".ts"]).flatMap(examplesOf);
const folder = mkdtempSync(join(tmpdir(), "fledge-examples-"));
const home = process.cwd();
let surroundings: Record<string, unknown> = {};

before(async () => {
  process.chdir(folder);
  surroundings = await makeSurroundings();
});
after(async () => {
  await (surroundings.model as TextModel).dispose();
  await (surroundings.step as { dispose(): Promise<void> }).dispose();
  process.chdir(home);
  rmSync(folder, { recursive: true });
});

test("doc blocks have examples, and no reason outlives its example", () => {
  assert.ok(examples.length > 50, String(examples.length));
  for (const path of Object.keys(notRun))
    assert.ok(
      examples.some((example) => example.path === path),
      path,
    );
});

for (const [i, example] of examples.entries()) {
  const skip = notRun[example.path] ?? false;
  const title = example.code.split("\n")[0]?.slice(0, 90);
  test(`example ${i + 1} of ${example.path} runs: ${title}`, { skip }, async () => {
    await run(example);
  });
}

function examplesOf(path: string): Example[] {
  const source = readFileSync(join(root, path), "utf8");
  const blocks = source.matchAll(/^ *\* @example *\n((?:^ *\*(?!\/).*\n)+)/gm);
  return [...blocks].map(([, block = ""]) => {
    const lines = block.replace(/^ *\* ?/gm, "").split("\n");
    const end = lines.findIndex((line) => line.startsWith("@"));
    return {
      path,
      code: lines
        .slice(0, end < 0 ? lines.length : end)
        .join("\n")
        .trim(),
    };
  });
}

async function run({ path, code }: Example): Promise<void> {
  const module = join(root, "dist", path.replace(/\.ts$/, ".js"));
  const own = (await import(pathToFileURL(module).href)) as Record<string, unknown>;
  const known: Record<string, unknown> = { ...surroundings, ...own };
  const { body, expected } = prepare(code);
  // What an example declares itself is not given to it.
  const declared = declaredIn(code);
  const names = Object.keys(known).filter((name) => !declared.has(name));
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<unknown>;
  const example = new AsyncFunction(...names, body);
  const result = await example(...names.map((name) => known[name]));
  if (expected !== undefined) assert.deepEqual(result, expected, code);
}

// The last line's value is returned, where a comment says what it is.
function prepare(code: string): { body: string; expected?: unknown } {
  const js = ts.transpileModule(code, {
    compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext },
  });
  const match = /^(?!const |let |for |if |\})(?<expression>.*); ?(\n?\/\/ (?<comment>.*))$/m.exec(code);
  const { expression, comment } = match?.groups ?? {};
  if (expression === undefined || comment === undefined) return { body: js.outputText };
  const before = code.slice(0, match?.index);
  const expected = commentedValue(comment);
  return { body: `${before}\nreturn (${expression});`, ...(expected && { expected: expected.value }) };
}

function declaredIn(code: string): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if ((ts.isVariableDeclaration(node) || ts.isBindingElement(node)) && ts.isIdentifier(node.name))
      names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile("example.ts", code, ts.ScriptTarget.ES2023));
  return names;
}

function commentedValue(comment: string): { value: unknown } | undefined {
  const text = comment.replace(/: .*$/, (rest) => (/^["[{]/.test(comment) ? rest : ""));
  try {
    return { value: new Function(`return (${text});`)() };
  } catch {
    return undefined;
  }
}

// What the examples take for granted: files in the working folder, and values by the names that the field gives them.
async function makeSurroundings(): Promise<Record<string, unknown>> {
  const fledge = await import("../../src/index.js");
  const { randomWeights } = await import("../../src/model/initial.js");
  const { saveModelFolder } = await import("../../src/export/huggingface.js");
  const { writeSafetensors } = await import("../../src/model/safetensors.js");
  symlinkSync(join(root, "models"), "models");
  const dataset = await fledge.loadDataset("sotu", { maxDocuments: 12 });
  const documents = dataset.documents.map((document) => ({ ...document, text: document.text.slice(0, 3_000) }));
  for (const name of ["my-texts", "run"]) mkdirSync(name);
  for (const { id, text } of documents) writeFileSync(join("my-texts", `${basename(id)}.txt`), text);
  const tokenizerFolder = join(root, "models", "fledge-base");
  const tokenizer = await fledge.loadTokenizer(tokenizerFolder);
  const config = {
    ...{ vocabularySize: 4096, positions: 512, width: 32, layers: 1, heads: 2 },
    ...{ layerNormEpsilon: 1e-5, endOfTextId: 4095 },
  };
  const weights = randomWeights(config, 1);
  await saveModelFolder("./final_model", { config, weights, tokenizerFolder, card: "# A model" });
  const table = { dtype: "F32", shape: [4096, 32], data: weights.get("transformer.wte.weight") } as const;
  await writeSafetensors(
    "model.safetensors",
    new Map([["transformer.wte.weight", { ...table, data: table.data as Float32Array }]]),
  );
  const tf = await import("@tensorflow/tfjs");
  const { weightShapes } = await import("../../src/model/gpt2-config.js");
  const tensors = Object.fromEntries(
    [...weightShapes(config)].map(([name, shape]) => [name, tf.tensor(weights.get(name) as Float32Array, [...shape])]),
  );
  const facts = {
    ...{ config, dataset, losses: { base: 4, tuned: 3 }, steps: 1, seconds: 1 },
    ...{ hardware: "TensorFlow 2.21 on CPU, 2 cores", trainingArguments: {} },
  };
  const split = fledge.splitDataset(dataset, { validationFraction: 0.1, testFraction: 0.1, seed: 42 });
  const model = await fledge.openModel("./final_model");
  const step = await fledge.compile(
    ({ x }) => ({ outputs: { y: tf.square(x as import("@tensorflow/tfjs").Tensor) } }),
    { inputs: { x: [2] } },
  );
  return {
    ...fledge,
    ...{ tf, tensors, facts, tokens: tf.zeros([4 * 512], "int32"), op: (await import("arquero")).op },
    ...{ console: { log: () => {} }, pipeline: async () => {} },
    ...{
      dataset,
      documents,
      split,
      tokenizer,
      tokenizerFolder,
      base: Object.assign(model, { folder: tokenizerFolder }),
      tuned: model,
      model,
    },
    ...{ blocks: fledge.packDocuments(documents, tokenizer, 16), config, weights, events: [] },
    ...{ step, program: step.program, runId: "example", m: weights, v: weights, state: { progress: {}, identity: {} } },
  };
}

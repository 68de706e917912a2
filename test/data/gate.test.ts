import assert from "node:assert/strict";
import { test } from "node:test";
import { type Dataset, type Document, datasetOf, loadDataset } from "../../src/data/dataset.js";
import { examineData, type FindingName, type GateInput, withoutDuplicates } from "../../src/data/gate.js";

const { documents } = await loadDataset("sotu", { maxDocuments: 12 });
const part = (list: readonly Document[]): Dataset =>
  datasetOf({ name: "sotu", documents: list, origin: "test", licence: "none" });

function input(train: readonly Document[], validation: readonly Document[], more: Partial<GateInput> = {}): GateInput {
  const split = { train: part(train), validation: part(validation), test: part([]), by: "document", hash: "" } as const;
  const sizes = { validationBlocks: 40, blockSize: 256, bytesPerToken: 4 };
  return { split, modelName: "gpt2", datasetName: "sotu", ...sizes, ...more };
}

const train = documents.slice(0, 9);
const held = documents.slice(9, 11);
const first = train[0] as Document;

function names(given: GateInput): [FindingName, string][] {
  return examineData(given).map(({ name, severity }) => [name, severity]);
}

test("examineData() has nothing to say of a clean split", () => {
  assert.deepEqual(examineData(input(train, held)), []);
});

test("examineData() finds a document that is learned and held out", () => {
  const copy = { ...first, id: "copy", text: ` ${first.text}\n` };
  const [finding] = examineData(input(train, [...held, copy]));
  assert.deepEqual(finding, {
    name: "leaked-document",
    severity: "error",
    message:
      "Cannot measure this run: 1 held-out document (copy) also in the training text, expected text that is never learned. Fix: set deduplicate: true, which drops the copies before the split.",
    documents: ["copy"],
  });
});

test("examineData() finds held-out text that stands mostly, or partly, in the training text", () => {
  const inside = { id: "inside", text: first.text.slice(500, 4500) };
  const fresh = documents[11]?.text ?? "";
  const partly = { id: "partly", text: `${first.text.slice(0, 4000)} ${fresh.slice(0, 8000)}` };
  const findings = examineData(input(train, [inside, partly]));
  assert.deepEqual(
    findings.map(({ name, severity, documents }) => [name, severity, documents]),
    [
      ["leaked-passage", "error", ["inside"]],
      ["leaked-passage", "warning", ["partly"]],
    ],
  );
  assert.match(findings[0]?.message ?? "", /\(inside\) of which up to (99|100) % stands in the training text/);
});

test("examineData() counts training documents that repeat others", () => {
  const edited = first.text.split(" ").map((word, i) => (i % 100 === 50 ? "edited" : word));
  const repeats = [
    { id: "copy", text: first.text },
    { id: "edited", text: edited.join(" ") },
  ];
  const [finding] = examineData(input([...train, ...repeats], held));
  assert.equal(finding?.name, "repeated-documents");
  assert.match(finding?.message ?? "", /2 training documents \(copy, edited\) that repeat one of the other 9/);
});

test("withoutDuplicates() keeps the first of each", () => {
  const copies = [{ id: "before", text: first.text }, ...train];
  const { kept, dropped } = withoutDuplicates(copies);
  assert.deepEqual(dropped, [first.id]);
  assert.deepEqual(
    kept.map(({ id }) => id),
    ["before", ...train.slice(1).map(({ id }) => id)],
  );
});

test("examineData() finds a validation set too small to tell differences, and one document cut by position", () => {
  assert.deepEqual(names(input(train, held, { validationBlocks: 3 })), [["small-validation", "warning"]]);
  const cut = input([first], held);
  assert.deepEqual(names({ ...cut, split: { ...cut.split, by: "position" } }), [["one-document", "warning"]]);
});

test("examineData() finds personal data without repeating it", () => {
  const letter = {
    id: "letter",
    text: `${documents[11]?.text} Write to ada.long.name@example.org or +44 20 7946 0958.`,
  };
  const [finding] = examineData(input([...train, letter], held));
  assert.equal(finding?.name, "personal-data");
  assert.match(finding?.message ?? "", /e-mail 1, phone 1 in 1 training document \(letter\)/);
  assert.ok(!finding?.message.includes("ada.long"));
});

test("examineData() knows text that a model has learned from", () => {
  const dataset = { datasetName: "stas/openwebtext-10k" };
  for (const modelName of ["gpt2", "distilgpt2", "openai-community/gpt2-medium"])
    assert.deepEqual(names(input(train, held, { ...dataset, modelName })), [["known-text", "warning"]]);
  assert.deepEqual(names(input(train, held, { ...dataset, modelName: "fledge-base" })), []);
  assert.deepEqual(names(input(train, held, { modelName: "fledge-base", datasetName: "shakespeare" })), [
    ["known-text", "warning"],
  ]);
});

test("examineData() finds text that the vocabulary was not made for", () => {
  assert.deepEqual(names(input(train, held, { bytesPerToken: 1.3 })), [["foreign-vocabulary", "warning"]]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { nearest, problem } from "../src/message.js";

test("problem() says what was found, what was expected and the fix", () => {
  const message = problem({ cannot: "use batchSize", found: "0", expected: "an integer ≥ 1", fix: "set batchSize: 4" });
  assert.equal(message, "Cannot use batchSize: 0, expected an integer ≥ 1. Fix: set batchSize: 4.");
});

test("nearest() finds a misspelt name and leaves a strange one alone", () => {
  assert.equal(nearest("distilgpt", ["gpt2", "distilgpt2"]), "distilgpt2");
  assert.equal(nearest("BATCHSIZE", ["batchSize", "blockSize"]), "batchSize");
  assert.equal(nearest("llama", ["gpt2-medium", "distilgpt2"]), undefined);
});

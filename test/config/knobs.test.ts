import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Knob } from "../../src/config/knob.js";
import { knobGroups, knobs } from "../../src/config/knobs.js";
import { trainingConfigType, typeFile } from "./make-training-config.js";

test("knobs: every default is in its own range and every knob says what, what range and why", () => {
  for (const [name, knob] of Object.entries<Knob>(knobs)) {
    assert.ok(knob.accepts(knob.default), name);
    for (const part of [knob.about, knob.range, knob.reason]) assert.match(part, /\S.*[^.]$/s, `${name}: "${part}"`);
  }
});

test("knobs: each stands in one group", () => {
  assert.deepEqual(Object.values(knobGroups).flatMap(Object.keys), Object.keys(knobs));
});

test("TrainingConfig is what the table of knobs makes (else run make-training-config)", () => {
  assert.equal(readFileSync(typeFile, "utf8"), trainingConfigType());
});

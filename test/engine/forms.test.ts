import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { chooseEngine } from "../../src/engine/choose.js";
import { findTensorFlow } from "../../src/engine/find.js";
import { chooseForm, recordForms } from "../../src/engine/forms.js";

test("chooseForm() takes what was measured faster here, for each precision, and says so", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "fledge-forms-"));
  t.after(() => rm(folder, { recursive: true }));
  const environment = { FLEDGE_CACHE: join(folder, "cache") };
  const unmeasured = { form: "graph", because: "graph form, nothing else was measured here" };
  assert.deepEqual(chooseForm(environment, "float32"), unmeasured);
  recordForms(environment, "float32", { graph: 0.33, xla: 0.31 });
  recordForms(environment, "bfloat16", { graph: 0.2, xla: 0.25 });
  assert.deepEqual(chooseForm(environment, "float32"), {
    form: "xla",
    because: "xla form, measured here: 0.310 s a step against 0.330",
  });
  assert.equal(chooseForm(environment, "bfloat16").form, "graph");
  if (findTensorFlow()) {
    const { engine, reason } = await chooseEngine({ engine: "tensorflow", mixedPrecision: false, environment });
    assert.match(
      reason,
      /compiled by XLA \(forced; mixed precision off; .*; xla form, measured here: 0\.310 s a step against 0\.330\)$/,
    );
    await engine.dispose();
  }
  await writeFile(join(folder, "cache", "forms.json"), "{ damaged");
  assert.deepEqual(chooseForm(environment, "float32"), unmeasured);
});

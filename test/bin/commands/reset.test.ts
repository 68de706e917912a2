import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { reset, resetOutputs } from "../../../bin/commands/reset.js";

const scratch = mkdtempSync(join(tmpdir(), "fledge-reset-"));
after(() => rmSync(scratch, { recursive: true }));

function outputs(): string {
  const folder = join(scratch, "output");
  mkdirSync(join(folder, "final_model"), { recursive: true });
  writeFileSync(join(folder, "final_model", "config.json"), "{}");
  return folder;
}

test("fledge reset deletes the outputs after a yes, and keeps them after anything else", async () => {
  const folder = outputs();
  for (const answer of ["", "n", "yesterday"]) {
    assert.equal(await resetOutputs(folder, async () => answer), 1);
    assert.ok(existsSync(join(folder, "final_model", "config.json")), answer);
  }
  assert.equal(await resetOutputs(folder, async () => "Yes"), 0);
  assert.equal(existsSync(folder), false);
  assert.equal(await resetOutputs(folder, () => assert.fail("nothing to ask")), 0);
});

test("fledge reset refuses an option that it does not know", async () => {
  await assert.rejects(reset.run(["--all"]), {
    name: "RangeError",
    message: "Cannot use --all: no such option, expected --yes. Fix: run `fledge reset`, or `fledge reset --yes`.",
  });
});

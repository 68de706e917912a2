/** A model that is disposed of while it writes: its calls end with a sentence, and the process lives. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { packageRoot } from "../../src/paths.js";
import { openForTest } from "../engines.js";

// Rounds: without the engine's own check, 10 on TensorFlow took the process down.
for (const [name, rounds] of [["tensorflow", 10] as const, ["pjrt", 3] as const, ["wasm", 2] as const]) {
  test(`TextModel.dispose() while texts are written ends them with a sentence, on ${name}`, async (context) => {
    const opened = await openForTest(name);
    if (typeof opened === "string") return context.skip(opened);
    await opened.dispose();
    const child = join(packageRoot(), "dist/test/generate/dispose-process.js");
    const { stdout } = await promisify(execFile)(process.execPath, [child, name, String(rounds)]);
    const { finished = 0, ...others } = JSON.parse(stdout) as Record<string, number>;
    const message =
      "Cannot run a step: an engine that was disposed, expected an open one. Fix: open a new engine with chooseEngine().";
    const cut = others[message] ?? 0;
    assert.deepEqual(Object.keys(others), [message]);
    assert.equal(finished + cut, 6 * rounds);
  });
}

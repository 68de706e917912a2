/** Calls into C libraries. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";

test("a call off the main thread has the stack of a thread: XLA's compiler for GPUs needs more than koffi gives", {
  skip: process.platform === "linux" ? false : "glibc's regcomp is what takes the stack",
}, () => {
  const script = join(packageRoot(), "dist/test/engine/native-process.js");
  assert.equal(execFileSync(process.execPath, [script], { encoding: "utf8" }), "0\n");
});

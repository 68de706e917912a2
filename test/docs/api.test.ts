/** The API reference can be made from the doc blocks of what src/index.ts exports, without one warning. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { packageRoot } from "../../src/paths.js";

test("every export has a doc block, and every link and parameter in one leads somewhere", () => {
  const root = packageRoot();
  const program = join(root, "node_modules", "typedoc", "bin", "typedoc");
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, "--emit", "none"], {
    cwd: root,
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout + stderr);
});

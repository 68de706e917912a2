import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { installKernel } from "../../kernel/install.js";
import { packageRoot } from "../../src/paths.js";

const python = join(packageRoot(), ".venv", "bin", "python");
const skip = !existsSync(python)
  ? "no .venv: npm run setup makes it"
  : spawnSync(python, ["-c", "import jupyter_kernel_test"]).status !== 0
    ? "the .venv has no jupyter_kernel_test: .venv/bin/python -m pip install -r requirements-test.txt"
    : false;

test("installKernel() makes a kernel that passes all of Jupyter's own jupyter_kernel_test", { skip }, () => {
  const dataDir = mkdtempSync(join(tmpdir(), "fledge-suite-"));
  try {
    installKernel({ dataDir });
    // -B: no compiled file beside the suite. Its report goes to stderr.
    const { status, stdout, stderr, error } = spawnSync(
      python,
      ["-B", "-m", "unittest", "-v", "jupyter_kernel_suite"],
      {
        cwd: join(packageRoot(), "test", "kernel"),
        env: { ...process.env, JUPYTER_PATH: dataDir, JUPYTER_RUNTIME_DIR: join(dataDir, "runtime") },
        encoding: "utf8",
        timeout: 180_000,
      },
    );
    const said = `${stdout}${stderr}${error ?? ""}`;
    assert.equal(status, 0, said);
    assert.equal(said.match(/^test_.* \(.*KernelTests.*\) \.\.\. ok$/gm)?.length, 12, said);
    assert.equal(said.match(/^test_.* \(.*WelcomeTests.*\) \.\.\. ok$/gm)?.length, 1, said);
    assert.match(said, /^Ran 13 tests in .*\n\nOK$/m, said); // "OK (skipped=1)" would not do
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

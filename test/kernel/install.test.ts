import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { readConnectionFile } from "../../kernel/connection.js";
import { installKernel, userDataFolder } from "../../kernel/install.js";

test("installKernel() writes the kernelspec and the Plotly renderer, twice with the same result", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "fledge-install-"));
  try {
    const written = installKernel({ dataDir });
    assert.deepEqual(installKernel({ dataDir }), written);
    assert.deepEqual(
      written.map((path) => path.slice(dataDir.length + 1)),
      [
        "kernels/fledge/kernel.json",
        "kernels/fledge-tslab/kernel.json",
        "labextensions/fledge-plotly/package.json",
        "labextensions/fledge-plotly/static/remoteEntry.js",
        "labextensions/fledge-plotly/static/plotly.min.js",
      ],
    );
    const spec = JSON.parse(readFileSync(written[0] ?? "", "utf8"));
    assert.equal(spec.display_name, "TypeScript (Fledge)");
    assert.equal(spec.language, "typescript");
    assert.equal(spec.interrupt_mode, "message");
    assert.equal(spec.argv.at(-1), "{connection_file}");
    assert.ok(existsSync(spec.argv[0]) && existsSync(spec.argv[1]));
    const tslab = JSON.parse(readFileSync(written[1] ?? "", "utf8"));
    assert.ok(tslab.argv.slice(2, 4).every(existsSync), tslab.argv);
    const extension = JSON.parse(readFileSync(written[2] ?? "", "utf8"));
    assert.equal(extension.jupyterlab._build.load, "static/remoteEntry.js");
    assert.ok(statSync(written[4] ?? "").size > 1e6);
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("installKernel() names the file that it cannot write", () => {
  const dataDir = mkdtempSync(join(tmpdir(), "fledge-install-"));
  try {
    writeFileSync(join(dataDir, "kernels"), "a file where a folder must be");
    assert.throws(
      () => installKernel({ dataDir }),
      /^Error: Cannot write ".*kernel\.json": .*, expected a writable Jupyter data folder\. Fix: choose a folder that you may write to, with --user or --prefix\.$/,
    );
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
});

test("userDataFolder() is where Jupyter looks", () => {
  assert.match(userDataFolder(), /[jJ]upyter/);
});

test("readConnectionFile() says what is wrong with its argument", () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-connection-"));
  try {
    const path = join(folder, "connection.json");
    assert.throws(
      () => readConnectionFile(undefined),
      /^Error: Cannot start the kernel: no argument, expected the path/,
    );
    assert.throws(
      () => readConnectionFile(path),
      /^Error: Cannot start the kernel: no readable file ".*", expected a conn/,
    );
    writeFileSync(path, "{}");
    assert.throws(
      () => readConnectionFile(path),
      /^SyntaxError: Cannot start the kernel: ".*" is no connection file, /,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

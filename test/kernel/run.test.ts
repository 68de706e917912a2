import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { installKernel } from "../../kernel/install.js";
import type { Cell, Notebook } from "../../kernel/notebook.js";
import { describeFailure, runNotebook } from "../../kernel/run.js";
import { packageRoot } from "../../src/paths.js";

const run = promisify(execFile);
const RUN_SCRIPT = fileURLToPath(new URL("../../kernel/run.js", import.meta.url));

async function withFolder(use: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "fledge-run-"));
  try {
    await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeCells(path: string, cells: readonly (string | Partial<Cell>)[]): void {
  const whole = cells.map((cell, index) => ({
    id: `cell-${index}`,
    cell_type: "code",
    metadata: {},
    outputs: [],
    execution_count: null,
    ...(typeof cell === "string" ? { source: cell } : cell),
  }));
  writeFileSync(path, JSON.stringify({ cells: whole, metadata: {}, nbformat: 4, nbformat_minor: 5 }));
}

const read = (path: string): Notebook => JSON.parse(readFileSync(path, "utf8"));

const SHOW =
  'const show = (globalThis as unknown as Record<symbol, (bundle: object, options?: object) => void>)[Symbol.for("fledge.display")]!;';

test("runNotebook() runs every code cell, stores outputs and times", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "a.ipynb");
    const outputPath = join(folder, "out", "a.ipynb");
    writeCells(path, [
      { cell_type: "markdown", source: "# Title" },
      "const a = 1;\nconsole.log('one'); console.log('two'); a",
      `${SHOW} show({ "text/plain": "step 0" }, { displayId: "p" });`,
      "for (let i = 1; i <= 3; i++) show({ 'text/plain': 'step ' + i, 'image/svg+xml': '<svg>\\n</svg>' }, { displayId: 'p', update: true });",
      "process.stdout.write('10 %\\r20 %\\r'); process.stdout.write('30 %\\n'); console.error('e');",
      { source: "throw new Error('meant')", metadata: { tags: ["raises-exception"] } },
      { source: "process.exit(1)", metadata: { tags: ["skip-execution"] } },
      "process.env.FLEDGE_TEST",
    ]);
    const seen: number[] = [];
    const report = await runNotebook(path, {
      outputPath,
      environment: { ...process.env, FLEDGE_TEST: "passed on" },
      onCell: ({ index }, cellCount) => {
        seen.push(index);
        assert.equal(cellCount, 7);
        assert.ok(existsSync(outputPath));
      },
    });
    assert.equal(report.failure, undefined);
    assert.deepEqual(seen, [1, 2, 3, 4, 5, 7]);
    assert.deepEqual(
      report.cells.map(({ status }) => status),
      ["ok", "ok", "ok", "ok", "expected error", "ok"],
    );
    assert.ok(report.cells.every(({ seconds }) => seconds > 0));
    assert.ok((report.peakMemoryBytes ?? 0) > 2e7);
    const { cells, metadata, nbformat_minor } = read(outputPath);
    assert.equal(nbformat_minor, 5);
    assert.equal((metadata.kernelspec as { name: string }).name, "fledge");
    assert.deepEqual(cells[1]?.outputs, [
      { output_type: "stream", name: "stdout", text: ["one\n", "two\n"] },
      { output_type: "execute_result", data: { "text/plain": ["1"] }, metadata: {}, execution_count: 1 },
    ]);
    assert.deepEqual(cells[2]?.outputs, [
      {
        output_type: "display_data",
        data: { "text/plain": ["step 3"], "image/svg+xml": ["<svg>\n", "</svg>"] },
        metadata: {},
      },
    ]);
    assert.deepEqual(cells[4]?.outputs, [
      { output_type: "stream", name: "stdout", text: ["30 %\n"] },
      { output_type: "stream", name: "stderr", text: ["e\n"] },
    ]);
    assert.equal(cells[5]?.outputs?.[0]?.ename, "Error");
    assert.deepEqual(cells[6]?.outputs, []);
    assert.deepEqual(cells[7]?.outputs?.[0]?.data, { "text/plain": ["'passed on'"] });
    assert.deepEqual(readdirSync(join(folder, "out")), ["a.ipynb"]);
  });
});

test("runNotebook() stops at the first error and shows the cell", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "bad.ipynb");
    const outputPath = join(folder, "out.ipynb");
    writeCells(path, ["1", "const b = 2;\nthrow new Error('broken');", "console.log('never')"]);
    const { failure, cells } = await runNotebook(path, { outputPath });
    assert.equal(failure?.ename, "Error");
    assert.deepEqual(
      cells.map(({ status }) => status),
      ["ok", "error"],
    );
    const text = describeFailure(path, failure);
    assert.match(
      text,
      /^bad\.ipynb, cell 2 failed:\n\n {4}1 \| const b = 2;\n {4}2 \| throw new Error\('broken'\);\n\nError: broken\n/,
    );
    assert.match(text, /> 2 \| throw new Error/);
    assert.equal(read(outputPath).cells[1]?.outputs?.[0]?.output_type, "error");
    assert.deepEqual(read(outputPath).cells[2]?.outputs, []);
  });
});

test("runNotebook() ends a cell that takes too long", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "slow.ipynb");
    const outputPath = join(folder, "out.ipynb");
    writeCells(path, ["let n = 0; console.log('kept'); while (true) n++;"]);
    const { failure } = await runNotebook(path, { outputPath, cellTimeoutSeconds: 2 });
    assert.deepEqual([failure?.ename, failure?.evalue], ["Timeout", "the cell took longer than 2 s"]);
    const [stream, keyboardInterrupt, timeout] = read(outputPath).cells[0]?.outputs ?? [];
    assert.deepEqual(stream?.text, ["kept\n"]);
    assert.deepEqual([keyboardInterrupt?.ename, timeout?.ename], ["KeyboardInterrupt", "Timeout"]);
  });
});

test("runNotebook() notices a kernel that died", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "dead.ipynb");
    const outputPath = join(folder, "out.ipynb");
    writeCells(path, ["1", "process.kill(process.ppid, 'SIGKILL'); await new Promise(() => undefined);"]);
    const { failure } = await runNotebook(path, { outputPath });
    assert.equal(failure?.ename, "KernelDied");
    assert.match(
      String(failure?.evalue),
      /^Cannot go on with the kernel: its process ended \(signal SIGKILL\), expected a running kernel\. Fix: /,
    );
    assert.equal(read(outputPath).cells[1]?.outputs?.[0]?.ename, "KernelDied");
  });
});

test("runNotebook() refuses what is no notebook and leaves the output alone", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "x.ipynb");
    const outputPath = join(folder, "out.ipynb");
    const refuse = (name: string, message: RegExp) =>
      assert.rejects(
        runNotebook(path, { outputPath }),
        (error: Error) => error.name === name && message.test(error.message),
      );
    await refuse(
      "Error",
      /^Cannot read notebook ".*x\.ipynb": no readable file, expected a notebook\. Fix: give the path/,
    );
    writeFileSync(path, "{");
    await refuse(
      "SyntaxError",
      /: text that is not JSON, expected a notebook\. Fix: open it in JupyterLab and save it again\.$/,
    );
    writeFileSync(path, '{"cells": [], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}');
    await refuse("SyntaxError", /: JSON without cells of format 4, expected nbformat 4\./);
    assert.equal(existsSync(outputPath), false);
  });
});

test("run.js runs notebooks from the command line and fails with the cell", async () => {
  await withFolder(async (folder) => {
    writeCells(join(folder, "good.ipynb"), ["1 + 1"]);
    writeCells(join(folder, "bad.ipynb"), ["null.x"]);
    const good = await run(process.execPath, [
      RUN_SCRIPT,
      join(folder, "good.ipynb"),
      "--output-dir",
      join(folder, "o"),
    ]);
    assert.match(
      good.stdout,
      /cell 1: \d+\.\d s, ok {2}1 \+ 1\n {2}\d+\.\d s, peak memory \d\.\d\d GB, saved as .*good\.ipynb/,
    );
    await assert.rejects(
      run(process.execPath, [RUN_SCRIPT, join(folder, "bad.ipynb"), "--output-dir", join(folder, "o")]),
      (error: Error & { code?: number; stderr?: string }) =>
        error.code === 1 && /bad\.ipynb, cell 1 failed:.*TS18050/s.test(error.stderr ?? ""),
    );
    await assert.rejects(
      run(process.execPath, [RUN_SCRIPT]),
      /Cannot run notebooks: no arguments, expected notebooks, --output-dir and a --timeout above 0 s\. Fix: node/,
    );
  });
});

test("nbclient runs a notebook on the installed kernel", async (t) => {
  const jupyter = join(packageRoot(), ".venv", "bin", "jupyter");
  if (!existsSync(jupyter)) {
    t.skip("needs .venv with nbclient: run `npm run setup`");
    return;
  }
  await withFolder(async (folder) => {
    const path = join(folder, "a.ipynb");
    mkdirSync(join(folder, "data"));
    installKernel({ dataDir: join(folder, "data") });
    writeCells(path, ["const a: number = 20;", "for (let i = 0; i < 600; i++) console.log(i);", "a + 1"]);
    const environment = { ...process.env, JUPYTER_PATH: join(folder, "data") };
    await run(jupyter, ["execute", "--kernel_name=fledge", "--inplace", path], { env: environment, timeout: 120_000 });
    const { cells } = read(path);
    assert.deepEqual(cells[2]?.outputs?.[0]?.data, { "text/plain": ["21"] });
    const printed = cells[1]?.outputs?.flatMap(({ text }) => text as string[]).join("");
    assert.equal(printed, Array.from({ length: 600 }, (_, i) => `${i}\n`).join(""));

    // An error that a tag or an option allows does not end the run, and aborts nothing behind it.
    const goesOn = async (first: string | Partial<Cell>, ...options: string[]) => {
      writeCells(path, [first, "'went on'"]);
      await run(jupyter, ["execute", "--kernel_name=fledge", "--inplace", ...options, path], {
        env: environment,
        timeout: 120_000,
      });
      const [failed, next] = read(path).cells;
      assert.equal(failed?.outputs?.[0]?.evalue, "meant");
      assert.deepEqual(next?.outputs?.[0]?.data, { "text/plain": ["'went on'"] });
    };
    const failing = "throw new Error('meant')";
    await goesOn({ source: failing, metadata: { tags: ["raises-exception"] } });
    await goesOn(failing, "--allow-errors");
    await assert.rejects(goesOn(failing), /Error: meant/);
  });
});

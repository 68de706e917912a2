/**
 * The course, run for real in quick mode: all six notebooks in order through our kernel, in a copy of the folder; the worked
 * solutions; then all six through nbclient, as other people's tools run notebooks.
 */
import { equal, ok } from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { promisify } from "node:util";
import { installKernel } from "../../kernel/install.js";
import { readNotebook } from "../../kernel/notebook.js";
import { describeFailure, runNotebook } from "../../kernel/run.js";
import { packageRoot } from "../../src/paths.js";
import { readRunLog } from "../../src/train/run-log.js";
import { copyCourse, courseFolder, notebookNames, quickEnvironment, solutionNames } from "./course.js";

describe("the course, all notebooks in order through our kernel", () => {
  const folder = copyCourse();
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const name of notebookNames) {
    test(`${name} runs from its first cell to its last`, async () => {
      const outputPath = join(folder, "executed", name);
      const report = await runNotebook(join(folder, name), { outputPath, environment: quickEnvironment });
      ok(!report.failure, report.failure && describeFailure(name, report.failure));
      const { cells } = await readNotebook(outputPath);
      const code = cells.filter((cell) => cell.cell_type === "code");
      equal(report.cells.length, code.length);
      for (const cell of code) ok(typeof cell.execution_count === "number", `cell ${cell.id} was not run`);
    });
  }

  test("04-train.ipynb leaves a whole model folder with its plots", () => {
    const model = join(folder, "output", "final_model");
    const files = ["config.json", "model.safetensors", "tokenizer.json", "training_plot.png", "training_plot.html"];
    for (const file of files) ok(statSync(join(model, file)).size > 0, file);
    equal(readFileSync(join(model, "training_plot.png")).subarray(1, 4).toString("latin1"), "PNG");
  });

  test("04-train.ipynb lowers the validation loss of the base model", async () => {
    const events = await readRunLog(join(folder, "output", "gpt2_finetuned"));
    const finish = events.find((event) => event.type === "finish");
    ok(finish, "the run has finished");
    const { baseValidationLoss, bestValidationLoss } = finish;
    ok(bestValidationLoss < baseValidationLoss - 0.1, `${baseValidationLoss} → ${bestValidationLoss}`);
  });

  test("05-evaluate.ipynb says which notebook to run when there is no model", async () => {
    rmSync(join(folder, "output"), { recursive: true });
    const outputPath = join(folder, "executed", "without-model.ipynb");
    const { failure } = await runNotebook(join(folder, "05-evaluate.ipynb"), {
      outputPath,
      environment: quickEnvironment,
    });
    equal(failure?.evalue, "There is no trained model yet. Fix: run notebook 4 first.");
  });
});

describe("the worked solutions through our kernel", () => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-solutions-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const name of solutionNames) {
    test(`solutions/${name} gives only right answers`, async () => {
      cpSync(join(courseFolder, "solutions", name), join(folder, name));
      const outputPath = join(folder, "executed", name);
      const { failure } = await runNotebook(join(folder, name), { outputPath, environment: quickEnvironment });
      ok(!failure, failure && describeFailure(name, failure));
    });
  }
});

describe("the course through nbclient", () => {
  const jupyter = join(packageRoot(), ".venv", "bin", "jupyter");
  const skip = existsSync(jupyter) ? false : `no ${jupyter}: run \`npm run setup\` to have JupyterLab and nbclient`;
  const folder = copyCourse();
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const name of notebookNames) {
    test(`${name} runs under jupyter execute`, { skip }, async () => {
      const dataDir = join(folder, "jupyter");
      installKernel({ dataDir });
      const environment = { ...quickEnvironment, JUPYTER_PATH: dataDir, JUPYTER_RUNTIME_DIR: join(folder, "runtime") };
      const options = ["--kernel_name=fledge", "--inplace", "--timeout=300"];
      await promisify(execFile)(jupyter, ["execute", ...options, join(folder, name)], {
        env: environment,
        timeout: 300_000,
      });
      const { cells } = await readNotebook(join(folder, name));
      const code = cells.filter((cell) => cell.cell_type === "code");
      for (const cell of code) ok(typeof cell.execution_count === "number", `cell ${cell.id} was not run`);
    });
  }
});

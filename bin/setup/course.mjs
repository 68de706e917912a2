// @ts-check
/**
 * Runs the notebooks of the course in order, headless, and says at the end what took how long and where everything lies. In:
 * options. Out: exit code; executed copies in notebooks/output/executed/. The notebooks themselves are changed only by --store. How
 * a notebook is run is the business of kernel/run.ts, in a process of its own (notebook-worker.mjs).
 */

import { spawn } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { SetupError } from "./problem.mjs";
import { createProgress, seconds } from "./progress.mjs";

/**
 * @typedef {object} NotebookRow
 * @property {string} name
 * @property {number} milliseconds
 * @property {number} [peakBytes] peak memory of the session, where it is known
 * @property {boolean} failed
 */

/**
 * @typedef {object} NotebookResult what notebook-worker.mjs sends when a notebook has ended
 * @property {number} seconds
 * @property {number} [peakMemoryBytes]
 * @property {string} [failure] the failing cell with its error, ready to print
 */

/**
 * @typedef {object} Course
 * @property {string} root
 * @property {readonly string[]} args
 * @property {AbortSignal} signal ends the running notebook, its kernel and all that the kernel started
 * @property {import("./progress.mjs").Stream} out
 */

/**
 * Runs the course.
 *
 * @param {Course} course
 * @returns {Promise<number>} 0 when every cell of every notebook ran, else 1
 * @throws {SetupError} for an unknown option, or when no notebook has the wanted name
 */
export async function runCourse({ root, args, signal, out }) {
  const { quick, only, store } = courseOptions(args);
  const folder = join(root, "notebooks");
  const executed = join(folder, "output", "executed");
  const notebooks = courseNotebooks(folder, only);
  const since = Date.now();
  out.write(`Running ${notebooks.length} notebooks${quick ? " in quick mode" : ""}\n`);
  const { step } = createProgress(out, notebooks.length);
  /** @type {NotebookRow[]} */
  const rows = [];
  let failure = "";
  for (const path of notebooks) {
    if (failure) break;
    const name = basename(path);
    await step(name, async (onLine) => {
      const result = await runNotebook({ path, outputPath: join(executed, name), quick, signal, onLine });
      failure = result.failure ?? "";
      rows.push({
        name,
        milliseconds: result.seconds * 1000,
        ...(result.peakMemoryBytes && { peakBytes: result.peakMemoryBytes }),
        failed: failure !== "",
      });
      return `${seconds(result.seconds * 1000)}${signal.aborted ? ", stopped" : failure ? ", failed" : ""}`;
    });
    if (signal.aborted) return 130; // bootstrap.mjs has said that it stops.
  }
  if (failure) out.write(`\n${failure}\n`);
  if (store && !failure) {
    const { storeOutputs } = await import("../../dist/kernel/store.js");
    for (const path of notebooks) {
      const bytes = await storeOutputs(path, join(executed, basename(path)), root);
      out.write(`Stored in ${relative(root, path)}: ${(bytes / 1000).toFixed(0)} kB of outputs\n`);
    }
  }
  const { models, plots } = findResults(folder, since);
  const list = (/** @type {string[]} */ paths) =>
    paths.map((path) => `  ${relative(root, path)}\n`).join("") || "  none\n";
  out.write(`\n${formatTable(rows)}`);
  out.write(`\nModels\n${list(models)}Plots\n${list(plots)}Executed notebooks\n${list([executed])}`);
  return failure ? 1 : 0;
}

/**
 * Runs one notebook in a process group of its own, so that stopping it leaves no kernel behind.
 *
 * @param {{ path: string, outputPath: string, quick: boolean, signal: AbortSignal, onLine: (line: string) => void }} notebook
 * @returns {Promise<NotebookResult>}
 */
function runNotebook({ path, outputPath, quick, signal, onLine }) {
  const started = Date.now();
  const worker = fileURLToPath(new URL("./notebook-worker.mjs", import.meta.url));
  const isWindows = process.platform === "win32";
  const child = spawn(process.execPath, [worker, path, outputPath], {
    env: quick ? { ...process.env, FLEDGE_QUICK: "1" } : process.env,
    stdio: ["ignore", "inherit", "inherit", "ipc"],
    detached: !isWindows,
  });
  const stop = () => {
    if (isWindows || child.pid === undefined) child.kill();
    else process.kill(-child.pid, "SIGKILL");
  };
  signal.addEventListener("abort", stop, { once: true });
  return new Promise((resolve, reject) => {
    /** @type {NotebookResult | undefined} */
    let result;
    child.on("message", (message) => {
      if (typeof message === "string") onLine(message);
      else result = /** @type {NotebookResult} */ (message);
    });
    child.once("error", reject);
    child.once("close", (code, name) => {
      signal.removeEventListener("abort", stop);
      const failure = `${basename(path)}: the process that ran it ended early (${name ?? `exit code ${code}`}).`;
      resolve(result ?? { seconds: (Date.now() - started) / 1000, failure });
    });
  });
}

/**
 * Reads the options of `npm run course`.
 *
 * @param {readonly string[]} args
 * @returns {{ quick: boolean, only: string[], store: boolean }} `only`: texts, one of which a notebook's name must contain; empty
 *   for all. `store`: whether the notebooks keep their outputs
 * @throws {SetupError} for an unknown option, and for the outputs of tiny runs in the notebooks
 */
export function courseOptions(args) {
  const options = { quick: false, only: /** @type {string[]} */ ([]), store: false };
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    const value = args[index + 1];
    if (argument === "--quick") options.quick = true;
    else if (argument === "--store") options.store = true;
    else if (argument === "--only" && value !== undefined && !value.startsWith("-")) {
      options.only.push(value);
      index += 1;
    } else if (/^\d+$/.test(argument)) options.only.push(argument);
    else {
      throw new SetupError({
        cannot: "run the course",
        found: `the option ${argument}`,
        expected: "--quick, --only NAME or --store",
        fix: "run `npm run course -- --only 04`, or without options for all notebooks",
      });
    }
  }
  if (options.quick && options.store) {
    throw new SetupError({
      cannot: "store outputs",
      found: "--quick beside --store",
      expected: "the outputs of real runs in the notebooks",
      fix: "leave out --quick",
    });
  }
  return options;
}

/**
 * The notebooks in the order of their numbers.
 *
 * @param {string} folder
 * @param {readonly string[]} only
 * @returns {string[]} paths
 * @throws {SetupError} when there is none
 */
export function courseNotebooks(folder, only) {
  const names = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => /^\d\d-.*\.ipynb$/.test(name))
        .sort()
    : [];
  const chosen = names.filter((name) => only.length === 0 || only.some((text) => name.includes(text)));
  if (chosen.length === 0) {
    throw new SetupError({
      cannot: "run the course",
      found: only.length > 0 ? `no notebook with ${only.join(" or ")} in its name` : `no notebooks in ${folder}`,
      expected: names.length > 0 ? `one of ${names.join(", ")}` : "01-….ipynb and those after it",
      fix: names.length > 0 ? "run `npm run course` without --only for all" : "run `git checkout notebooks`",
    });
  }
  return chosen.map((name) => join(folder, name));
}

/**
 * What the runs left behind.
 *
 * @param {string} folder searched to any depth
 * @param {number} since milliseconds since 1970; older files are someone else's
 * @returns {{ models: string[], plots: string[] }} model folders; plot files
 */
export function findResults(folder, since) {
  const results = { models: /** @type {string[]} */ ([]), plots: /** @type {string[]} */ ([]) };
  if (!existsSync(folder)) return results;
  for (const path of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const name = basename(path);
    const full = join(folder, path);
    if (path.includes(".ipynb_checkpoints") || statSync(full).mtimeMs < since) continue;
    const parent = join(full, "..");
    if (name === "model.safetensors" && existsSync(join(parent, "tokenizer.json"))) results.models.push(parent);
    if (/^training_plot\.(png|html)$/.test(name)) results.plots.push(full);
  }
  return results;
}

/**
 * @param {readonly NotebookRow[]} rows
 * @returns {string} one line a notebook and one for the sum
 */
export function formatTable(rows) {
  const width = Math.max(8, ...rows.map(({ name }) => name.length));
  const total = rows.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
  return [
    ["Notebook", "Time", "Peak memory"],
    ...rows.map(({ name, milliseconds, peakBytes, failed }) => [
      name,
      seconds(milliseconds),
      failed ? "failed" : peakBytes ? `${(peakBytes / 1e9).toFixed(1)} GB` : "",
    ]),
    ["Together", seconds(total), ""],
  ]
    .map(([name = "", time = "", memory = ""]) => `${name.padEnd(width)}  ${time.padStart(12)}  ${memory.padStart(12)}`)
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

// @ts-check
/**
 * Sets Fledge up in its own folder: Node packages, a Python environment, the compiled TypeScript, the Jupyter kernel. In: the
 * folder and whether the tests are wanted too. Out: everything installed inside that folder, nothing outside it. Each step
 * is skipped when it is already done, so running it twice is safe and takes a moment.
 */

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { hasNvidiaGpu, withCuda } from "./cuda.mjs";
import { explainFailure, lastLine } from "./failure.mjs";
import { withLock } from "./lock.mjs";
import { COURSE_DISK_BYTES, checkDisk, checkNode, TEST_DISK_BYTES } from "./machine.mjs";
import { SetupError } from "./problem.mjs";
import { createProgress } from "./progress.mjs";
import { findPython, venvJupyterData, venvPython } from "./python.mjs";
import { probe, runLogged } from "./run.mjs";
import { keyOfFiles, keyOfTree, nodePackagesMatch, readStamps, writeStamp } from "./stamp.mjs";

const DONE = "already done";
const SOURCES = ["src", "kernel", "bin", "test", "bench", "datasets", "models", "tsconfig.json", "package-lock.json"];

/**
 * @typedef {object} Setup
 * @property {string} root the folder that holds package.json
 * @property {boolean} withTests also install what the tests compare with
 * @property {AbortSignal} signal ends the running program when aborted
 * @property {import("./progress.mjs").Stream} out
 */

/**
 * Sets up, or finds that everything is there.
 *
 * @param {Setup} setup
 * @returns {Promise<void>}
 * @throws {SetupError} with the fix, when something is missing or fails
 */
export async function setUp(setup) {
  const { root, out } = setup;
  await withLock(
    join(root, ".fledge", "setup.lock"),
    async () => {
      out.write(`Setting up Fledge in ${root}\n`);
      const { step } = createProgress(out, 8);
      /** @type {import("./python.mjs").Python | undefined} */
      let python;
      await step("Node", () => checkNode(process.versions.node));
      await step("Python", () => {
        const version = venvVersion(root);
        if (version) return `${version} in .venv`;
        python = findPython({ platform: process.platform, env: process.env, probe });
        return `Python ${python.version} (${python.executable})`;
      });
      await step("Disk", () => diskStep(setup));
      await step("Node packages (npm ci)", (onLine) => nodeStep(setup, onLine));
      await step("Python environment (.venv)", (onLine) => (python ? venvStep(setup, python, onLine) : DONE));
      await step("Python packages (pip install)", (onLine) => pipStep(setup, onLine));
      await step("TypeScript (tsc)", (onLine) => buildStep(setup, onLine));
      await step("Jupyter kernel", (onLine) => kernelStep(setup, onLine));
    },
    { onWait: (owner) => out.write(`Another set-up (process ${owner}) is at work here: waiting for it to end.\n`) },
  );
}

/**
 * @param {string} root
 * @returns {string | undefined} "Python 3.11.7", or nothing when .venv is missing or its Python and pip do not run any more
 */
function venvVersion(root) {
  const venv = join(root, ".venv");
  const python = venvPython(venv, process.platform);
  if (!existsSync(python) || !probe(python, ["-m", "pip", "--version"]).ok) return undefined;
  return `Python ${/^version\w* *= *([\d.]+)/m.exec(readFileSync(join(venv, "pyvenv.cfg"), "utf8"))?.[1] ?? "3"}`;
}

/** @param {Setup} setup */
async function diskStep(setup) {
  const { root, withTests } = setup;
  if (nodePackagesMatch(root) && readStamps(stampFile(root)).python === pipKey(setup)) return DONE;
  const { bavail, bsize } = await statfs(root);
  const neededBytes = withTests ? TEST_DISK_BYTES : COURSE_DISK_BYTES;
  return checkDisk({ freeBytes: bavail * bsize, neededBytes, folder: root });
}

/**
 * @param {Setup} setup
 * @param {import("./progress.mjs").OnLine} onLine
 */
async function nodeStep({ root, signal }, onLine) {
  if (nodePackagesMatch(root)) return DONE;
  const { command, args } = npmCommand(process);
  const logFile = logPath(root, "npm");
  // NODE_ENV=production would leave out the compiler's types; scripts stay off whatever the user's own npm says.
  const install = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-fund", "--no-audit"];
  const { code, output } = await runLogged(command, [...args, ...install], {
    cwd: root,
    logFile,
    signal,
    onLine: (line) => line.startsWith("npm warn") || onLine(line),
  });
  if (code !== 0) throw explainFailure("npm", output, relative(root, logFile));
  return "";
}

/**
 * How npm is started without a shell.
 *
 * @param {{ env: NodeJS.ProcessEnv, execPath: string, platform: NodeJS.Platform }} process
 * @returns {{ command: string, args: string[] }} node with npm's own script where it is found, else "npm" from the PATH
 */
export function npmCommand({ env, execPath, platform }) {
  const bin = dirname(execPath);
  const scripts = [
    env.npm_execpath ?? "",
    join(bin, "node_modules", "npm", "bin", "npm-cli.js"),
    join(bin, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ];
  const script = scripts.find((path) => path.endsWith("npm-cli.js") && existsSync(path));
  if (script) return { command: execPath, args: [script] };
  return { command: platform === "win32" ? "npm.cmd" : "npm", args: [] };
}

/**
 * @param {Setup} setup
 * @param {import("./python.mjs").Python} python
 * @param {import("./progress.mjs").OnLine} onLine
 */
async function venvStep({ root, signal }, python, onLine) {
  const logFile = logPath(root, "venv");
  const args = [...python.args, "-m", "venv", "--clear", ".venv"];
  const { code, output } = await runLogged(python.command, args, { cwd: root, logFile, signal, onLine });
  if (code !== 0) {
    throw new SetupError({
      cannot: "make the Python environment .venv",
      found: lastLine(output),
      expected: "`python -m venv .venv` to succeed",
      fix: `read ${relative(root, logFile)}, on Debian or Ubuntu run \`sudo apt install python3-venv\`, and run the command again`,
    });
  }
  return "";
}

/**
 * @param {Setup} setup
 * @param {import("./progress.mjs").OnLine} onLine
 */
async function pipStep(setup, onLine) {
  const { root, signal } = setup;
  const stamp = readStamps(stampFile(root)).python;
  // What the tests need includes all that the course needs.
  if (stamp === pipKey(setup) || stamp === pipKey({ root, withTests: true })) return DONE;
  const python = venvPython(join(root, ".venv"), process.platform);
  const logFile = logPath(root, "pip");
  const file = requirementsFile(setup);
  const options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--retries", "2"];
  const { code, output } = await runLogged(python, ["-m", "pip", "install", ...options, "-r", file], {
    cwd: root,
    env: { ...process.env, PIP_USER: "0", PYTHONNOUSERSITE: "1" },
    logFile,
    signal,
    onLine,
  });
  if (code !== 0) throw explainFailure("pip", output, relative(root, logFile));
  // JupyterLab starts CommonJS scripts in .venv with node, which would else see our "type": "module" above them.
  writeFileSync(join(root, ".venv", "package.json"), '{ "type": "commonjs" }\n');
  writeStamp(stampFile(root), "python", pipKey(setup));
  return "";
}

/**
 * What pip is given: the project's file, or on a machine with an NVIDIA GPU a copy of it with TensorFlow's CUDA build.
 *
 * @param {Pick<Setup, "root" | "withTests">} setup
 * @returns {string} relative to the root
 */
function requirementsFile({ root, withTests }) {
  const wanted = withTests ? "requirements-test.txt" : "requirements.txt";
  if (!hasNvidiaGpu()) return wanted;
  for (const file of ["requirements.txt", "requirements-test.txt"]) {
    writeFileSync(join(root, ".fledge", file), withCuda(readFileSync(join(root, file), "utf8")));
  }
  return join(".fledge", wanted);
}

/** @param {Pick<Setup, "root" | "withTests">} setup */
function pipKey({ root, withTests }) {
  const files = withTests ? ["requirements.txt", "requirements-test.txt"] : ["requirements.txt"];
  return keyOfFiles(
    files.map((file) => join(root, file)),
    [venvBirth(root), hasNvidiaGpu() ? "CUDA" : ""],
  );
}

// A new .venv is empty, so what was installed in the old one no longer counts.
/** @param {string} root */
function venvBirth(root) {
  return String(statSync(join(root, ".venv", "pyvenv.cfg"), { throwIfNoEntry: false })?.mtimeMs ?? "none");
}

/**
 * @param {Setup} setup
 * @param {import("./progress.mjs").OnLine} onLine
 */
async function buildStep({ root, signal, out }, onLine) {
  const key = keyOfTree(root, SOURCES, [".ts", ".json"]);
  if (readStamps(stampFile(root)).build === key && existsSync(join(root, "dist", ".tsbuildinfo"))) return DONE;
  const logFile = logPath(root, "tsc");
  const compiler = join("node_modules", "typescript", "bin", "tsc");
  const { code, output } = await runLogged(process.execPath, [compiler, "-p", "."], {
    cwd: root,
    logFile,
    signal,
    onLine,
  });
  if (code !== 0) {
    const errors = output.split("\n").filter((line) => line.includes("error TS"));
    out.write(`\n${errors.slice(0, 20).join("\n")}\n`);
    throw new SetupError({
      cannot: "compile the TypeScript sources",
      found: errors.length > 0 ? `${errors.length} type errors` : `tsc ended with code ${code}`,
      expected: "none",
      fix: `mend the lines above (all of them are in ${relative(root, logFile)}), or \`git checkout\` the files`,
    });
  }
  writeStamp(stampFile(root), "build", key);
  return "";
}

/**
 * @param {Setup} setup
 * @param {import("./progress.mjs").OnLine} onLine
 */
async function kernelStep({ root, signal }, onLine) {
  const dataDir = venvJupyterData(join(root, ".venv"));
  const stamps = readStamps(stampFile(root));
  const key = `${stamps.build} ${venvBirth(root)} ${process.execPath} ${root}`;
  if (stamps.kernel === key && existsSync(join(dataDir, "kernels", "fledge", "kernel.json"))) return DONE;
  const logFile = logPath(root, "kernel");
  const args = [join("dist", "bin", "fledge.js"), "kernel", "install", "--data-dir", dataDir];
  const { code, output } = await runLogged(process.execPath, args, { cwd: root, logFile, signal, onLine });
  if (code !== 0) {
    throw new SetupError({
      cannot: `install the Jupyter kernel in ${relative(root, dataDir)}`,
      found: lastLine(output),
      expected: "kernel.json written there",
      fix: `read ${relative(root, logFile)}, delete the folders .venv and dist, and run the command again`,
    });
  }
  quietLab(dataDir);
  writeStamp(stampFile(root), "kernel", key);
  return "";
}

/**
 * JupyterLab asks at its first start whether it may fetch news. Ours needs no network, so it need not ask.
 *
 * @param {string} dataDir
 */
function quietLab(dataDir) {
  const file = join(dataDir, "lab", "settings", "overrides.json");
  if (existsSync(file)) return;
  const settings = { "@jupyterlab/apputils-extension:notification": { fetchNews: "false", checkForUpdates: false } };
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(settings, null, 2)}\n`);
}

/** @param {string} root */
function stampFile(root) {
  return join(root, ".fledge", "setup.json");
}

/**
 * @param {string} root
 * @param {string} step
 */
function logPath(root, step) {
  return join(root, ".fledge", "logs", `${step}.log`);
}

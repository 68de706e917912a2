// @ts-check
/**
 * Finds a Python that can carry the course, and names the paths inside a virtual environment. In: platform, environment and
 * a way to ask a program a question (arguments, so that tests can describe other machines). Out: the command that starts
 * that Python, or a SetupError with the exact fix. Nothing is installed here.
 */

import { join, posix, win32 } from "node:path";
import { SetupError } from "./problem.mjs";

/** TensorFlow 2.21 is built for these minor versions of Python 3. */
export const PYTHON_MINORS = { first: 10, last: 13 };

const QUESTION = [
  "import json, platform, sys",
  "found = {'version': list(sys.version_info[:3]), 'executable': sys.executable, 'bits': 64 if sys.maxsize > 2**32 else 32, 'venv': True}",
  "try:",
  "    import venv, ensurepip",
  "except ImportError:",
  "    found['venv'] = False",
  "print(json.dumps(found))",
].join("\n");

/**
 * @typedef {object} Python
 * @property {string} command
 * @property {string[]} args before any others: ["-3"] for the Windows launcher
 * @property {string} version "3.11.7"
 * @property {string} executable what Python calls itself
 */

/**
 * @typedef {object} Machine
 * @property {NodeJS.Platform} platform
 * @property {NodeJS.ProcessEnv} env
 * @property {(command: string, args: readonly string[]) => import("./run.mjs").Probe} probe
 */

/**
 * The commands that may be a Python, best first.
 *
 * @param {Pick<Machine, "platform" | "env">} machine
 * @returns {{ command: string, args: string[] }[]} only FLEDGE_PYTHON when that is set
 */
export function pythonCandidates({ platform, env }) {
  if (env.FLEDGE_PYTHON) return [{ command: env.FLEDGE_PYTHON, args: [] }];
  const names = ["python3", "python"];
  for (let minor = PYTHON_MINORS.last; minor >= PYTHON_MINORS.first; minor--) names.push(`python3.${minor}`);
  const candidates = names.map((command) => ({ command, args: /** @type {string[]} */ ([]) }));
  if (platform !== "win32") return candidates;
  const launcher = [];
  for (let minor = PYTHON_MINORS.last; minor >= PYTHON_MINORS.first; minor--) {
    launcher.push({ command: "py", args: [`-3.${minor}`] });
  }
  return [{ command: "py", args: ["-3"] }, ...launcher, ...candidates];
}

/**
 * Finds the first Python that runs, is of a supported version, has 64 bits and can make a virtual environment. A command
 * that is there but fails (a pyenv shim of a version that is not active, the Windows store stub) is passed over.
 *
 * @param {Machine} machine
 * @returns {Python}
 * @throws {SetupError} when there is none
 */
export function findPython(machine) {
  /** @type {string[]} */
  const refused = [];
  let withoutVenv;
  for (const { command, args } of pythonCandidates(machine)) {
    const found = ask(machine, command, args);
    if (!found) continue;
    const version = found.version.join(".");
    const [major = 0, minor = 0] = found.version;
    if (major !== 3 || minor < PYTHON_MINORS.first || minor > PYTHON_MINORS.last) {
      refused.push(`Python ${version} (${command})`);
    } else if (found.bits !== 64) {
      refused.push(`a 32-bit Python ${version} (${command})`);
    } else if (!found.venv) {
      withoutVenv ??= { version, command };
    } else {
      return { command, args, version, executable: found.executable };
    }
  }
  if (withoutVenv) throw missingVenv(machine.platform, withoutVenv);
  throw missingPython(machine, [...new Set(refused)]);
}

/**
 * @param {Machine} machine
 * @param {string} command
 * @param {string[]} args
 * @returns {{ version: number[], executable: string, bits: number, venv: boolean } | undefined}
 */
function ask(machine, command, args) {
  const { ok, stdout } = machine.probe(command, [...args, "-c", QUESTION]);
  if (!ok) return undefined;
  try {
    return JSON.parse(stdout);
  } catch {
    return undefined; // Something of that name that is not Python.
  }
}

/**
 * @param {NodeJS.Platform} platform
 * @param {{ version: string, command: string }} python
 */
function missingVenv(platform, { version, command }) {
  const short = version.split(".").slice(0, 2).join(".");
  return new SetupError({
    cannot: "make a Python environment",
    found: `Python ${version} (${command}) without its venv and ensurepip modules`,
    expected: "a complete Python",
    fix:
      platform === "linux"
        ? `run \`sudo apt install python${short}-venv\` (Debian, Ubuntu; elsewhere the package that carries ensurepip) and run the command again`
        : "install Python again from https://www.python.org and run the command again",
  });
}

/**
 * @param {Machine} machine
 * @param {string[]} refused
 */
function missingPython({ platform, env }, refused) {
  const range = `3.${PYTHON_MINORS.first} to 3.${PYTHON_MINORS.last}`;
  /** @type {Partial<Record<NodeJS.Platform, string>>} */
  const installs = {
    linux: "run `sudo apt install python3 python3-venv` (Debian, Ubuntu) or `sudo dnf install python3.12` (Fedora)",
    darwin: "run `brew install python@3.12`",
    win32: "run `winget install Python.Python.3.12`",
  };
  const install = installs[platform] ?? "install Python 3.12 from https://www.python.org";
  const forced = env.FLEDGE_PYTHON;
  return new SetupError({
    cannot: forced ? `use FLEDGE_PYTHON=${forced}` : "find Python",
    found: refused.length > 0 ? refused.join(", ") : forced ? "it does not run" : "none that runs",
    expected: `Python ${range}, 64-bit`,
    fix: forced
      ? "set FLEDGE_PYTHON to the full path of such a Python, or unset it to have one looked for"
      : `${install}, or set FLEDGE_PYTHON to the full path of one that is not on the PATH, and run the command again`,
  });
}

/**
 * The Python inside a virtual environment.
 *
 * @param {string} venv its folder
 * @param {NodeJS.Platform} platform
 * @returns {string} `.venv/bin/python`, or `.venv\Scripts\python.exe` on Windows
 */
export function venvPython(venv, platform) {
  return platform === "win32" ? win32.join(venv, "Scripts", "python.exe") : posix.join(venv, "bin", "python");
}

/**
 * Where Jupyter looks for kernels and extensions inside a virtual environment.
 *
 * @param {string} venv its folder
 * @returns {string} `.venv/share/jupyter` on every platform
 */
export function venvJupyterData(venv) {
  return join(venv, "share", "jupyter");
}

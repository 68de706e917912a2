// @ts-check
/**
 * Runs other programs. In: a command and its arguments. Out: its exit code and the end of what it printed; everything it
 * printed goes to a log file. Never through a shell, so paths with spaces stay whole. It judges nothing.
 */

import { spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdirSync } from "node:fs";
import { dirname } from "node:path";

const TAIL_CHARACTERS = 20_000;

/**
 * @typedef {object} Probe
 * @property {boolean} ok exit code 0 within the time limit
 * @property {string} stdout
 * @property {string} stderr
 */

/**
 * Asks a program a short question; a program that is missing, fails or takes longer than 15 s is not ok.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @returns {Probe}
 */
export function probe(command, args) {
  const result = spawnSync(command, args, { encoding: "utf8", timeout: 15_000, windowsHide: true });
  return { ok: result.status === 0, stdout: result.stdout ?? "", stderr: result.stderr ?? "" };
}

/**
 * @typedef {object} RunOptions
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} [env] default: this process' own
 * @property {string} logFile overwritten
 * @property {AbortSignal} [signal] ends the program when aborted
 * @property {(line: string) => void} [onLine] sees each line as it is printed
 */

/**
 * Runs a program to its end with its output captured.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} options
 * @returns {Promise<{ code: number, output: string }>} `output`: the last 20,000 characters of stdout and stderr together
 */
export function runLogged(command, args, { cwd, env = process.env, logFile, signal, onLine }) {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = createWriteStream(logFile);
  log.write(`$ ${[command, ...args].join(" ")}\n`);
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
      ...(signal && { signal }),
    });
    let output = "";
    const take = (/** @type {Buffer} */ data) => {
      const text = data.toString("utf8");
      log.write(text);
      output = (output + text).slice(-TAIL_CHARACTERS);
      for (const line of text.split(/\r?\n/)) if (line.trim() !== "") onLine?.(line.trim());
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (error) => take(Buffer.from(`${error.message}\n`)));
    // "close" also follows "error": with a negative code when the program could not be started.
    child.once("close", (code, signal) => {
      log.end(() => resolve({ code: code ?? (signal === "SIGINT" ? 130 : 1), output }));
    });
  });
}

/**
 * Runs a program in the foreground: it has the terminal, and a Ctrl-C goes to it, not to us.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv }} options
 * @returns {Promise<number>} its exit code; 130 when it was interrupted
 */
export function runForeground(command, args, { cwd, env = process.env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: "inherit" });
    const ignore = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    const done = () => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
    };
    child.once("error", (error) => {
      done();
      reject(error);
    });
    child.once("close", (code, signal) => {
      done();
      resolve(code ?? (signal === "SIGINT" ? 130 : 1));
    });
  });
}

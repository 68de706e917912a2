// @ts-check
/**
 * Reads why npm or pip failed. In: what the tool printed. Out: a SetupError that names the cause and the fix for that tool.
 * It recognises no network, a full disk, no permission and a missing wheel; anything else is shown as the tool worded it.
 */

import { SetupError } from "./problem.mjs";

const NO_NETWORK =
  /\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b|NewConnectionError|NameResolutionError|ConnectTimeoutError|ReadTimeoutError|Max retries exceeded|Temporary failure in name resolution|Failed to establish a new connection|Connection (refused|reset|timed out)|network is unreachable|ProxyError|Tunnel connection failed|Proxy Authentication Required/i;
const CERTIFICATE =
  /CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(GET|VERIFY)_[A-Z_]*CERT|unable to get local issuer certificate/i;
const NO_SPACE = /\bENOSPC\b|No space left on device/i;
const NO_PERMISSION = /\b(EACCES|EPERM)\b|Permission denied/i;
const NO_WHEEL = /No matching distribution found for (\S+)/i;
const LOCK_MISMATCH = /can only install packages when your package\.json and package-lock\.json|npm error code EUSAGE/i;

const TOOL = {
  npm: {
    cannot: "install the Node packages",
    proxy: "`npm config set proxy http://HOST:PORT` and `npm config set https-proxy http://HOST:PORT`",
    certificate: "`npm config set cafile FILE`",
  },
  pip: {
    cannot: "install the Python packages",
    proxy: "`HTTPS_PROXY=http://HOST:PORT` in the environment (what `pip --proxy` sets)",
    certificate: "`PIP_CERT=FILE` in the environment",
  },
};

/**
 * Explains a failed install.
 *
 * @param {"npm" | "pip"} tool
 * @param {string} output what the tool printed, or its end
 * @param {string} logFile where all of it is kept
 * @returns {SetupError}
 */
export function explainFailure(tool, output, logFile) {
  const { cannot, proxy, certificate } = TOOL[tool];
  const problem = (/** @type {string} */ found, /** @type {string} */ expected, /** @type {string} */ fix) =>
    new SetupError({ cannot, found, expected, fix });

  if (NO_SPACE.test(output)) {
    return problem("the disk became full", "room for all packages", "free some gigabytes and run the command again");
  }
  const wheel = NO_WHEEL.exec(output);
  // A mirror that cannot be reached also ends in "No matching distribution", so the network is judged first.
  if (CERTIFICATE.test(output)) {
    return problem(
      `${tool} does not trust the certificate of the server`,
      "a certificate it knows",
      `give it the certificate of your network with ${certificate}, and run the command again`,
    );
  }
  if (NO_NETWORK.test(output)) {
    return problem(
      `${tool} could not reach its package server (${cause(output)})`,
      "a working network",
      `connect to the network and run the command again; behind a proxy set ${proxy} first`,
    );
  }
  if (wheel) {
    return problem(
      `no build of ${wheel[1]} for this Python and this system`,
      "a 64-bit Python 3.10 to 3.13 on Linux, macOS or Windows",
      "point FLEDGE_PYTHON at such a Python, delete the folder .venv and run the command again",
    );
  }
  if (NO_PERMISSION.test(output)) {
    return problem(
      "no permission to write here",
      "a folder that belongs to you",
      "run `ls -ld . node_modules .venv`, give yourself the folder, and run the command again without sudo",
    );
  }
  if (tool === "npm" && LOCK_MISMATCH.test(output)) {
    return problem(
      "package.json and package-lock.json disagree",
      "a lockfile made from this package.json",
      "run `git checkout package.json package-lock.json`, or `npm install` if you changed the dependencies yourself",
    );
  }
  return problem(
    `${tool} failed: ${lastLine(output)}`,
    "an install without errors",
    `read ${logFile} and run the command again`,
  );
}

/** @param {string} output */
function cause(output) {
  const match = NO_NETWORK.exec(output);
  return match ? match[0] : "no connection";
}

/**
 * The line of a program's output that says what went wrong.
 *
 * @param {string} output
 * @returns {string} the last line that reads like an error, else the last line
 */
export function lastLine(output) {
  const lines = output
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !/complete log of this run|^Node\.js v/.test(line));
  return (
    lines.findLast((line) => /^(error|ERROR|Cannot|([A-Z]\w*)?Error)\b/.test(line)) ??
    lines.at(-1) ??
    "it printed nothing"
  );
}

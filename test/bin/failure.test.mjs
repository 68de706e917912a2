// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { explainFailure, lastLine } from "../../bin/setup/failure.mjs";
import { SetupError } from "../../bin/setup/problem.mjs";

const LOG = ".fledge/logs/npm.log";

/**
 * @param {"npm" | "pip"} tool
 * @param {string} output
 */
function explain(tool, output) {
  return explainFailure(tool, output, LOG).message;
}

const UNREACHABLE_NPM = [
  "npm error code ENOTFOUND\nnpm error errno ENOTFOUND\nnpm error network request failed, reason: getaddrinfo ENOTFOUND host",
  "npm error code ECONNREFUSED\nnpm error network connect ECONNREFUSED 127.0.0.1:9",
  "npm error code ETIMEDOUT",
  "npm error code EAI_AGAIN\nnpm error syscall getaddrinfo",
  "npm error code ERR_SOCKET_TIMEOUT",
];

const UNREACHABLE_PIP = [
  "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('Failed to establish a new connection: [Errno -2] Name or service not known')'\nERROR: Could not find a version that satisfies the requirement jupyterlab==4.6.6 (from versions: none)\nERROR: No matching distribution found for jupyterlab==4.6.6",
  "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 407'))'",
  "ReadTimeoutError: HTTPSConnectionPool(host='files', port=443): Read timed out.",
];

test("explainFailure() knows npm without a network, and names npm's proxy settings", () => {
  for (const output of UNREACHABLE_NPM) {
    const message = explain("npm", output);
    assert.match(
      message,
      /^Cannot install the Node packages: npm could not reach its package server \(\w+\), expected a working network\. Fix: connect/,
    );
    assert.match(message, /npm config set proxy http:\/\/HOST:PORT/);
  }
});

test("explainFailure() knows pip without a network, though pip says that there is no such version", () => {
  for (const output of UNREACHABLE_PIP) {
    const message = explain("pip", output);
    assert.match(
      message,
      /^Cannot install the Python packages: pip could not reach its package server \(.+\), expected a working network\./,
    );
    assert.match(message, /HTTPS_PROXY=http:\/\/HOST:PORT/);
  }
});

test("explainFailure() tells a wheel that does not exist from a server that does not answer", () => {
  const output =
    "ERROR: Could not find a version that satisfies the requirement tensorflow-cpu==2.21.0 (from versions: 2.22.0rc0)\nERROR: No matching distribution found for tensorflow-cpu==2.21.0";
  assert.equal(
    explain("pip", output),
    "Cannot install the Python packages: no build of tensorflow-cpu==2.21.0 for this Python and this system, expected a 64-bit Python 3.10 to 3.13 on Linux, macOS or Windows. Fix: point FLEDGE_PYTHON at such a Python, delete the folder .venv and run the command again.",
  );
});

test("explainFailure() knows a full disk", () => {
  for (const output of ["npm error code ENOSPC", "OSError: [Errno 28] No space left on device"]) {
    assert.match(
      explain("npm", output),
      /the disk became full, expected room for all packages\. Fix: free some gigabytes/,
    );
  }
});

test("explainFailure() knows a certificate that is not trusted", () => {
  const message = explain("npm", "npm error code SELF_SIGNED_CERT_IN_CHAIN");
  assert.match(message, /npm does not trust the certificate of the server/);
  assert.match(message, /npm config set cafile FILE/);
  assert.match(explain("pip", "SSLError(SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED)"), /PIP_CERT=FILE/);
});

test("explainFailure() knows a folder that belongs to someone else", () => {
  assert.match(
    explain("npm", "npm error code EACCES\nnpm error syscall mkdir"),
    /no permission to write here.+without sudo\.$/,
  );
});

test("explainFailure() knows a lockfile that disagrees with package.json", () => {
  const output =
    "npm error `npm ci` can only install packages when your package.json and package-lock.json or npm-shrinkwrap.json are in sync.";
  assert.match(explain("npm", output), /package\.json and package-lock\.json disagree/);
});

test("explainFailure() shows the tool's own words and the log for anything else", () => {
  const error = explainFailure(
    "pip",
    "Collecting x\nERROR: Invalid requirement: 'x=='\nnoise\n",
    ".fledge/logs/pip.log",
  );
  assert.ok(error instanceof SetupError);
  assert.equal(
    error.message,
    "Cannot install the Python packages: pip failed: ERROR: Invalid requirement: 'x==', expected an install without errors. Fix: read .fledge/logs/pip.log and run the command again.",
  );
});

test("lastLine() picks the line that reads like an error over what node prints after it", () => {
  const output =
    "node:internal/x\n\nError [ERR_MODULE_NOT_FOUND]: Cannot find module\n  code: 'X'\n}\n\nNode.js v20.20.2\n";
  assert.equal(lastLine(output), "Error [ERR_MODULE_NOT_FOUND]: Cannot find module");
  assert.equal(lastLine("one\ntwo\n"), "two");
  assert.equal(lastLine(""), "it printed nothing");
});

// @ts-check
import assert from "node:assert/strict";
import { execPath } from "node:process";
import { test } from "node:test";
import { findPython, pythonCandidates, venvJupyterData, venvPython } from "../../bin/setup/python.mjs";
import { probe } from "../../bin/setup/run.mjs";

/**
 * A machine with the given Pythons: command → what it answers, or "broken" for one that is there but fails.
 *
 * @param {Record<string, object | "broken">} pythons
 * @param {{ platform?: NodeJS.Platform, env?: NodeJS.ProcessEnv }} [options]
 * @returns {import("../../bin/setup/python.mjs").Machine}
 */
function machine(pythons, { platform = "linux", env = {} } = {}) {
  return {
    platform,
    env,
    probe(command, args) {
      const answer = pythons[[command, ...args.filter((argument) => argument.startsWith("-3"))].join(" ")];
      if (answer === undefined) return { ok: false, stdout: "", stderr: "" };
      if (answer === "broken") return { ok: false, stdout: "", stderr: "pyenv: python3.12: command not found" };
      return { ok: true, stdout: JSON.stringify(answer), stderr: "" };
    },
  };
}

/** @param {number[]} version */
function python(version, more = {}) {
  return { version, executable: `/usr/bin/python${version.join(".")}`, bits: 64, venv: true, ...more };
}

test("findPython() takes the first Python of a supported version", () => {
  const found = findPython(
    machine({ python3: python([3, 9, 2]), python: python([2, 7, 18]), "python3.11": python([3, 11, 7]) }),
  );
  assert.deepEqual(found, { command: "python3.11", args: [], version: "3.11.7", executable: "/usr/bin/python3.11.7" });
});

test("findPython() passes over a pyenv shim that fails to run", () => {
  assert.equal(
    findPython(machine({ python3: "broken", "python3.13": "broken", "python3.12": python([3, 12, 1]) })).command,
    "python3.12",
  );
});

test("findPython() passes over a program of that name that is not Python", () => {
  const { probe: ask, ...rest } = machine({ python: python([3, 12, 1]) });
  const found = findPython({
    ...rest,
    probe: (command, args) => (command === "python3" ? { ok: true, stdout: "hello", stderr: "" } : ask(command, args)),
  });
  assert.equal(found.command, "python");
});

test("findPython() asks the Windows launcher first", () => {
  const found = findPython(
    machine({ "py -3": python([3, 14, 0]), "py -3.12": python([3, 12, 4]) }, { platform: "win32" }),
  );
  assert.deepEqual([found.command, ...found.args], ["py", "-3.12"]);
});

test("findPython() uses FLEDGE_PYTHON and nothing else when it is set", () => {
  const env = { FLEDGE_PYTHON: "/opt/python/bin/python3" };
  assert.deepEqual(pythonCandidates({ platform: "linux", env }), [{ command: "/opt/python/bin/python3", args: [] }]);
  assert.throws(() => findPython(machine({ python3: python([3, 12, 1]) }, { env })), {
    message:
      "Cannot use FLEDGE_PYTHON=/opt/python/bin/python3: it does not run, expected Python 3.10 to 3.13, 64-bit. Fix: set FLEDGE_PYTHON to the full path of such a Python, or unset it to have one looked for.",
  });
});

test("findPython() says how to install Python on each system when there is none", () => {
  assert.throws(() => findPython(machine({})), {
    name: "SetupError",
    message:
      "Cannot find Python: none that runs, expected Python 3.10 to 3.13, 64-bit. Fix: run `sudo apt install python3 python3-venv` (Debian, Ubuntu) or `sudo dnf install python3.12` (Fedora), or set FLEDGE_PYTHON to the full path of one that is not on the PATH, and run the command again.",
  });
  assert.throws(() => findPython(machine({}, { platform: "darwin" })), /Fix: run `brew install python@3\.12`/);
  assert.throws(
    () => findPython(machine({}, { platform: "win32" })),
    /Fix: run `winget install Python\.Python\.3\.12`/,
  );
});

test("findPython() names the Pythons that it refused", () => {
  assert.throws(
    () =>
      findPython(
        machine({
          python3: python([3, 9, 2]),
          python: python([3, 14, 0]),
          "python3.12": python([3, 12, 0], { bits: 32 }),
        }),
      ),
    /Cannot find Python: Python 3\.9\.2 \(python3\), Python 3\.14\.0 \(python\), a 32-bit Python 3\.12\.0 \(python3\.12\), expected/,
  );
});

test("findPython() names the Debian package when venv or ensurepip is missing", () => {
  const incomplete = python([3, 11, 2], { venv: false });
  assert.throws(() => findPython(machine({ python3: incomplete })), {
    message:
      "Cannot make a Python environment: Python 3.11.2 (python3) without its venv and ensurepip modules, expected a complete Python. Fix: run `sudo apt install python3.11-venv` (Debian, Ubuntu; elsewhere the package that carries ensurepip) and run the command again.",
  });
  assert.equal(findPython(machine({ python3: incomplete, "python3.12": python([3, 12, 1]) })).command, "python3.12");
});

test("findPython() finds a real Python on this machine", () => {
  const found = findPython({ platform: process.platform, env: process.env, probe });
  assert.match(found.version, /^3\.1[0-3]\.\d+$/);
});

test("probe() reports a missing program and a failing one as not ok", () => {
  assert.equal(probe("fledge-no-such-program", []).ok, false);
  assert.equal(probe(execPath, ["-e", "process.exit(3)"]).ok, false);
  assert.equal(probe(execPath, ["-p", "40 + 2"]).stdout.trim(), "42");
});

test("venvPython() knows both layouts of a virtual environment", () => {
  assert.equal(venvPython("/home/ada/fledge/.venv", "linux"), "/home/ada/fledge/.venv/bin/python");
  assert.equal(venvPython("C:\\fledge\\.venv", "win32"), "C:\\fledge\\.venv\\Scripts\\python.exe");
});

test("venvJupyterData() is share/jupyter in the environment", () => {
  assert.match(venvJupyterData("/x/.venv").replaceAll("\\", "/"), /^\/x\/\.venv\/share\/jupyter$/);
});

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { kernelPlace } from "../../../bin/commands/kernel.js";
import { packageRoot } from "../../../src/paths.js";

function emptyFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "fledge-kernel-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fledge(words: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const command = join(packageRoot(), "dist", "bin", "fledge.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, ...words], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
  return { status, stdout, stderr };
}

test("fledge kernel installs, lists and uninstalls, and leaves nothing behind", (context) => {
  const data = emptyFolder(context);
  const environment = { JUPYTER_DATA_DIR: data };
  const folder = join(data, "kernels", "fledge");

  const installed = fledge(["kernel", "install"], environment).stdout.split("\n");
  assert.equal(installed[0], `wrote ${join(folder, "kernel.json")}`);
  assert.equal(installed.at(-2), 'Jupyter knows the kernel as "fledge", and tslab as "fledge-tslab".');
  for (const line of installed.slice(0, -2)) assert.ok(existsSync(line.replace("wrote ", "")), line);
  fledge(["kernel", "install", "--name", "own.one"], environment);
  const listed = fledge(["kernel", "list"], environment).stdout.split("\n");
  for (const name of ["fledge", "fledge-tslab", "own.one", "own.one-tslab"]) {
    assert.ok(listed.includes(join(data, "kernels", name)), name);
  }

  const removed = (...paths: string[]) => paths.map((path) => `removed ${join(data, path)}\n`).join("");
  const { status, stdout } = fledge(["kernel", "uninstall", "--name", "own.one"], environment);
  assert.equal(status, 0);
  assert.equal(stdout, removed("kernels/own.one", "kernels/own.one-tslab"));
  const { stdout: last } = fledge(["kernel", "uninstall"], environment);
  assert.equal(last, removed("kernels/fledge", "kernels/fledge-tslab", "labextensions/fledge-plotly"));
  assert.equal(existsSync(folder), false);
  assert.equal(fledge(["kernel", "uninstall", "--user"], environment).stdout, `Nothing to remove in ${data}.\n`);
});

test("fledge refuses what it does not know, with the fix", () => {
  const misspelt = fledge(["docter"]);
  assert.equal(misspelt.status, 2);
  assert.match(
    misspelt.stderr,
    /^Cannot run "docter": no such command, expected .*doctor, .*kernel, .*help\. Fix: run `fledge doctor`\.\n$/,
  );
  const verb = fledge(["kernel", "instal"]);
  assert.equal(verb.status, 2);
  assert.equal(
    verb.stderr,
    'Cannot run "kernel instal": no such command, expected install, uninstall or list. Fix: run `fledge help kernel`.\n',
  );
});

test("fledge help names every command", () => {
  const { status, stdout } = fledge(["--help"]);
  assert.equal(status, 0);
  for (const command of ["doctor", "kernel"]) assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
  assert.match(fledge(["help", "kernel"]).stdout, /--sys-prefix/);
  assert.equal(fledge(["help", "kernel"]).stdout, fledge(["kernel", "--help"]).stdout);
});

test("kernelPlace() takes a place and a name", () => {
  assert.deepEqual(kernelPlace(["--prefix", "x"]), { name: "fledge", dataDir: join(resolve("x"), "share", "jupyter") });
  assert.deepEqual(kernelPlace(["--name", "n", "--data-dir", "d"]), { name: "n", dataDir: resolve("d") });
});

test("kernelPlace() refuses unknown options, two places, and a name that Jupyter would not take, with the fix", () => {
  for (const options of [["--prefix"], ["--user", "--prefix", "x"], ["--nam", "x"], ["x"]]) {
    assert.throws(() => kernelPlace(options), {
      name: "RangeError",
      message: `Cannot choose a folder for the kernel: ${options.join(" ")}, expected one of --user, --prefix DIR, --sys-prefix and --data-dir DIR, and --name NAME. Fix: run \`fledge help kernel\`.`,
    });
  }
  const { status, stderr } = fledge(["kernel", "install", "--name", "../x"]);
  assert.equal(status, 2);
  assert.equal(
    stderr,
    'Cannot name the kernel "../x": other letters, expected letters, digits, dots, hyphens and underscores. Fix: use --name fledge.\n',
  );
});

test("fledge kernel install --sys-prefix needs an active environment", (context) => {
  const active = emptyFolder(context);
  const none = { VIRTUAL_ENV: "", CONDA_PREFIX: "" };
  const { status, stderr } = fledge(["kernel", "install", "--sys-prefix"], none);
  assert.equal(status, 2);
  assert.equal(
    stderr,
    "Cannot use --sys-prefix: no active virtual environment, expected VIRTUAL_ENV or CONDA_PREFIX. Fix: activate one, or use --prefix DIR.\n",
  );
  assert.equal(fledge(["kernel", "install", "--sys-prefix"], { ...none, VIRTUAL_ENV: active }).status, 0);
  assert.ok(existsSync(join(active, "share", "jupyter", "kernels", "fledge", "kernel.json")));
});

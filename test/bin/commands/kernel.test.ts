import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type TestContext, test } from "node:test";
import { dataFolder } from "../../../bin/commands/kernel.js";
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

  assert.equal(fledge(["kernel", "install"], environment).stdout, `Installed the kernel "fledge" in ${data}.\n`);
  assert.ok(existsSync(join(folder, "kernel.json")));
  assert.ok(fledge(["kernel", "list"], environment).stdout.split("\n").includes(folder));

  const { status, stdout } = fledge(["kernel", "uninstall"], environment);
  assert.equal(status, 0);
  assert.equal(stdout, `Removed ${folder} and ${join(data, "labextensions", "fledge-plotly")}.\n`);
  assert.equal(existsSync(folder), false);
  assert.equal(fledge(["kernel", "uninstall", "--user"], environment).stdout, `Nothing to remove in ${data}.\n`);
});

test("fledge refuses what it does not know, with the fix", () => {
  const misspelt = fledge(["docter"]);
  assert.equal(misspelt.status, 2);
  assert.equal(
    misspelt.stderr,
    'Cannot run "docter": no such command, expected doctor, kernel, help. Fix: run `fledge doctor`.\n',
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

test("dataFolder() takes a prefix", () => {
  assert.equal(dataFolder(["--prefix", "x"]), join(resolve("x"), "share", "jupyter"));
});

test("dataFolder() refuses an unknown option, with the fix", () => {
  assert.throws(() => dataFolder(["--prefix"]), {
    name: "RangeError",
    message:
      "Cannot choose a folder for the kernel: --prefix, expected --user, --prefix DIR or --sys-prefix. Fix: run `fledge help kernel`.",
  });
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

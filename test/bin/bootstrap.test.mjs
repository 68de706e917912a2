// @ts-check
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { labArguments } from "../../bin/setup/lab.mjs";
import { SetupError } from "../../bin/setup/problem.mjs";
import { createProgress, seconds } from "../../bin/setup/progress.mjs";
import { runForeground, runLogged } from "../../bin/setup/run.mjs";
import { npmCommand } from "../../bin/setup/steps.mjs";
import { testEnvironment, testFiles } from "../../bin/setup/test.mjs";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** @param {string[]} args */
function bootstrap(...args) {
  return spawnSync(process.execPath, [join(ROOT, "bin", "bootstrap.mjs"), ...args], { encoding: "utf8" });
}

test("bootstrap --help names every command and touches nothing", () => {
  const { status, stdout } = bootstrap("--help");
  assert.equal(status, 0);
  for (const command of ["setup", "course", "test", "lab"]) assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
});

test("bootstrap refuses an unknown command with the known ones", () => {
  const { status, stderr } = bootstrap("curse");
  assert.equal(status, 2);
  assert.equal(stderr, "Cannot run curse: no such command, expected setup, course, test, lab. Fix: see --help.\n");
});

test("bootstrap loads nothing before it has checked the version of Node, but that check", () => {
  const imports = (/** @type {string} */ path) =>
    [...readFileSync(join(ROOT, "bin", path), "utf8").matchAll(/^import .* from "(.+)";$/gm)].map((match) => match[1]);
  assert.deepEqual(imports("bootstrap.mjs"), ["node:path", "node:url", "./setup/machine.mjs"]);
  assert.deepEqual(imports("setup/machine.mjs"), ["./problem.mjs"]);
  assert.deepEqual(imports("setup/problem.mjs"), []);
});

test("every npm script that starts the bootstrap names one of its commands", () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of ["setup", "course", "test", "lab"]) assert.equal(scripts[name], `node bin/bootstrap.mjs ${name}`);
});

test("SetupError has the form of src/message.ts", async () => {
  const message = new URL("../../dist/src/message.js", import.meta.url).href;
  const { problem } = await import(message);
  const phrases = { cannot: "a", found: "b", expected: "c", fix: "d" };
  assert.equal(new SetupError(phrases).message, problem(phrases));
});

test("testFiles() runs what the sources name, TypeScript from dist and JavaScript as it is", () => {
  const sources = ["test/data/split.test.ts", "test/bin/lock.test.mjs", "test/data/help.ts", "test\\train\\a.test.ts"];
  assert.deepEqual(testFiles(sources, []), [
    "dist/test/data/split.test.js",
    "dist/test/train/a.test.js",
    "test/bin/lock.test.mjs",
  ]);
  assert.deepEqual(testFiles(sources, ["data"]), ["dist/test/data/split.test.js"]);
});

test("bootstrap's test command refuses words that name no test", async () => {
  const { runTests } = await import("../../bin/setup/test.mjs");
  await assert.rejects(runTests(ROOT, ["no-such-test"]), {
    name: "SetupError",
    message:
      "Cannot test no-such-test: no test file with that in its path, expected part of a path under test/. Fix: run `npm test` for all, or `npm test -- kernel` for one folder.",
  });
});

test("testEnvironment() is quick and offline, and keeps the rest", () => {
  const env = testEnvironment({ FLEDGE_ENGINE: "cpu" });
  assert.equal(env.FLEDGE_QUICK, "1");
  assert.equal(env.HF_HUB_OFFLINE, "1");
  assert.equal(env.FLEDGE_ENGINE, "cpu");
});

test("labArguments() opens notebooks/ with our kernel, offline, and lets the user's arguments win", () => {
  const args = labArguments("/home/ada/fledge", ["--port=9000"], false);
  assert.ok(args.includes(`--ServerApp.root_dir=${join("/home/ada/fledge", "notebooks")}`));
  assert.ok(args.includes("--MultiKernelManager.default_kernel_name=fledge"));
  assert.ok(args.includes("--LabApp.news_url=None"));
  assert.equal(args.includes("--allow-root"), false);
  assert.equal(args.at(-1), "--port=9000");
  assert.ok(labArguments("/home/ada/fledge", [], true).includes("--allow-root"));
});

test("npmCommand() starts npm's own script with this node, and falls back to the PATH", () => {
  const nowhere = join("/", "nowhere", "bin", "node");
  assert.deepEqual(npmCommand({ env: {}, execPath: nowhere, platform: "linux" }), { command: "npm", args: [] });
  assert.deepEqual(npmCommand({ env: {}, execPath: nowhere, platform: "win32" }).command, "npm.cmd");
  const yarn = { npm_execpath: process.execPath };
  assert.equal(
    npmCommand({ env: yarn, execPath: nowhere, platform: "linux" }).command,
    "npm",
    "yarn also sets npm_execpath",
  );
});

test("runLogged() gives the exit code, the output and the lines, and keeps a log", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-run-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const logFile = join(folder, "logs", "one.log");
  /** @type {string[]} */
  const lines = [];
  const script = "console.log('first'); console.error('second'); process.exitCode = 3";
  const onLine = (/** @type {string} */ line) => lines.push(line);
  const { code, output } = await runLogged(process.execPath, ["-e", script], { cwd: folder, logFile, onLine });
  assert.equal(code, 3);
  assert.deepEqual(lines.sort(), ["first", "second"]);
  assert.match(output, /second/);
  assert.match(readFileSync(logFile, "utf8"), /first/);
});

test("runLogged() reports a program that is not there", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-run-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const { code, output } = await runLogged("fledge-no-such-program", [], { cwd: folder, logFile: join(folder, "log") });
  assert.notEqual(code, 0);
  assert.match(output, /ENOENT/);
});

test("runForeground() gives the exit code", async () => {
  assert.equal(await runForeground(process.execPath, ["-e", "process.exitCode = 7"], { cwd: ROOT }), 7);
});

test("createProgress() prints one line a step with its result or its time", async () => {
  let text = "";
  let clock = 0;
  const { step } = createProgress({ write: (part) => (text += part) }, 3, () => clock);
  await step("Disk", () => "77.0 GB free");
  await step("Packages", () => {
    clock = 65_000;
    return "";
  });
  await assert.rejects(
    step("Build", () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.deepEqual(
    text.split("\n").map((line) => line.replace(/\s+/g, " ").trim()),
    ["1/3 Disk 77.0 GB free", "2/3 Packages 1 min 05 s", "3/3 Build failed after 0.0 s", ""],
  );
});

test("seconds() reads well at every length", () => {
  assert.deepEqual([400, 9_400, 34_000, 125_000].map(seconds), ["0.4 s", "9.4 s", "34 s", "2 min 05 s"]);
});

// @ts-check
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { keyOfFiles, keyOfTree, nodePackagesMatch, readStamps, writeStamp } from "../../bin/setup/stamp.mjs";

/** @param {import("node:test").TestContext} context */
function folder(context) {
  const path = mkdtempSync(join(tmpdir(), "fledge-stamp-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("writeStamp() keeps the stamps of the other steps", (context) => {
  const file = join(folder(context), "deep", "setup.json");
  writeStamp(file, "python", "a");
  writeStamp(file, "build", "b");
  writeStamp(file, "python", "c");
  assert.deepEqual(readStamps(file), { python: "c", build: "b" });
});

test("readStamps() takes a missing or damaged file for no stamps", (context) => {
  const file = join(folder(context), "setup.json");
  assert.deepEqual(readStamps(file), {});
  for (const text of ["", '{"python": "a', "[1]", "null"]) {
    writeFileSync(file, text);
    assert.deepEqual(readStamps(file), {});
  }
});

test("keyOfFiles() changes with the contents and with the facts", (context) => {
  const file = join(folder(context), "requirements.txt");
  const missing = keyOfFiles([file]);
  writeFileSync(file, "torch==1");
  const before = keyOfFiles([file], ["20"]);
  assert.equal(keyOfFiles([file], ["20"]), before);
  assert.notEqual(keyOfFiles([file], ["22"]), before);
  writeFileSync(file, "torch==2");
  assert.notEqual(keyOfFiles([file], ["20"]), before);
  assert.notEqual(keyOfFiles([file]), missing);
});

test("keyOfTree() changes when a source is touched or added, not for other files", (context) => {
  const root = folder(context);
  mkdirSync(join(root, "src", "data"), { recursive: true });
  writeFileSync(join(root, "src", "data", "a.ts"), "1");
  const key = () => keyOfTree(root, ["src", "missing"], [".ts"]);
  const before = key();
  writeFileSync(join(root, "src", "notes.md"), "x");
  assert.equal(key(), before);
  utimesSync(join(root, "src", "data", "a.ts"), 1, 1);
  const touched = key();
  assert.notEqual(touched, before);
  writeFileSync(join(root, "src", "b.ts"), "1");
  assert.notEqual(key(), touched);
});

test("nodePackagesMatch() compares the lockfile with what npm says it installed", (context) => {
  const root = folder(context);
  const write = (/** @type {string} */ path, /** @type {object} */ packages) =>
    writeFileSync(join(root, path), JSON.stringify({ packages }));
  const a = { version: "1.0.0", integrity: "sha512-a" };
  const windowsOnly = { version: "1.0.0", integrity: "sha512-w", optional: true };
  write("package-lock.json", { "": {}, "node_modules/a": a, "node_modules/w": windowsOnly });
  assert.equal(nodePackagesMatch(root), false, "nothing installed");

  mkdirSync(join(root, "node_modules", "a"), { recursive: true });
  assert.equal(nodePackagesMatch(root), false, "npm ci was cut short: it left no record");

  write("node_modules/.package-lock.json", { "node_modules/a": a });
  assert.equal(nodePackagesMatch(root), true, "a package for another platform may be absent");

  write("node_modules/.package-lock.json", { "node_modules/a": { ...a, version: "0.9.0" } });
  assert.equal(nodePackagesMatch(root), false, "an older version");

  write("node_modules/.package-lock.json", { "node_modules/a": a });
  rmSync(join(root, "node_modules", "a"), { recursive: true });
  assert.equal(nodePackagesMatch(root), false, "a package folder was deleted by hand");
});

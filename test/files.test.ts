/** Files and folders that are whole or not there: after success, after failure, and after a crash between two renames. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  checkFreeSpace,
  diskProblem,
  readJson,
  sha256File,
  sweepTemporary,
  writeFileAtomic,
  writeFolderAtomic,
} from "../src/files.js";

let root = "";
before(async () => {
  root = await mkdtemp(join(tmpdir(), "fledge-files-"));
});
after(() => rm(root, { recursive: true, force: true }));

test("writeFileAtomic() writes text, bytes and pieces", async () => {
  const path = join(root, "file");
  for (const content of ["añb", Buffer.from("añb"), [Buffer.from("a"), Buffer.from("ñb")]]) {
    await writeFileAtomic(path, content);
    assert.equal(await readFile(path, "utf8"), "añb");
  }
});

test("writeFileAtomic() keeps the old file and leaves nothing beside it when writing fails", async () => {
  const folder = join(root, "failing");
  await mkdir(folder);
  await writeFileAtomic(join(folder, "file"), "old");
  const broken = (function* () {
    yield Buffer.from("new");
    throw new Error("the disk is full");
  })();
  await assert.rejects(writeFileAtomic(join(folder, "file"), broken), /the disk is full/);
  assert.equal(await readFile(join(folder, "file"), "utf8"), "old");
  assert.deepEqual(await readdir(folder), ["file"]);
});

test("writeFolderAtomic() replaces a folder whole, and keeps the old one when filling fails", async () => {
  const parent = join(root, "folders");
  const folder = join(parent, "model");
  await writeFolderAtomic(folder, (temporary) => writeFile(join(temporary, "a"), "1"));
  await writeFolderAtomic(folder, (temporary) => writeFile(join(temporary, "b"), "2"));
  assert.deepEqual(await readdir(folder), ["b"]);
  await assert.rejects(
    writeFolderAtomic(folder, async (temporary) => {
      await writeFile(join(temporary, "c"), "3");
      throw new Error("out of luck");
    }),
    /out of luck/,
  );
  assert.deepEqual(await readdir(folder), ["b"]);
  assert.deepEqual(await readdir(parent), ["model"]);
});

test("writeFolderAtomic() with keepOthers keeps what else lay in the old folder", async () => {
  const folder = join(root, "kept");
  await mkdir(join(folder, "runs"), { recursive: true });
  await writeFile(join(folder, "runs", "log"), "mine");
  await writeFile(join(folder, "a"), "old");
  await writeFolderAtomic(folder, (temporary) => writeFile(join(temporary, "a"), "new"), { keepOthers: true });
  assert.equal(await readFile(join(folder, "runs", "log"), "utf8"), "mine");
  assert.equal(await readFile(join(folder, "a"), "utf8"), "new");
});

test("writeFolderAtomic() brings the old folder back that a crash left set aside", async () => {
  const folder = join(root, "crashed");
  await mkdir(folder);
  await writeFile(join(folder, "a"), "old");
  await rename(folder, join(root, ".fledge-previous-crashed"));
  await assert.rejects(
    writeFolderAtomic(folder, () => Promise.reject(new Error("again"))),
    /again/,
  );
  assert.equal(await readFile(join(folder, "a"), "utf8"), "old");
});

test("sweepTemporary() removes what dead processes left, and nothing else", async () => {
  const folder = join(root, "sweep");
  const dead = ".fledge-tmp-4194304999-abcdef01-checkpoint-000050"; // above the largest process number of any system
  const alive = `.fledge-tmp-${process.ppid}-abcdef01-checkpoint-000050`;
  for (const name of [dead, alive, ".fledge-previous-checkpoint-000001", "mine"])
    await mkdir(join(folder, name), { recursive: true });
  assert.deepEqual(await sweepTemporary(folder), [dead]);
  assert.deepEqual((await readdir(folder)).sort(), [alive, "checkpoint-000001", "mine"]);
});

test("diskProblem() words errors of the file system and leaves others alone", () => {
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" });
  assert.equal(
    (diskProblem("save it", full) as Error).message,
    "Cannot save it: no space left on the disk, expected a folder that can be written. Fix: free some space and run again.",
  );
  const other = new TypeError("mine");
  assert.equal(diskProblem("save it", other), other);
});

test("sha256File() is the known digest of abc (FIPS 180-4)", async () => {
  await writeFile(join(root, "abc"), "abc");
  assert.equal(await sha256File(join(root, "abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("readJson() reads an object and refuses what is none", async () => {
  const path = join(root, "x.json");
  await writeFile(path, '{"a":1}');
  assert.deepEqual(await readJson(path, "the file"), { a: 1 });
  await writeFile(path, "{,}");
  await assert.rejects(readJson(path, "the file"), {
    name: "SyntaxError",
    message: /^Cannot read the file .+x\.json: .+, expected one JSON object\. Fix: mend/,
  });
  await writeFile(path, "3");
  await assert.rejects(readJson(path, "the file"), /JSON of another kind/);
  await assert.rejects(
    readJson(join(root, "none"), "the file"),
    /none: no such file, expected a readable JSON file\. Fix: check the path/,
  );
  await assert.rejects(readJson(root, "the file"), /EISDIR/);
});

test("checkFreeSpace() names what is free and what is needed", async () => {
  await checkFreeSpace("save the model", root, 1);
  await assert.rejects(checkFreeSpace("save the model", root, 1e18), {
    name: "Error",
    message:
      /^Cannot save the model: [\d,.]+ MB free on the disk of .+, expected at least 1,000,000,000,000 MB\. Fix: free some space, or choose a folder on another disk\.$/,
  });
});

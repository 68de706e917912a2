/** The output folder of a run: what cannot be written is refused at once, and two runs never share it. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { lockName, openOutputDir } from "../../src/train/output-dir.js";
import { asOrdinaryUser } from "../ordinary-user.js";

const root = await mkdtemp(join(tmpdir(), "fledge-output-"));
after(() => rm(root, { recursive: true, force: true }));

test("openOutputDir() refuses a path that cannot be a folder", async () => {
  const file = join(root, "a-file");
  await writeFile(file, "");
  const message =
    /^Cannot write to outputDir .+a-file.*: .+, expected a folder that can be written\. Fix: make the folder writable, or choose/;
  await assert.rejects(openOutputDir(file), { name: "Error", message });
  await assert.rejects(openOutputDir(join(file, "run")), { name: "Error", message });
});

test("openOutputDir() refuses a read-only folder", async () => {
  const folder = join(root, "read-only");
  await mkdir(folder);
  await chmod(root, 0o755);
  await chmod(folder, 0o555);
  await assert.rejects(
    asOrdinaryUser(() => openOutputDir(folder)),
    /EACCES/,
  );
  await chmod(folder, 0o755);
});

test("openOutputDir() refuses a folder that this process works in, until it is closed", async () => {
  const first = await openOutputDir(join(root, "twice"));
  await assert.rejects(openOutputDir(first.folder), {
    name: "Error",
    message: new RegExp(
      `^Cannot use outputDir .+twice: this process \\(${process.pid}\\) has worked in it since 20.+Z, expected one run at a time\\. Fix: stop that run, wait for its end, or choose another outputDir\\.$`,
    ),
  });
  await first.close();
  const second = await openOutputDir(first.folder);
  await second.close();
  assert.deepEqual(await readdir(first.folder), []);
});

test("openOutputDir() refuses a folder of another living process, and takes it over when that was killed", async () => {
  const folder = join(root, "other");
  const module = new URL("../../src/train/output-dir.js", import.meta.url).href;
  const code = `const { openOutputDir } = await import(${JSON.stringify(module)});
    await openOutputDir(${JSON.stringify(folder)}); console.log("open"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await assert.rejects(openOutputDir(folder), new RegExp(`process ${child.pid} on ${hostname()} has worked in it`));
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
  await (await openOutputDir(folder)).close();
  assert.deepEqual(await readdir(folder), []);
});

test("openOutputDir() takes over the lock of an earlier process that had this one's number, and one that is torn", async () => {
  const folder = join(root, "reused");
  await mkdir(folder);
  for (const content of [`{"pid":${process.pid},"host":"${hostname()}","start":"another boot 1"}\n`, '{"pid":', ""]) {
    await writeFile(join(folder, lockName), content);
    const { close } = await openOutputDir(folder);
    assert.equal(JSON.parse(await readFile(join(folder, lockName), "utf8")).pid, process.pid);
    await close();
  }
});

test("openOutputDir() believes a lock of another machine, and names the file to delete", async () => {
  const folder = join(root, "elsewhere");
  await mkdir(folder);
  await writeFile(join(folder, lockName), '{"pid":1,"host":"another-machine"}\n');
  await assert.rejects(
    openOutputDir(folder),
    /process 1 on another-machine has worked in it .* Fix: choose another outputDir, or delete .+run\.lock when/,
  );
});

test("openOutputDir() lets one of many through when all find the same stale lock", async () => {
  const folder = join(root, "race");
  await mkdir(folder);
  await writeFile(join(folder, lockName), "");
  const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openOutputDir(folder)));
  assert.equal(opened.filter(({ status }) => status === "fulfilled").length, 1);
});

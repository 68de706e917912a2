// @ts-check
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isStale, withLock } from "../../bin/setup/lock.mjs";

/** @param {import("node:test").TestContext} context */
function lockFile(context) {
  const path = mkdtempSync(join(tmpdir(), "fledge-lock-"));
  context.after(() => rmSync(path, { recursive: true, force: true }));
  return join(path, "setup.lock");
}

test("withLock() lets one work at a time, and tells the one that waits", async (context) => {
  const file = lockFile(context);
  let inside = 0;
  let most = 0;
  /** @type {string[]} */
  const owners = [];
  const work = async () => {
    inside += 1;
    most = Math.max(most, inside);
    await sleep(30);
    inside -= 1;
    return inside;
  };
  const options = { pollMilliseconds: 5, onWait: (/** @type {string} */ owner) => owners.push(owner) };
  assert.deepEqual(await Promise.all([withLock(file, work, options), withLock(file, work, options)]), [0, 0]);
  assert.equal(most, 1);
  assert.deepEqual(owners, [String(process.pid)]);
  assert.equal(existsSync(file), false);
});

test("withLock() gives the lock back when the work fails", async (context) => {
  const file = lockFile(context);
  await assert.rejects(
    withLock(file, async () => Promise.reject(new Error("no"))),
    /^Error: no$/,
  );
  assert.equal(existsSync(file), false);
});

test("withLock() takes over the lock of a process that is dead", async (context) => {
  const file = lockFile(context);
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  writeFileSync(file, `${dead} ${hostname()}\n`);
  assert.equal(isStale(file), true);
  assert.equal(await withLock(file, async () => readFileSync(file, "utf8")), `${process.pid} ${hostname()}\n`);
});

test("isStale() trusts a living owner, and another machine's owner until its lock grows old", (context) => {
  const file = lockFile(context);
  assert.equal(isStale(file), false, "no lock");
  writeFileSync(file, `${process.pid} ${hostname()}\n`);
  assert.equal(isStale(file), false, "this process lives");
  writeFileSync(file, "1 another-machine\n");
  assert.equal(isStale(file), false, "it may live");
  utimesSync(file, 1, 1);
  assert.equal(isStale(file), true, "nobody has touched it for a long time");
});

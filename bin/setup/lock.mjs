// @ts-check
/**
 * Lets one set-up at a time work on a folder. In: the path of a lock file and the work. Out: the work's result. The owner
 * touches its lock every two seconds, so that a lock left behind by a killed process (or by a machine that was switched off)
 * is known by its age and taken over, whatever became of its process number.
 */

import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const TOUCH_MILLISECONDS = 2_000;
/** Longer than any pause of a living owner: its longest synchronous question to another program takes 15 s. */
export const STALE_MILLISECONDS = 45_000;

/**
 * Runs the work while holding the lock.
 *
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {{ onWait?: (owner: string) => void, pollMilliseconds?: number }} [options] `onWait`: called once, with the
 *   process number of the owner, when another one holds the lock
 * @returns {Promise<T>}
 */
export async function withLock(file, work, { onWait, pollMilliseconds = 500 } = {}) {
  mkdirSync(dirname(file), { recursive: true });
  const mine = `${process.pid} ${hostname()}\n`;
  let waited = false;
  while (!take(file, mine)) {
    if (isStale(file)) {
      putAside(file);
      continue;
    }
    if (!waited) onWait?.(read(file).split(" ")[0] ?? "unknown");
    waited = true;
    await sleep(pollMilliseconds);
  }
  const release = () => {
    if (read(file) === mine) rmSync(file, { force: true });
  };
  const touch = setInterval(() => {
    const now = new Date();
    try {
      utimesSync(file, now, now);
    } catch {
      // Someone removed .fledge by hand: the work goes on.
    }
  }, TOUCH_MILLISECONDS);
  touch.unref();
  process.once("exit", release);
  try {
    return await work();
  } finally {
    clearInterval(touch);
    process.off("exit", release);
    release();
  }
}

/**
 * @param {string} file
 * @param {string} owner
 * @returns {boolean} false when it exists already
 */
function take(file, owner) {
  try {
    writeFileSync(file, owner, { flag: "wx" });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === "EEXIST") return false;
    throw error;
  }
}

/** @param {string} file */
function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/**
 * @param {string} file
 * @returns {boolean} true when its owner is known to be dead, or has not touched it for a long time
 */
export function isStale(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (!stat) return false; // Released meanwhile: simply try again.
  if (Date.now() - stat.mtimeMs > STALE_MILLISECONDS) return true;
  const [pid, host] = read(file).trim().split(" ");
  if (!pid || host !== hostname()) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === "ESRCH";
  }
}

// Two waiters may both see a stale lock; a rename succeeds for one of them only.
/** @param {string} file */
function putAside(file) {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  rmSync(aside, { force: true });
}

/**
 * The output folder of a run: made, probed, locked and swept before anything is trained. In: a path. Out: the folder, held
 * until it is closed. A second run in it is refused; the lock of a process that is gone is taken over, known by machine,
 * process number and, on Linux, the time at which that process started. It knows no checkpoints.
 */
import { link, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { diskProblem, isAlive, sweepTemporary, temporaryPath, writeFileAtomic } from "../files.js";
import { problem } from "../message.js";

/** Name of the lock in the output folder: who works in it. */
export const lockName = "run.lock";

/** An output folder that this process alone works in. */
export interface OutputDir {
  /** Absolute path. */
  readonly folder: string;
  /** Lets others work in it. */
  close(): Promise<void>;
}

/**
 * Opens the output folder of a run. Clears what a killed run left half-written.
 *
 * @param outputDir made when missing, its parents too.
 * @throws Error when it cannot be made or written to, or another process works in it.
 */
export async function openOutputDir(outputDir: string): Promise<OutputDir> {
  const folder = resolve(outputDir);
  await checkWritable(folder, `write to outputDir ${folder}`);
  const close = await lock(folder);
  await sweepTemporary(folder);
  return { folder, close };
}

/**
 * Makes sure that a folder can be written to, by writing to it.
 *
 * @param folder made when missing, its parents too.
 * @param cannot for the message: `write to outputDir ./run`
 * @throws Error when it cannot be made or written to.
 */
export async function checkWritable(folder: string, cannot: string): Promise<void> {
  const probe = temporaryPath(join(folder, "probe"));
  try {
    await mkdir(folder, { recursive: true });
    await writeFileAtomic(probe, "");
    await rm(probe);
  } catch (error) {
    throw diskProblem(cannot, error);
  }
}

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** Tells two processes of one number apart; absent where the system has no /proc. */
  readonly start?: string;
}

async function lock(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, lockName);
  const start = await processStart(process.pid);
  const mine = `${JSON.stringify({ pid: process.pid, host: hostname(), ...(start && { start }) } satisfies Owner)}\n`;
  while (!(await create(path, mine))) {
    const owner = await ownerOf(path);
    if (owner && (await isRunning(owner))) throw await taken(folder, path, owner);
    await removeStale(path, mine);
  }
  return async () => {
    if ((await readFile(path, "utf8").catch(() => undefined)) === mine) await rm(path, { force: true });
  };
}

// Written beside and linked, so that a lock is never seen without its owner.
async function create(path: string, content: string): Promise<boolean> {
  const temporary = temporaryPath(path);
  try {
    await writeFile(temporary, content, { flag: "wx" });
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      // A file system without links (FAT, some network drives).
      return writeFile(path, content, { flag: "wx" });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw diskProblem(`lock outputDir ${path}`, error);
  } finally {
    await rm(temporary, { force: true });
  }
}

// One at a time, by a lock of its own: of two that have found the same stale lock, the slower would remove the faster one's.
async function removeStale(path: string, mine: string): Promise<void> {
  const guard = `${path}.takeover`;
  if (!(await create(guard, mine))) {
    const owner = await ownerOf(guard);
    if (owner && (await isRunning(owner))) await sleep(10);
    else await rm(guard, { force: true });
    return;
  }
  try {
    const owner = await ownerOf(path);
    if (!owner || !(await isRunning(owner))) await rm(path, { force: true });
  } finally {
    await rm(guard, { force: true });
  }
}

async function ownerOf(path: string): Promise<Owner | undefined> {
  return parseOwner(await readFile(path, "utf8").catch(() => ""));
}

function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, host, start } = JSON.parse(text) as Partial<Owner>;
    if (!Number.isSafeInteger(pid) || typeof host !== "string") return undefined;
    return { pid: pid as number, host, ...(typeof start === "string" && { start }) };
  } catch {
    return undefined;
  }
}

// Of another machine nothing can be known: its process counts as running.
async function isRunning({ pid, host, start }: Owner): Promise<boolean> {
  if (host !== hostname()) return true;
  if (!isAlive(pid)) return false;
  return start === undefined || start === (await processStart(pid));
}

// Boot and the 22nd field of /proc/<pid>/stat, proc(5); the second field, a name in brackets, may hold spaces.
async function processStart(pid: number): Promise<string | undefined> {
  try {
    const boot = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
    const line = await readFile(`/proc/${pid}/stat`, "utf8");
    return `${boot} ${line.slice(line.lastIndexOf(")") + 2).split(" ")[19]}`;
  } catch {
    return undefined;
  }
}

async function taken(folder: string, path: string, { pid, host }: Owner): Promise<Error> {
  const since = await stat(path).catch(() => undefined);
  const who = pid === process.pid && host === hostname() ? `this process (${pid})` : `process ${pid} on ${host}`;
  const elsewhere = host !== hostname();
  return new Error(
    problem({
      cannot: `use outputDir ${folder}`,
      found: `${who} has worked in it since ${since?.mtime.toISOString() ?? "a moment ago"}`,
      expected: "one run at a time",
      fix: elsewhere
        ? `choose another outputDir, or delete ${path} when that machine no longer works on it`
        : "stop that run, wait for its end, or choose another outputDir",
    }),
  );
}

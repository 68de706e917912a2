/**
 * How much memory this process may still take. In: the limits that the machine, a container and the shell set, as Linux tells
 * them in files. Out: bytes. It takes none, and what a run will take is counted in train/memory.ts.
 */
import { readFileSync } from "node:fs";
import { freemem } from "node:os";

/** Gives the text of a file, undefined where there is none. */
export type ReadText = (path: string) => string | undefined;

/**
 * Memory that this process may still take: what the machine has free, what a container's limit leaves, what the shell's limits leave.
 *
 * @param read default: the file system
 * @returns bytes
 */
export function availableMemory(read: ReadText = readText): number {
  const free = kilobytes(read("/proc/meminfo"), "MemAvailable");
  // Version 2 of cgroups, then version 1; "max" and absurdly large numbers mean no limit.
  const limits = [
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"],
    ["/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"],
  ].map(([limit, used]) => Number(read(limit as string) ?? Number.NaN) - Number(read(used as string) ?? 0));
  // What the shell allows: `ulimit -d` counts what can be written, `ulimit -v` reserved addresses too.
  for (const [limit, used] of [
    ["data size", "VmData"],
    ["address space", "VmSize"],
  ] as const) {
    const allowed = new RegExp(`^Max ${limit}\\s+(\\d+)`, "m").exec(read("/proc/self/limits") ?? "")?.[1];
    limits.push(Number(allowed ?? Number.NaN) - kilobytes(read("/proc/self/status"), used));
  }
  const known = [Number.isFinite(free) ? free : freemem(), ...limits.filter(Number.isFinite)];
  return Math.max(0, Math.min(...known));
}

// What JavaScript, threads and a library's own work take beside tensors.
const besidesTensors = 500e6;

/**
 * What tensors may take of it. TensorFlow then refuses a tensor that is too large, from which a run recovers; without a limit the
 * small allocation that comes next fails, or a container is killed, and nothing inside the process can do anything about it.
 *
 * @param available bytes
 */
export function memoryForTensors(available: number): number {
  return Math.floor(Math.max(available / 2, available - besidesTensors));
}

function kilobytes(text: string | undefined, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? Number.NaN) * 1024;
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

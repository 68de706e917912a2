import assert from "node:assert/strict";
import { test } from "node:test";
import { availableMemory, memoryForTensors } from "../src/available-memory.js";

test("availableMemory() takes the smallest of what machine, container and shell leave", () => {
  const files = new Map([
    ["/proc/meminfo", "MemTotal: 9 kB\nMemAvailable:    8000000 kB\n"],
    ["/sys/fs/cgroup/memory.max", "5000000000\n"],
    ["/sys/fs/cgroup/memory.current", "1000000000\n"],
  ]);
  assert.equal(
    availableMemory((path) => files.get(path)),
    4e9,
  );
  files.set("/sys/fs/cgroup/memory.max", "max\n");
  assert.equal(
    availableMemory((path) => files.get(path)),
    8_192_000_000,
  );
  files.set("/proc/self/limits", "Max data size             3000000000           unlimited            bytes\n");
  files.set("/proc/self/status", "VmSize:\t 2000000 kB\nVmData:\t  500000 kB\n");
  assert.equal(
    availableMemory((path) => files.get(path)),
    3e9 - 512e6,
  );
  files.set("/proc/self/limits", "Max address space         2148000000           unlimited            bytes\n");
  assert.equal(
    availableMemory((path) => files.get(path)),
    100e6,
  );
  assert.ok(availableMemory() > 0, "this machine");
});

test("memoryForTensors() leaves 500 MB for the rest, or half where there is little", () => {
  assert.equal(memoryForTensors(4e9), 3.5e9);
  assert.equal(memoryForTensors(0.6e9), 0.3e9);
});

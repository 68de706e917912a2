// @ts-check
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hasNvidiaGpu, withCuda } from "../../bin/setup/cuda.mjs";

const requirements = readFileSync(new URL("../../requirements.txt", import.meta.url), "utf8");

test("withCuda() asks for TensorFlow's CUDA build of the same version, on Linux x86-64 only", () => {
  const lines = withCuda(requirements).split("\n");
  const cuda = lines.filter((line) => line.includes("[and-cuda]"));
  assert.equal(cuda.length, 1);
  assert.match(
    cuda[0] ?? "",
    /^tensorflow\[and-cuda\]==\d+\.\d+\.\d+ ; sys_platform == "linux" and platform_machine == "x86_64"$/,
  );
  assert.equal(lines.length, requirements.split("\n").length);
  assert.ok(!lines.some((line) => line.startsWith("tensorflow-cpu")));
});

test("hasNvidiaGpu() believes nvidia-smi, and no driver means no GPU", { skip: process.platform === "win32" }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-smi-"));
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });
  const answer = (/** @type {string} */ script) => {
    writeFileSync(join(folder, "nvidia-smi"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, "nvidia-smi"), 0o755);
    process.env.PATH = `${folder}:${path}`;
    return hasNvidiaGpu();
  };
  assert.equal(answer('echo "GPU 0: NVIDIA A100 (UUID: GPU-1)"'), true);
  assert.equal(answer('echo "No devices were found"'), false);
  assert.equal(answer('echo "NVIDIA-SMI has failed because it could not communicate with the driver"; exit 9'), false);
});

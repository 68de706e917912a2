import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkDisk,
  checkEngine,
  checkGpu,
  checkNode,
  checkPorts,
  examine,
  formatFinding,
} from "../../../bin/commands/doctor.js";

test("examine() finds all that the course needs where Fledge is set up", async () => {
  const findings = await examine();
  assert.deepEqual(
    findings.map(({ name }) => name),
    ["Node", "Python", "JupyterLab", "Kernel", "Engine", "GPU", "Ports", "Disk"],
  );
  const byName = new Map(findings.map((finding) => [finding.name, finding]));
  assert.equal(byName.get("Node")?.found, process.versions.node);
  assert.match(byName.get("Python")?.found ?? "", /^3\.1[0-3]\.\d+ in \.venv$/);
  assert.match(byName.get("JupyterLab")?.found ?? "", /^\d+\.\d+\.\d+$/);
});

test("examine() gives the fix for everything that is missing", async (context) => {
  const empty = mkdtempSync(join(tmpdir(), "fledge-doctor-"));
  context.after(() => rmSync(empty, { recursive: true, force: true }));
  const findings = await examine(empty);
  for (const name of ["Python", "JupyterLab", "Kernel"]) {
    const finding = findings.find((one) => one.name === name);
    assert.equal(finding?.verdict, "fail", name);
    assert.match(finding?.fix ?? "", /^run `npm run setup`/, name);
  }
});

test("checkNode() refuses Node below 20.12", () => {
  assert.deepEqual(checkNode("18.20.4"), {
    name: "Node",
    verdict: "fail",
    found: "18.20.4, older than 20.12",
    fix: "install Node 20.12 or newer from https://nodejs.org",
  });
});

test("checkNode() compares versions by number", () => {
  assert.equal(checkNode("20.9.0").verdict, "fail");
  assert.equal(checkNode("20.12.0").verdict, "ok");
  assert.equal(checkNode("100.0.0").verdict, "ok");
});

test("formatFinding() puts the fix below the finding", () => {
  assert.equal(formatFinding({ name: "Node", verdict: "ok", found: "20.1.0" }), "ok    Node         20.1.0");
  const text = formatFinding({ name: "Disk", verdict: "fail", found: "1.0 GB free", fix: "free 2 GB" });
  assert.equal(text, `fail  Disk         1.0 GB free\n${" ".repeat(19)}Fix: free 2 GB.`);
});

test("checkGpu() names the GPU, says when it is not used, and when its driver fails", async (context) => {
  const folder = mkdtempSync(join(tmpdir(), "fledge-doctor-"));
  context.after(() => rmSync(folder, { recursive: true, force: true }));
  const driver = (name: string, script: string) => {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return path;
  };
  const used = process.env.FLEDGE_TENSORFLOW;
  delete process.env.FLEDGE_TENSORFLOW;
  context.after(() => {
    if (used !== undefined) process.env.FLEDGE_TENSORFLOW = used;
  });
  assert.deepEqual(await checkGpu(join(folder, "nowhere")), {
    name: "GPU",
    verdict: "ok",
    found: "no NVIDIA driver: the processor computes",
  });
  assert.equal(
    formatFinding(await checkGpu(driver("smi", "echo 'NVIDIA T4, 15360, 550.54'"))),
    "slow  GPU          NVIDIA T4, 16.1 GB, driver 550.54, not used: TensorFlow is built for the processor\n" +
      "                   Fix: set FLEDGE_TENSORFLOW to the tensorflow folder of `pip install tensorflow[and-cuda]`.",
  );
  const broken = await checkGpu(driver("broken", "echo 'NVML: Driver/library version mismatch' >&2; exit 9"));
  assert.equal(broken.verdict, "slow");
  assert.match(broken.found, /version mismatch$/);
  assert.equal(broken.fix, "install the NVIDIA driver again, and restart the machine");
});

test("checkPorts() says why a kernel could not listen", async () => {
  assert.equal((await checkPorts()).verdict, "ok");
  const refused = await checkPorts(() => Promise.reject(new Error("listen EPERM")));
  assert.deepEqual([refused.verdict, refused.found], ["fail", "cannot listen on 127.0.0.1: listen EPERM"]);
  assert.match(refused.fix ?? "", /loopback/);
});

test("checkEngine() names a slow engine and one that nobody knows, with the fix", async (context) => {
  const forced = process.env.FLEDGE_ENGINE;
  context.after(() => {
    if (forced === undefined) delete process.env.FLEDGE_ENGINE;
    else process.env.FLEDGE_ENGINE = forced;
  });
  process.env.FLEDGE_ENGINE = "cpu";
  const slow = await checkEngine();
  assert.deepEqual(
    [slow.verdict, slow.fix],
    ["slow", "run `npm run setup` to install TensorFlow, and unset FLEDGE_ENGINE"],
  );
  process.env.FLEDGE_ENGINE = "abacus";
  const failing = await checkEngine();
  assert.equal(failing.verdict, "fail");
  assert.match(failing.found, /abacus/);
  assert.equal(failing.fix, "unset FLEDGE_ENGINE to have the engine chosen");
});

test("checkDisk() fails on a full disk, with the fix", async () => {
  assert.equal((await checkDisk(tmpdir(), 0)).verdict, "ok");
  const full = await checkDisk(tmpdir(), Number.POSITIVE_INFINITY);
  assert.deepEqual([full.verdict, full.fix], ["fail", "free 2 GB: every checkpoint holds the model three times"]);
  assert.match(full.found, /^\d+\.\d GB free$/);
});

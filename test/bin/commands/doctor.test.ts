import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { checkNode, examine, formatFinding } from "../../../bin/commands/doctor.js";

test("examine() finds all that the course needs where Fledge is set up", async () => {
  const findings = await examine();
  assert.deepEqual(
    findings.map(({ name }) => name),
    ["Node", "Python", "JupyterLab", "Kernel", "Engine", "Disk"],
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

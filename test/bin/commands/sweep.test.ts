/** `fledge sweep` as a user calls it: killed in the middle, begun again, and what it leaves. */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { TrialResult } from "../../../src/train/sweep.js";
import { start, tinyProject, until } from "./tiny-project.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-sweep-command-"));
after(() => rm(scratch, { recursive: true }));
const knobs = (await tinyProject(scratch)).filter(
  (word, i, words) => ![word, words[i - 1]].includes("--learning-rate"),
);
const words = ["sweep", "--vary", "learningRate=1e-3,5e-3,1e-2", ...knobs, "--max-steps", "40", "--no-preflight"];
const record = async () => JSON.parse(await readFile(join(scratch, "sweep/sweep.json"), "utf8")) as TrialResult[];
const logOf = ({ settings }: TrialResult) =>
  readFile(join(scratch, settings.outputDir as string, "events.jsonl"), "utf8");

test("fledge sweep killed in the middle goes on where it stood: no trial twice, then table and chart", async () => {
  const { child, said, ended } = start(words, scratch);
  await until(child, () => said.out.includes("1 of 3: "));
  child.kill("SIGKILL");
  assert.equal((await ended).code, null, said.err);
  const [first, ...others] = await record();
  assert.ok(first && others.length === 0, "one trial was done");
  const log = await logOf(first);

  const { code, out, err } = await start(words, scratch).ended;
  assert.equal(code, 0, err);
  assert.match(out, /^1 of 3: learningRate.*\n2 of 3: .*\n3 of 3: .*\n\n/);
  assert.equal(await logOf(first), log, "the first trial was not run again");
  const results = await record();
  assert.equal(results.length, 3);
  const best = Math.min(...results.map(({ bestValidationLoss = Number.NaN }) => bestValidationLoss));
  const [, table = ""] = out.split("\n\n");
  const rows = table.split("\n").filter((line) => /\d\.\d{3}/.test(line));
  assert.equal(rows.length, 3, table);
  assert.ok(rows[0]?.includes(best.toFixed(3)), "the best comes first");
  const png = await readFile(join(scratch, "sweep/sweep.png"));
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  assert.ok((await readdir(join(scratch, "sweep"))).length >= 5, "a folder a trial, sweep.json, sweep.png");
});

test("fledge sweep ends with 130 after Ctrl-C, with a trial that goes on from its checkpoint", async () => {
  const other = [...words, "--folder", "stopped"].map((word) => (word === "40" ? "400" : word));
  const folder = join(scratch, "stopped");
  const { child, ended } = start([...other, "--checkpoint-every-steps", "5"], scratch);
  const trials = async () => (await readdir(folder, { recursive: true }).catch(() => [])).join("\n");
  while (!/checkpoint-\d+$/m.test(await trials()) && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  child.kill("SIGINT");
  const { code, err } = await ended;
  assert.equal(code, 130, err);
  assert.match(err, /stopped; the same command goes on from here\n$/);
  assert.match(await trials(), /checkpoint-\d+$/m);
});

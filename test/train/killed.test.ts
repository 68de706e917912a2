/**
 * Real processes killed with SIGKILL: at each call to the file system of a save, and at random places of a training run that
 * is begun again until it ends. What is left must be whole, and the end that of a run that nobody disturbed, bit for bit.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { seededRandom } from "../../src/data/random.js";
import { sha256File } from "../../src/files.js";
import { loadCheckpoint, newestCheckpoint, saveCheckpoint } from "../../src/train/checkpoint.js";
import type { TrainEvent } from "../../src/train/events.js";
import { openOutputDir } from "../../src/train/output-dir.js";
import { readRunLog } from "../../src/train/run-log.js";
import type { Progress } from "../../src/train/trainer-run.js";
import { writeModelFolder } from "../model-folder.js";
import { tinyCheckpoint, tokenizerIn } from "./tiny-checkpoint.js";

const scratch = await mkdtemp(join(tmpdir(), "fledge-killed-"));
after(() => rm(scratch, { recursive: true, force: true }));
const kinds = ["before", "half", "after"] as const;

/** Runs a program of this folder with a fault, and by default to its end; returns what it printed. */
async function runProgram(program: string, values: string[], fault: string, killAfterMs?: number) {
  const path = (name: string) => fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const child = spawn(process.execPath, ["--import", path("kill-at-call"), path(program), ...values], {
    env: { ...process.env, FLEDGE_TEST_FAULT: fault },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout.on("data", (text) => (output += text));
  child.stderr.on("data", (text) => (errors += text));
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill("SIGKILL"), killAfterMs);
  const [code, signal] = (await once(child, "close")) as [number | null, string | null];
  clearTimeout(timer);
  return { output, errors, code, signal };
}

test("saveCheckpoint() killed before, in and after each of its calls leaves the old or the new checkpoint whole", async () => {
  const tokenizerFolder = await tokenizerIn(join(scratch, "tokenizer"));
  const outputDir = join(scratch, "save");
  const prepare = async () => {
    await rm(outputDir, { recursive: true, force: true });
    await mkdir(outputDir);
    await saveCheckpoint(outputDir, tinyCheckpoint(1, tokenizerFolder));
  };
  await prepare();
  const whole = await runProgram("saving-once", [outputDir, tokenizerFolder], "0 count");
  const calls = Number(/calls (\d+)/.exec(whole.output)?.[1]);
  assert.equal(whole.code, 0, whole.errors);
  const survivors = new Set<number>();
  for (let call = 1; call <= calls; call++) {
    await prepare();
    const killed = await runProgram("saving-once", [outputDir, tokenizerFolder], `${call} ${kinds[call % 3]}`);
    assert.equal(killed.signal, "SIGKILL", `call ${call} ${killed.errors}`);
    await (await openOutputDir(outputDir)).close();
    const newest = await newestCheckpoint(outputDir);
    assert.deepEqual(newest?.skipped, [], `call ${call}`);
    const { step, folder } = newest.checkpoint;
    const { tokenizerFolder: _, ...expected } = tinyCheckpoint(step, tokenizerFolder);
    assert.deepEqual(await loadCheckpoint(folder), { ...expected, folder }, `call ${call}`);
    assert.ok(
      (await readdir(outputDir)).every((name) => name.startsWith("checkpoint-")),
      `call ${call}`,
    );
    survivors.add(step);
  }
  assert.deepEqual([...survivors], [1, 2]);
  assert.ok(calls >= 40, `${calls} kills`);
});

test("train() killed again and again and resumed ends bit for bit like a run that nobody disturbed", async () => {
  await makeInputs();
  const whole = await runProgram("training-process", [join(scratch, "whole")], "0 count");
  assert.equal(whole.code, 0, whole.errors);
  const calls = Number(/calls (\d+)/.exec(whole.output)?.[1]);
  const random = seededRandom(7);
  let kills = 0;
  for (let ended = false; !ended; ) {
    // By turns at a call of the first saves it makes, and after a time in which it comes to train.
    const byTime = kills % 4 === 3;
    const fault =
      kills < 12 && !byTime ? `${1 + random.integer(Math.floor(calls / 4))} ${kinds[random.integer(3)]}` : "0 none";
    const killAfterMs = kills < 12 && byTime ? 400 + random.integer(1500) : undefined;
    const { code, signal, errors } = await runProgram(
      "training-process",
      [join(scratch, "killed")],
      fault,
      killAfterMs,
    );
    ended = code === 0;
    if (!ended) assert.equal(signal, "SIGKILL", errors);
    kills += 1;
  }
  assert.ok(kills > 8, `${kills} processes`);
  assert.deepEqual(await endOf(join(scratch, "killed")), await endOf(join(scratch, "whole")));
});

async function makeInputs(): Promise<void> {
  await writeModelFolder(join(scratch, "tiny"), { positions: 32, width: 8, layers: 1, heads: 2 });
  await mkdir(join(scratch, "texts"));
  for (let i = 0; i < 20; i++) {
    await writeFile(join(scratch, `texts/d${i}.txt`), `Document ${i} says again and again. `.repeat(4 + (i % 3)));
  }
}

// Everything that a run leaves but times, memory, its own name, and the lines that say that it was resumed.
async function endOf(folder: string) {
  const checkpoint = await loadCheckpoint(join(folder, "run/checkpoint-000009"));
  const { seconds: _seconds, logBytes: _bytes, ...progress } = checkpoint.state.progress as Progress;
  const events = await readRunLog(join(folder, "run"));
  return {
    weights: await sha256File(join(folder, "final/model.safetensors")),
    lastWeights: await sha256File(join(checkpoint.folder, "model.safetensors")),
    moments: await sha256File(join(checkpoint.folder, "optimizer.safetensors")),
    progress,
    log: events
      .filter(({ type }) => type !== "preflight")
      .filter((event) => event.type !== "start" || event.resumedFromStep === 0)
      .map((event) => lasting(event, folder)),
    files: (await readdir(join(folder, "run"))).filter((name) => name !== "events.jsonl"),
  };
}

function lasting(event: TrainEvent, folder: string): Record<string, unknown> {
  const passing = ["tokensPerSecond", "etaSeconds", "memoryBytes", "seconds", "peakMemoryBytes", "runId"];
  const elsewhere = JSON.parse(JSON.stringify(event).replaceAll(folder, "")) as Record<string, unknown>;
  return Object.fromEntries(Object.entries(elsewhere).filter(([name]) => !passing.includes(name)));
}

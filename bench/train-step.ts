/**
 * One training step: Fledge beside HF's Trainer with its defaults, a bare PyTorch loop, and TensorFlow.js run eagerly on
 * TensorFlow, one after the other on the same machine, two threads each. In: words that rows must contain (`npm run
 * bench:train -- "4 × 512" bfloat16`), on an idle machine; none runs the six of distilgpt2. Out: a table, and what the trainer costs beside its
 * program. It asserts nothing. What each column means stands below the table; the floor's formula is in train-floor.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { packageRoot } from "../src/paths.js";
import { machine } from "./figures.js";
import {
  flopsOf,
  type Measurement,
  productsOf,
  type Row,
  rowsOf,
  threadEnvironment,
  threads,
  workloads,
} from "./shapes.js";

const root = packageRoot();
const python = join(root, ".venv/bin/python");
const pytorch = [python, join(root, "bench/train_step_pytorch.py")] as const;
const fledge = [process.execPath, join(root, "dist/bench/train-step-fledge.js")] as const;
const floorScript = [process.execPath, join(root, "dist/bench/train-floor.js")] as const;
const overheadScript = [process.execPath, join(root, "dist/bench/train-overhead.js")] as const;

/** A side that takes more is ended, and its row says so. */
const mostBytes = 0.8 * totalmem();
const mostSeconds = 240;

/** Runs a side in a process of its own. @returns what its last line says, or why there is none */
async function run<Result>([program, script]: readonly [string, string], work: object): Promise<Result | string> {
  const child = spawn(program, [script, JSON.stringify({ ...work, threads })], {
    stdio: ["ignore", "pipe", "ignore"],
    env: { ...process.env, ...threadEnvironment },
  });
  const began = performance.now();
  let because: string | undefined;
  const watching = setInterval(() => {
    if (residentBytes(child) > mostBytes) because = `needs more than ${(mostBytes / 1e9).toFixed(0)} GB`;
    if (performance.now() - began > 1000 * mostSeconds) because = `not done after ${mostSeconds} s`;
    if (because) child.kill("SIGKILL");
  }, 250);
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "close")]);
  clearInterval(watching);
  if (code === 0) return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Result;
  return because ?? `failed (exit code ${code}): ${program} ${script}`;
}

// Linux only: elsewhere a side may take what it wants.
function residentBytes({ pid }: ChildProcess): number {
  const status = `/proc/${pid}/status`;
  if (!existsSync(status)) return 0;
  return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(status, "utf8"))?.[1] ?? 0);
}

/** Runs the sides of a row and prints a line for each as it comes. */
async function printRow(row: Row): Promise<void> {
  const floor = await run<number>(floorScript, row);
  const reference = await run<Measurement>(pytorch, { ...row, loop: "bare" });
  print(row, "PyTorch, bare loop", reference, reference, floor);
  print(row, "PyTorch, HF Trainer", await run(pytorch, { ...row, loop: "trainer" }), reference, floor);
  // Its products are float32 only, and a step may take a minute: one that is not warm must do.
  const eager = { ...row, steps: row.B * row.T > 512 ? 1 : 3, engineName: "tfjs-node" };
  if (!row.mixedPrecision) print(row, "TensorFlow.js, eager", await run(fledge, eager), reference, floor);
  print(row, "Fledge", await run(fledge, row), reference, floor);
}

function print(
  row: Row,
  side: string,
  measured: Measurement | string,
  reference: Measurement | string,
  floor: number | string,
): void {
  const head = [row.name, productsOf(row), side];
  if (typeof measured === "string") {
    console.log(`| ${[...head, measured, ...Array(8).fill("")].join(" | ")} |`);
    return;
  }
  const { secondsPerStep, processorSecondsPerStep, compileSeconds, peakMemoryBytes } = measured;
  const ratio = (of: (measurement: Measurement) => number) =>
    typeof reference === "string" ? "?" : of(reference).toFixed(2);
  const cells = [
    ...[secondsPerStep.toFixed(3), Math.round((row.B * row.T) / secondsPerStep)],
    ratio((other) => other.secondsPerStep / secondsPerStep),
    ...[processorSecondsPerStep.toFixed(2), Math.round(flopsOf(row) / secondsPerStep / 1e9)],
    typeof floor === "string" ? floor : `${Math.round((100 * floor) / secondsPerStep)} %`,
    (peakMemoryBytes / 1e9).toFixed(2),
    ratio((other) => peakMemoryBytes / other.peakMemoryBytes),
    compileSeconds.toFixed(1),
  ];
  console.log(`| ${[...head, ...cells].join(" | ")} |`);
}

const rows = rowsOf(workloads, ["distilgpt2"]);

console.log(`${machine()}; ${threads} threads each`);
const titles = [
  ...["work", "products", "side", "s/step", "tokens/s", "× bare loop", "processor s/step", "GFLOP/s"],
  ...["of the floor", "peak GB", "memory × bare loop", "compiling, s"],
];
console.log(`| ${titles.join(" | ")} |`);
console.log("|---".repeat(titles.length).concat("|"));
for (const row of rows) await printRow(row);
const overhead = await run<number>(overheadScript, {});
console.log(`
Trainer beside its program: ${typeof overhead === "string" ? overhead : `${overhead.toFixed(2)} ms a step`}, log included.
s/step: median of the steps after the first two. tokens/s: trained tokens. GFLOP/s: of what no side can leave out (flopsOf in
shapes.ts). Of the floor: the seconds of Fledge's products alone (train-floor.ts) by the side's seconds. Compiling: first step less
the median. Memory: peak resident size of the whole process.`);

/**
 * Seconds of one training step, Fledge beside PyTorch + transformers, one after the other on the same machine. In: nothing
 * (`npm run bench:train`, on an idle machine). Out: a table with the ratio of tokens a second. It asserts nothing.
 */
import { execFileSync } from "node:child_process";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../src/paths.js";
import { type Measurement, type Workload, workloads } from "./shapes.js";

const root = packageRoot();
const sides = {
  fledge: [process.execPath, join(root, "dist/bench/train-step-fledge.js")],
  pytorch: [join(root, ".venv/bin/python"), join(root, "bench/train_step_pytorch.py")],
} as const;

function measure(side: keyof typeof sides, work: Workload, mixedPrecision: boolean): Measurement {
  const [program, script] = sides[side];
  const output = execFileSync(program, [script, JSON.stringify({ ...work, mixedPrecision })], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Measurement;
}

console.log(`${cpus()[0]?.model}, ${availableParallelism()} cores`);
console.log(
  "| work | products | Fledge s/step | PyTorch s/step | tokens/s ratio | Fledge GB | PyTorch GB | memory ratio |",
);
console.log("|---|---|---|---|---|---|---|---|");
for (const work of workloads) {
  for (const mixedPrecision of [false, true]) {
    const ours = measure("fledge", work, mixedPrecision);
    const theirs = measure("pytorch", work, mixedPrecision);
    const cells = [
      work.name,
      mixedPrecision ? "bfloat16" : "float32",
      ours.secondsPerStep.toFixed(3),
      theirs.secondsPerStep.toFixed(3),
      (theirs.secondsPerStep / ours.secondsPerStep).toFixed(2),
      (ours.peakMemoryBytes / 1e9).toFixed(2),
      (theirs.peakMemoryBytes / 1e9).toFixed(2),
      (ours.peakMemoryBytes / theirs.peakMemoryBytes).toFixed(2),
    ];
    console.log(`| ${cells.join(" | ")} |`);
  }
}

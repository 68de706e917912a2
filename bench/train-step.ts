/**
 * One training step, Fledge beside PyTorch + transformers (a bare loop), one after the other on the same machine. In: words
 * that rows must contain (`npm run bench:train -- "4 × 512" bfloat16`), on an idle machine; none runs every row. Out: a table.
 * It asserts nothing. The floor is the time of the step's products with weights alone, in TensorFlow, in the same run.
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { packageRoot } from "../src/paths.js";
import { machine } from "./figures.js";
import { flopsOf, type Measurement, type Workload, workloads } from "./shapes.js";

const root = packageRoot();
const python = join(root, ".venv/bin/python");
const sides = {
  fledge: [process.execPath, join(root, "dist/bench/train-step-fledge.js")],
  floor: [process.execPath, join(root, "dist/bench/train-floor.js")],
  pytorch: [python, join(root, "bench/train_step_pytorch.py")],
} as const;

type Row = Workload & { readonly mixedPrecision: boolean };

function run<Result>(side: keyof typeof sides, row: Row): Result {
  const [program, script] = sides[side];
  const output = execFileSync(program, [script, JSON.stringify(row)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Result;
}

function cellsOf(row: Row): (string | number)[][] {
  const floor = run<number>("floor", row);
  const fledge = run<Measurement>("fledge", row);
  const pytorch = run<Measurement>("pytorch", row);
  const cells = (name: string, measured: Measurement) => {
    const { secondsPerStep, compileSeconds, peakMemoryBytes } = measured;
    return [
      ...[row.name, products(row), name, secondsPerStep.toFixed(3), Math.round((row.B * row.T) / secondsPerStep)],
      ...[(pytorch.secondsPerStep / secondsPerStep).toFixed(2), Math.round(flopsOf(row) / secondsPerStep / 1e9)],
      ...[`${Math.round((100 * floor) / secondsPerStep)} %`, (peakMemoryBytes / 1e9).toFixed(2)],
      ...[(peakMemoryBytes / pytorch.peakMemoryBytes).toFixed(2), compileSeconds.toFixed(1)],
    ];
  };
  return [cells("Fledge", fledge), cells("PyTorch", pytorch)];
}

function products({ mixedPrecision }: Row): string {
  return mixedPrecision ? "bfloat16" : "float32";
}

const words = process.argv.slice(2);
const rows = workloads
  .flatMap((work): Row[] => [false, true].map((mixedPrecision) => ({ ...work, mixedPrecision })))
  .filter((row) => words.every((word) => `${row.name} ${products(row)}`.includes(word)));

console.log(machine());
const titles = ["work", "products", "side", "s/step", "tokens/s", "× PyTorch", "GFLOP/s", "of the floor", "peak GB"];
console.log(`| ${[...titles, "memory × PyTorch", "first step, extra s"].join(" | ")} |`);
console.log("|---".repeat(titles.length + 2).concat("|"));
for (const row of rows) for (const cells of cellsOf(row)) console.log(`| ${cells.join(" | ")} |`);
